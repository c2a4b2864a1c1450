/**
 * What the f64 oracle says of a model with an adapter that is a change of its matrices: the base's weights with the adapter multiplied out.
 *
 * @module
 */
import type { Ia3Plan, Model } from "../../models/mod.ts";
import { seen, type SeenAdapter, withLora } from "./lora_oracle.ts";

/** The base's weights with IA3 multiplied out: rows of a matrix and its bias, or columns, times the vector as a branch sees it. */
export function withIa3(
  weights: Readonly<Record<string, Float64Array>>,
  model: Model,
  view: SeenAdapter = {},
): Record<string, Float64Array> {
  const merged: Record<string, Float64Array> = { ...weights };
  for (const { matrix, scales } of (model.adapter!.adapter.plan as Ia3Plan).vectors) {
    const l = seen(model, `${matrix}.ia3`, view);
    const own = weights[matrix];
    if (scales === "input") {
      merged[matrix] = own.map((w, i) => w * l[i % l.length]);
      continue;
    }
    const columns = own.length / l.length;
    merged[matrix] = own.map((w, i) => w * l[Math.floor(i / columns)]);
    const bias = matrix.replace(/weight$/, "bias");
    if (weights[bias]) merged[bias] = weights[bias].map((b, i) => b * l[i]);
  }
  return merged;
}

/** The base's weights with the model's adapter, whatever its scheme, multiplied out. */
export function withMerged(
  weights: Readonly<Record<string, Float64Array>>,
  model: Model,
  view: SeenAdapter = {},
): Record<string, Float64Array> {
  return model.adapter!.adapter.scheme === "ia3"
    ? withIa3(weights, model, view)
    : withLora(weights, model, view);
}
