/**
 * The sum of several LoRA adapters, which is a LoRA adapter whose rank is the sum of theirs.
 *
 * @module
 */

import { type LoraMatrix, loraNames, type LoraPlan } from "./lora_plan.ts";
import type { MixedPart, MixedValues } from "./scheme.ts";

type Floats = Float32Array<ArrayBuffer>;

/** Concatenates vectors. */
function joined(parts: readonly Float32Array[]): Floats {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The weighted sum: the rows of all A are concatenated, and so are the columns of all B, multiplied by scale and weight. */
export function mixedLora(parts: readonly MixedPart<LoraPlan>[]): MixedValues<LoraPlan> {
  const values = new Map<string, Floats>();
  const names = new Set(parts.flatMap(({ plan }) => plan.matrices.map(({ matrix }) => matrix)));
  const matrices = [...names].map((matrix): LoraMatrix => {
    const own = parts.flatMap(({ plan, ...part }) =>
      plan.matrices.filter((one) => one.matrix === matrix).map((one) => ({ ...part, ...one }))
    );
    const { down, up, bias } = loraNames(matrix);
    values.set(down, joined(own.map((one) => one.values(down))));
    values.set(
      up,
      joined(own.map((one) => one.values(up).map((value) => value * one.scale * one.weight))),
    );
    const rank = own.reduce((sum, one) => sum + one.rank, 0);
    const biased = own.filter((one) => one.bias);
    if (biased.length === 0) return { matrix, rank, scale: 1 };
    const sum = new Float32Array(biased[0].values(bias).length);
    for (const one of biased) {
      one.values(bias).forEach((value, i) => sum[i] += value * one.scale * one.weight);
    }
    values.set(bias, sum);
    return { matrix, rank, scale: 1, bias: true };
  });
  return { plan: { matrices }, values };
}
