/**
 * Combines several adapters into one: a weighted sum of their effects.
 *
 * @module
 */

import type { ModelConfig } from "../model_config.ts";
import { decode } from "../../quant/layouts/decode.ts";
import { adapterValues, assertStarted, fitAdapter } from "./adapted.ts";
import type { Adapter, MixedPart } from "./scheme.ts";
import { adapterScheme } from "./schemes.ts";

/** One of several adapters to combine. */
export interface AdapterInMix {
  /** The adapter, with the same base model and the same scheme as the others. */
  readonly adapter: Adapter;
  /** Weight: 0 is the base model, 1 the adapter unchanged. Default 1. */
  readonly weight?: number | undefined;
  /** Trained offsets of its tensors, by name. Default: none. */
  readonly offsets?: ReadonlyMap<string, Float32Array> | undefined;
}

/**
 * Combines several adapters of one scheme into one whose effect is the weighted sum of theirs. It is for `base.withAdapter`; the base stays on
 * the device, so every request can use a different mix.
 *
 * For LoRA, the ranks are added, so the mix takes the memory of all its parts. The only rounding is that of each B times its weight (PEFT calls
 * this `cat`). For IA3, a vector is `1 + sum of weight * (vector - 1)`.
 *
 * @param model The base model.
 * @throws {RangeError} for adapters of different schemes, for schemes that cannot be mixed (prefixes and prompts), for adapters with their own
 * tensors of the base model, and for a weight that is not a number.
 *
 * @example Half of each of two adapters
 * ```ts
 * import { loraAdapter, mixedAdapter, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const [one, other] = [1, 2].map((seed) => loraAdapter(source, { rank: 4, layers: [0, 0], seed }));
 * const { plan } = mixedAdapter(source, [{ adapter: one, weight: 0.5 }, { adapter: other, weight: 0.5 }]);
 * assertEquals(plan.matrices, [
 *   { matrix: "blk.0.attn_q.weight", rank: 8, scale: 1 },
 *   { matrix: "blk.0.attn_v.weight", rank: 8, scale: 1 },
 * ]);
 * ```
 */
export function mixedAdapter(
  { config }: { readonly config: ModelConfig },
  parts: readonly AdapterInMix[],
): Adapter {
  const refuse = (why: string) => new RangeError(`Cannot mix adapters: ${why}`);
  if (parts.length === 0) throw refuse("there are none");
  const [{ adapter: { scheme: name, seed } }] = parts;
  const other = parts.find(({ adapter }) => adapter.scheme !== name);
  if (other) throw refuse(`one is of scheme ${name}, another of ${other.adapter.scheme}`);
  const scheme = adapterScheme(name);
  if (!scheme.mix) throw refuse(`the scheme ${name} has no sum`);
  const given = parts.map(({ adapter, weight = 1, offsets }): MixedPart => {
    if (!Number.isFinite(weight)) throw refuse(`a weight is ${weight}`);
    assertStarted(adapter);
    const [own] = adapter.replaced?.keys() ?? [];
    if (own !== undefined) {
      throw refuse(`one comes with "${own}" of the base, which cannot be added to others`);
    }
    const { tensors } = fitAdapter(config, adapter);
    const values = (tensor: string) => {
      const out = decode(adapterValues(adapter, tensors.get(tensor)!));
      offsets?.get(tensor)?.forEach((offset, i) => out[i] += offset);
      return out;
    };
    return { plan: scheme.parse(adapter.plan), weight, values };
  });
  const mixed = { scheme: name, seed, ...scheme.mix(config, given) };
  fitAdapter(config, mixed);
  return mixed;
}
