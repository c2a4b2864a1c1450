/**
 * An adapter with its trained offsets, ready to be written.
 *
 * @module
 */

import { adapterValues, fitAdapter } from "../../adapters/adapted.ts";
import type { Adapter } from "../../adapters/scheme.ts";
import type { ModelConfig } from "../../model_config.ts";

/** The parts of an adapter to write. */
export interface AdapterToWrite {
  /** Configuration of the base model. */
  readonly config: ModelConfig;
  /** The adapter before training. */
  readonly adapter: Adapter;
  /** Trained offsets, by tensor. Default: none. */
  readonly offsets?: ReadonlyMap<string, Float32Array>;
  /** Name of the base model. */
  readonly baseName: string;
  /** Fingerprint of the base model. */
  readonly base: string;
}

/** The values of an adapter's tensors with trained offsets applied, as branches see them. */
export function tunedAdapter(
  { config, adapter, offsets }: Pick<AdapterToWrite, "config" | "adapter" | "offsets">,
): Map<string, Float32Array<ArrayBuffer>> {
  return new Map(
    [...fitAdapter(config, adapter).tensors.values()].map((tensor) => {
      const { codes } = adapterValues(adapter, tensor);
      const base = new Float32Array(codes.buffer, codes.byteOffset, codes.length);
      const moved = offsets?.get(tensor.name);
      return [tensor.name, base.map((value, i) => value + (moved?.[i] ?? 0))];
    }),
  );
}
