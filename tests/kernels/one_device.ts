/**
 * One device for a whole process of tests, with one cache of pipelines: a software adapter compiles each of them for every device anew, which for a
 * tiny model takes longer than its training. What a test says about devices themselves (their loss, their end) needs devices of its own.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { type Gpu, openGpu } from "../../kernels/mod.ts";

const { requestDevice } = GPUAdapter.prototype;
const devices = new Map<string, Promise<GPUDevice>>();
/** Whether who asks for a device shares it: modules of one graph open theirs side by side, and some want one of their own. */
const shares = new AsyncLocalStorage<true>();

function requestOnce(
  this: GPUAdapter,
  descriptor?: GPUDeviceDescriptor,
): Promise<GPUDevice> {
  if (!shares.getStore()) return requestDevice.call(this, descriptor);
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

GPUAdapter.prototype.requestDevice = requestOnce;

/** Runs what opens devices: one like another that was opened here is that one, and is ended in vain. */
export function onOneDevice<T>(run: () => Promise<T>): Promise<T> {
  return shares.run(true, run);
}

/** `openGpu` of the process's one device. */
export function openSharedGpu(): Promise<Gpu> {
  return onOneDevice(() => openGpu());
}
