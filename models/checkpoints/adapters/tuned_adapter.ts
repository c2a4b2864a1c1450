/**
 * An adapter with what training added, as it is written.
 *
 * @module
 */

import { adapterValues, fitAdapter } from "../../adapters/adapted.ts";
import type { Adapter } from "../../adapters/scheme.ts";
import type { ModelConfig } from "../../model_config.ts";

/** What is written of an adapter. */
export interface AdapterToWrite {
  /** Beside which model. */
  readonly config: ModelConfig;
  /** Before training. */
  readonly adapter: Adapter;
  /** What training added, by tensor. Default: nothing. */
  readonly offsets?: ReadonlyMap<string, Float32Array>;
  /** What the base is called. */
  readonly baseName: string;
  /** The base's fingerprint. */
  readonly base: string;
}

/** The values of an adapter's tensors with what training added, as branches see them. */
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
