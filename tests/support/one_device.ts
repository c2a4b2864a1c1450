/**
 * One device for a whole process of tests, with one cache of pipelines: a software adapter compiles each of them for every device anew, which for a
 * tiny model takes longer than its training. What a test says about devices themselves (their loss, their end) needs devices of its own.
 *
 * @module
 */
import { type Gpu, type GpuOptions, openGpu } from "../../kernels/mod.ts";

const devices = new Map<string, GPUDevice>();

/** Runs what opens devices; whoever asks meanwhile for one like another that was opened here gets that one, and ends it in vain. */
export async function onOneDevice<T>(run: () => Promise<T>): Promise<T> {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const wanted = JSON.stringify([this.info.description, descriptor]);
    let device = devices.get(wanted);
    if (device === undefined) {
      device = await requestDevice.call(this, descriptor);
      devices.set(wanted, device);
      device.destroy = () => {};
      device.lost.then(() => devices.delete(wanted), () => {});
    }
    return device;
  };
  try {
    return await run();
  } finally {
    GPUAdapter.prototype.requestDevice = requestDevice;
  }
}

/** `openGpu`, of the process's one device. */
export function openSharedGpu(options?: GpuOptions): Promise<Gpu> {
  return onOneDevice(() => openGpu(options));
}
