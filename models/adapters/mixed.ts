/**
 * Several adapters as one: a weighted sum of what they do.
 *
 * @module
 */

import type { ModelConfig } from "../model_config.ts";
import { decode } from "../../quant/layouts/decode.ts";
import { adapterValues, assertStarted, fitAdapter } from "./adapted.ts";
import type { Adapter, MixedPart } from "./scheme.ts";
import { adapterScheme } from "./schemes.ts";

/** One of several adapters. */
export interface AdapterInMix {
  /** Beside the same base as the others, of the same scheme. */
  readonly adapter: Adapter;
  /** How much of it: 0 is the base, 1 the adapter as it is. Default 1. */
  readonly weight?: number | undefined;
  /** What training added to its tensors, by name. Default: nothing. */
  readonly offsets?: ReadonlyMap<string, Float32Array> | undefined;
}

/**
 * Several adapters of one scheme as one adapter, which does the weighted sum of what they do: for `base.withAdapter`, another mix for every request
 * if need be, as the base stays where it is. Of LoRA the ranks add up, so the mix takes the memory of all its parts; nothing is rounded but each B times its weight
 * (PEFT calls it `cat`). Of IA3 a vector is `1 + sum of weight * (vector - 1)`.
 *
 * @param model What they stand beside
 * @throws {RangeError} For adapters of several schemes, of one that has no mixes (prefixes and prompts stand one behind the other), that bring tensors of the base of
 * their own, or for a weight that is no number
 *
 * @example Two styles, half of each
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
    if (own !== undefined) throw refuse(`one comes with "${own}" of the base, which has no sum`);
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
