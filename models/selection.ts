/**
 * What to train: a selection of a model's tensors, by name, layer and kind. Never a property of the optimiser.
 *
 * @module
 */

import { type DeviceTensor, OffsetSet, type Trainable, trainableOf } from "../kernels/mod.ts";
import type { OffsetForm } from "../optim/offset.ts";
import { tensorId } from "../optim/tensor_id.ts";
import { architectureOf } from "./architectures.ts";
import type { ModelPlan } from "./model.ts";

/** Kinds of trainable values: quantisation scales, gains of norms, biases, unquantised matrices. */
export type TrainableKind = "scales" | "norms" | "biases" | "dense";

/** Which tensors to train, and how fine. */
export interface Selection {
  /** Kinds to train. Default `["scales"]`. */
  readonly kinds?: readonly TrainableKind[];
  /** Names to train; `*` matches anything. Default: all. */
  readonly include?: readonly string[];
  /** Names not to train; `*` matches anything. Default: the embedding and the head. */
  readonly exclude?: readonly string[];
  /** First and last layer, inclusive; tensors outside layers are then not trained. Default: all. */
  readonly layers?: readonly [number, number];
  /** One offset per quantisation block, per so many columns, or per row. Default `"block"`. */
  readonly span?: "block" | "row" | number;
}

const OUTSIDE_LAYERS = ["token_embd.*", "output.*"];

function matcher(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map((p) =>
    new RegExp(
      `^${p.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`,
    )
  );
  return (name) => expressions.some((e) => e.test(name));
}

/**
 * The trainables of a model that a selection names, with dense ones (norms, biases, matrices) always absolute and scales in `form`.
 *
 * @throws {RangeError} When nothing is selected, or a tensor cannot be trained at that span
 */
export function selectTrainables(
  model: Pick<ModelPlan, "config" | "tensors">,
  form: OffsetForm,
  selection: Selection = {},
): Trainable[] {
  const { kinds = ["scales"], include = ["*"], exclude = OUTSIDE_LAYERS, layers, span = "block" } =
    selection;
  const included = matcher(include);
  const excluded = matcher(exclude);
  const out: Trainable[] = [];
  for (const shape of architectureOf(model.config).weights(model.config)) {
    const tensor = model.tensors.get(shape.name)!;
    if (!kinds.includes(kindOf(tensor, shape.kind))) continue;
    if (!included(shape.name) || excluded(shape.name) || !inLayers(shape.name, layers)) continue;
    const dense = tensor.layout.kind === "dense";
    out.push(
      trainableOf(tensor, tensorId(shape.name), dense ? "absolute" : form, columnsOf(tensor, span)),
    );
  }
  if (out.length === 0) {
    throw new RangeError(
      `Cannot select what to train: no tensor has kind ${kinds.join(" or ")}, a name like ${
        include.join(" or ")
      } and not like ${exclude.join(" or ")}${layers ? `, in layers ${layers.join(" to ")}` : ""}`,
    );
  }
  return out;
}

/** Offsets, zero and not yet allocated, for a selection. */
export function planOffsets(
  model: Pick<ModelPlan, "config" | "tensors">,
  form: OffsetForm,
  maxBinding: number,
  selection?: Selection,
): OffsetSet {
  return new OffsetSet(selectTrainables(model, form, selection), maxBinding);
}

function kindOf(tensor: DeviceTensor, kind: string): TrainableKind {
  if (tensor.layout.kind !== "dense") return "scales";
  if (tensor.name.endsWith(".bias")) return "biases";
  return kind === "norm" ? "norms" : "dense";
}

function inLayers(name: string, layers: readonly [number, number] | undefined): boolean {
  if (!layers) return true;
  const layer = /^blk\.(\d+)\./.exec(name);
  return layer !== null && Number(layer[1]) >= layers[0] && Number(layer[1]) <= layers[1];
}

function columnsOf(tensor: DeviceTensor, span: "block" | "row" | number): number {
  if (span === "row") return tensor.columns;
  const { kind } = tensor.layout;
  if (span === "block" && kind !== "column") return tensor.groupColumns;
  // Never finer than the stored scales: finer offsets could not be written back. Super-blocks have some every 32 columns.
  const finest = kind === "super" || kind === "column" ? 32 : tensor.groupColumns;
  if (span === "block") return finest;
  return Math.min(Math.max(span, finest), tensor.columns);
}
