/**
 * What the f64 oracle says of a model with LoRA: the base's weights with every pair of narrow matrices multiplied out.
 *
 * @module
 */
import type { LoraPlan, Model } from "../../models/mod.ts";
import { initialValues } from "../../models/mod.ts";
import { noiseAt, type Seed, tensorId } from "../../optim/mod.ts";
import { mergedWeights } from "../reference/low_rank.ts";

/** How a branch sees an adapter's tensors. */
export interface SeenAdapter {
  /** Offsets by tensor. Default: zeros. */
  readonly offsets?: ReadonlyMap<string, ArrayLike<number>>;
  /** What is added to every element. */
  readonly noise?: { readonly seed: Seed; readonly amplitude: number };
}

/** The values of an adapter's tensor as a branch sees it, in f64. */
export function seen(model: Model, name: string, { offsets, noise }: SeenAdapter): Float64Array {
  const { adapter, tensors } = model.adapter!;
  const base = adapter.values?.get(name) ?? initialValues(tensors.get(name)!, adapter.seed);
  const own = offsets?.get(name);
  return Float64Array.from(base, (value, i) => {
    const z = noise ? noiseAt("normal", noise.seed, tensorId(name), i) : 0;
    return value + (own?.[i] ?? 0) + (noise ? Math.fround(noise.amplitude) * z : 0);
  });
}

/** The base's weights by the names of the library, with LoRA multiplied out as a branch sees it. */
export function withLora(
  weights: Readonly<Record<string, Float64Array>>,
  model: Model,
  view: SeenAdapter = {},
): Record<string, Float64Array> {
  const merged: Record<string, Float64Array> = { ...weights };
  for (const { matrix, rank, scale } of (model.adapter!.adapter.plan as LoraPlan).matrices) {
    const [a, b] = ["lora_a", "lora_b"].map((it) => seen(model, `${matrix}.${it}`, view));
    merged[matrix] = mergedWeights(weights[matrix], { a, b, rank, scale });
  }
  return merged;
}
