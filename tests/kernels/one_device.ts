/**
 * One device for a whole process of tests, with one cache of pipelines: a software adapter compiles each of them for every device anew, which for a
 * tiny model takes longer than its training. What a test says about devices themselves (their loss, their end) needs devices of its own.
 *
 * @module
 */
import { type Gpu, openGpu } from "../../kernels/mod.ts";

const { requestDevice } = GPUAdapter.prototype;
const devices = new Map<string, Promise<GPUDevice>>();
/** Of those that open devices now: modules of one graph wait side by side. */
let running = 0;

function requestOnce(
  this: GPUAdapter,
  descriptor?: GPUDeviceDescriptor,
): Promise<GPUDevice> {
  const wanted = JSON.stringify([this.info.description, descriptor]);
  let device = devices.get(wanted);
  if (device === undefined) {
    device = requestDevice.call(this, descriptor).then((device) => {
      device.destroy = () => {};
      device.lost.then(() => devices.delete(wanted), () => {});
      return device;
    });
    devices.set(wanted, device);
    device.catch(() => devices.delete(wanted));
  }
  return device;
}

/** Runs what opens devices; whoever asks meanwhile for one like another that was opened here gets that one, and ends it in vain. */
export async function onOneDevice<T>(run: () => Promise<T>): Promise<T> {
  if (running++ === 0) GPUAdapter.prototype.requestDevice = requestOnce;
  try {
    return await run();
  } finally {
    if (--running === 0) GPUAdapter.prototype.requestDevice = requestDevice;
  }
}

/** `openGpu` of the process's one device. */
export function openSharedGpu(): Promise<Gpu> {
  return onOneDevice(() => openGpu());
}
