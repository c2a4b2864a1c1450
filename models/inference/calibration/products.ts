/**
 * Chooses the hardware that computes the products of calibrated quantisers.
 *
 * @module
 */

import { DeviceProducts, type Gpu } from "../../../kernels/mod.ts";
import type { ProductRequest, Products } from "../../../quant/quantisers/computation.ts";
import { ProductWorkers } from "../../../quant/quantisers/product_workers.ts";

/** Computes products on the GPU. Exact products, and all products if the GPU is a software adapter, use all cores of the host. */
export class CalibrationProducts implements Products {
  readonly #device: DeviceProducts | undefined;
  readonly #workers = new ProductWorkers(navigator.hardwareConcurrency);

  /** Allocates nothing on the device yet. */
  constructor(gpu: Gpu) {
    // A software adapter has the same cores, and reads storage buffers lane by lane.
    this.#device = gpu.adapterClass === "software" ? undefined : new DeviceProducts(gpu);
  }

  async multiply(request: ProductRequest): Promise<void> {
    await (request.exact || !this.#device ? this.#workers : this.#device).multiply(request);
  }

  [Symbol.dispose](): void {
    this.#device?.[Symbol.dispose]();
    this.#workers[Symbol.dispose]();
  }
}
