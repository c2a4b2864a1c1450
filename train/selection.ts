/**
 * Selects what to train: a model's tensors by name, layer and kind. The selection is never a property of the optimiser.
 *
 * @module
 */

import { type DeviceTensor, OffsetSet, trainableOf } from "../kernels/mod.ts";
import type { Estimator } from "../optim/estimators/estimator.ts";
import type { OffsetForm, OffsetSpan } from "../optim/offset.ts";
import type { Trainable } from "../optim/trainable.ts";
import { type Group, trainedGroup } from "../optim/group.ts";
import { tensorId } from "../optim/directions/tensor_id.ts";
import { nearestNames } from "../quant/nearest_names.ts";
import { partName, partOf, secondPart, type TrainedPart } from "../quant/layouts/trained_part.ts";
import type { AdapterTensor } from "../models/adapters/scheme.ts";
import type { Weight } from "../models/architecture.ts";
import { type AdapterSchemeName, adapterSchemeNames } from "../models/adapters/schemes.ts";
import { weightsOf } from "../models/architectures.ts";
import type { ModelPlan } from "../models/inference/model.ts";
import { isQuantised, isRelativeOnly } from "../quant/layouts/layout.ts";
import { rulesOf } from "../quant/layouts/layout_table.ts";

/** Kinds of parameters of a base model. */
export type BaseKind = "scales" | "codebooks" | "minima" | "norms" | "biases" | "dense";

/**
 * Kinds of trainable parameters: quantisation scales, codebook entries, minima or zero points of groups, gains of norms, biases, unquantised
 * matrices and, by the name of their scheme, the tensors of adapters.
 */
export type TrainableKind = BaseKind | AdapterSchemeName;

/** All kinds. */
export const trainableKinds: readonly TrainableKind[] = [
  "scales",
  "codebooks",
  "minima",
  "norms",
  "biases",
  "dense",
  ...adapterSchemeNames,
];

/** First and last layer, inclusive, or a half of the layers. If the number of layers is odd, the first half has one more. */
export type LayerRange = readonly [number, number] | "first-half" | "second-half";

/** The first and last layer of a range, in a model with `count` layers. */
export function rangeOfLayers(range: LayerRange, count: number): readonly [number, number] {
  if (typeof range === "object") return range;
  const half = Math.ceil(count / 2);
  return range === "first-half" ? [0, half - 1] : [half, count - 1];
}

/** Which tensors to train, and how finely. */
export interface Selection {
  /** Kinds to train. Default `["scales"]`; for a model with an adapter, the kind of its scheme. */
  readonly kinds?: readonly TrainableKind[];
  /** Patterns of names to train; `*` matches anything. Default: all. */
  readonly include?: readonly string[];
  /** Patterns of names not to train; `*` matches anything. Default: embedding, learned positions, token types and head. */
  readonly exclude?: readonly string[];
  /** First and last layer, inclusive. Tensors outside layers are then not trained. Default: all. */
  readonly layers?: readonly [number, number];
  /** Layers of individual kinds, overriding `layers`. */
  readonly layersOf?: Readonly<Partial<Record<TrainableKind, LayerRange>>> | undefined;
  /** One offset of scales and minima per quantisation block, per given number of columns, or per row. Default: the optimiser's preference. */
  readonly span?: OffsetSpan | number;
}

/** Patterns of tensors that are not trained by default. They are always allowed in a selection, even if a model has no such tensors. */
const TABLES: Partial<Record<Weight["role"], string>> = {
  embedding: "token_embd.*",
  positions: "position_embd.*",
  types: "token_types.*",
  head: "output.*",
};

function matcher(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map((p) =>
    new RegExp(
      `^${p.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`,
    )
  );
  return (name) => expressions.some((e) => e.test(name));
}

/** The offsets that an optimiser requires. An {@linkcode Optimiser} satisfies this interface. */
export interface WantedOffsets {
  /** How an offset is applied to its base. */
  readonly form: OffsetForm;
  /** Number of columns that share an offset, unless the selection says otherwise. Default `"block"`. */
  readonly span?: OffsetSpan;
  /** Groups with their own settings, each named after a kind. */
  readonly groups?: readonly Group[] | undefined;
  /** Returns the number of blocks whose gradient is exact while others move along noise. Default: all move in the same way. */
  readonly estimator?: Pick<Estimator, "exactBlocks"> | undefined;
}

/** The parts of a model that a selection needs. */
export type SelectableModel = Pick<ModelPlan, "config" | "tensors" | "integerMinima" | "adapter">;

/**
 * The trainables of a model that a selection names, in the required form. Biases and the tensors of adapters, whose values may be zero, always
 * have absolute offsets.
 *
 * @throws {RangeError} when nothing is selected, a pattern matches no name, a tensor cannot be trained with that span, or its minima cannot be
 * trained.
 *
 * @example The scales of all query matrices
 * ```ts
 * import { loadModel, openGpu, openModelSource, quantizedSource, selectTrainables } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * const found = selectTrainables(model, "relative", { include: ["*.attn_q.weight"] });
 * assertEquals(found.map(({ name, count }) => `${name} ${count}`), [
 *   "blk.0.attn_q.weight 512",
 *   "blk.1.attn_q.weight 512",
 *   "blk.2.attn_q.weight 512",
 * ]);
 * ```
 */
export function selectTrainables(
  model: SelectableModel,
  wanted: OffsetForm | WantedOffsets,
  selection: Selection = {},
): Trainable[] {
  const { form: usualForm, span: usual = "block", groups, estimator }: WantedOffsets =
    typeof wanted === "string" ? { form: wanted } : wanted;
  const { kinds = usualKinds(model), include = ["*"], exclude, span = usual } = selection;
  const { layers, layersOf = {} } = selection;
  const layersFor = (kind: TrainableKind) => {
    const own = layersOf[kind];
    return own ? rangeOfLayers(own, model.config.layers) : layers;
  };
  const included = matcher(include);
  const excluded = matcher(exclude ?? []);
  assertMatching("include", selection.include, model);
  assertMatching("exclude", selection.exclude, model);
  const out: Trainable[] = [];
  for (const weight of weightsOf(model.config)) {
    const { name, role } = weight;
    const tensor = model.tensors.get(name)!;
    const isLeft = exclude ? excluded(name) : TABLES[role] !== undefined;
    if (!included(name) || isLeft) continue;
    const add = (part: TrainedPart, kind: TrainableKind) => {
      if (!kinds.includes(kind) || !inLayers(weight, layersFor(kind))) return;
      const form = groups?.find((one) => one.name === kind)?.form ?? usualForm;
      out.push({
        ...trainableOf(
          tensor,
          tensorId(partName(name, part)),
          kind === "biases" ? "absolute" : form,
          columnsOf(tensor, span),
          part,
        ),
        ...groupOf(groups, kind),
        layer: weight.layer,
        part: weight.part,
      });
    };
    add("scales", kindOf(tensor, role));
    const second = secondPart(tensor.layout);
    if (kinds.includes("minima") && inLayers(weight, layersFor("minima"))) {
      assertMinima(tensor, model);
    }
    if (second) add(second, second === "codebook" ? "codebooks" : second);
  }
  out.push(
    ...adapterTrainables(
      model,
      kinds,
      (tensor, kind) =>
        included(tensor.name) && !excluded(tensor.name) &&
        inLayers(tensor, layersFor(kind)),
      groups,
    ),
  );
  if (out.length === 0) {
    throw new RangeError(
      `Cannot select what to train: no tensor has kind ${kinds.join(" or ")}, a name like ${
        include.join(" or ")
      } and not like ${(exclude ?? tablesOf(model)).join(" or ")}${
        layers ? `, in layers ${layers.join(" to ")}` : ""
      }`,
    );
  }
  return withExact(out, model, estimator);
}

/** Marks the trainables whose gradient the optimiser takes: the last blocks, and everything that the forward pass reads after them. */
function withExact(
  trainables: readonly Trainable[],
  { config }: SelectableModel,
  { exactBlocks }: NonNullable<WantedOffsets["estimator"]> = {},
): Trainable[] {
  if (!exactBlocks) return [...trainables];
  const from = config.layers - exactBlocks(config.layers);
  const weights = weightsOf(config);
  const behind = weights.slice(weights.findLastIndex(({ layer }) => layer !== undefined) + 1);
  const names = new Set(behind.map(({ name }) => name));
  const isExact = ({ name, layer }: Trainable) =>
    layer === undefined ? names.has(partOf(name).tensor) : layer >= from;
  return trainables.map((one) => isExact(one) ? { ...one, exact: true } : one);
}

/** The kinds that are trained by default. */
function usualKinds({ adapter }: SelectableModel): readonly TrainableKind[] {
  const scheme = adapterSchemeNames.find((name) => name === adapter?.adapter.scheme);
  return [scheme ?? "scales"];
}

/** The group of a kind, or undefined. */
function groupOf(
  groups: readonly Group[] | undefined,
  kind: TrainableKind,
): Pick<Trainable, "group"> {
  const group = trainedGroup({ groups }, kind);
  return group ? { group } : {};
}

/** The trainables of a model's adapter: every element of its tensors, in absolute form because values may be zero. */
function adapterTrainables(
  { tensors, adapter }: SelectableModel,
  kinds: readonly TrainableKind[],
  isWanted: (tensor: AdapterTensor, kind: AdapterSchemeName) => boolean,
  groups: readonly Group[] | undefined,
): Trainable[] {
  const wanted = adapterSchemeNames.filter((name) => kinds.includes(name));
  const missing = wanted.find((name) => name !== adapter?.adapter.scheme);
  if (missing !== undefined) {
    throw new RangeError(
      `Cannot train kind ${missing}: ${
        adapter ? `the model's adapter is ${adapter.adapter.scheme}` : "the model has no adapter"
      }; add one with model.withAdapter, or in a configuration with scheme: ${missing}`,
    );
  }
  if (!adapter || wanted.length === 0) return [];
  const [kind] = wanted;
  const trained = [...adapter.tensors.values()].filter((tensor) => isWanted(tensor, kind));
  return trained.map(({ name, layer, part }) => ({
    ...trainableOf(tensors.get(name)!, tensorId(name), "absolute", 1),
    ...groupOf(groups, kind),
    layer,
    part,
  }));
}

/** Rejects a pattern that matches no tensor's name, because it would silently select nothing. */
function assertMatching(
  key: "include" | "exclude",
  patterns: readonly string[] | undefined,
  { config, adapter }: SelectableModel,
): void {
  if (patterns === undefined) return;
  const names = [
    ...weightsOf(config).map(({ name }) => name),
    ...adapter?.tensors.keys() ?? [],
  ];
  for (const pattern of patterns) {
    if (names.some(matcher([pattern])) || Object.values(TABLES).includes(pattern)) continue;
    const [nearest] = nearestNames(pattern, names, 1);
    throw new RangeError(
      `Cannot select what to train: no tensor has a name like ${key} ${JSON.stringify(pattern)}${
        nearest === undefined
          ? `; names look like ${names[1] ?? names[0]}`
          : `; did you mean "${nearest}"?`
      }`,
    );
  }
}

/** Rejects a tensor whose minima exist but cannot be trained separately. */
function assertMinima(
  { name, layout }: DeviceTensor,
  { integerMinima }: Pick<ModelPlan, "integerMinima">,
): void {
  const refuse = (why: string) =>
    new RangeError(
      `Cannot train the minima or zero points of "${name}": ${why}; leave out kind minima, or exclude the tensor`,
    );
  if (integerMinima.has(name)) {
    throw refuse("its file stores them as integers, which cannot represent trained values");
  }
  const why = rulesOf(layout).whyMinimaStay(layout);
  if (why !== undefined) throw refuse(why);
}

/**
 * Creates zero offsets for a selection, not yet allocated.
 *
 * @example Scales and norms of the last layer
 * ```ts
 * import { loadModel, openGpu, openModelSource, planOffsets, quantizedSource } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * const selection = { kinds: ["scales", "norms"], layers: [2, 2] } as const;
 * using offsets = planOffsets(model, "relative", gpu.maxBinding, selection).allocate(gpu);
 * assertEquals([offsets.trainables.length, offsets.scalars], [9, 4864]);
 * ```
 */
export function planOffsets(
  model: SelectableModel,
  wanted: OffsetForm | WantedOffsets,
  maxBinding: number,
  selection?: Selection,
): OffsetSet {
  return new OffsetSet(selectTrainables(model, wanted, selection), maxBinding);
}

/** The patterns of tables that models of this architecture can have. */
function tablesOf({ config }: SelectableModel): string[] {
  const roles = new Set(weightsOf({ ...config, tiedHead: false }).map(({ role }) => role));
  return [...roles].flatMap((role) => TABLES[role] ?? []);
}

function kindOf({ layout }: DeviceTensor, role: Weight["role"]): TrainableKind {
  if (isQuantised(layout)) return "scales";
  if (role === "bias") return "biases";
  return role === "norm" ? "norms" : "dense";
}

function inLayers(
  { layer }: Pick<Weight | AdapterTensor, "layer">,
  layers: readonly [number, number] | undefined,
): boolean {
  if (!layers) return true;
  return layer !== undefined && layer >= layers[0] && layer <= layers[1];
}

function columnsOf(tensor: DeviceTensor, span: OffsetSpan | number): number {
  if (span === "row") return tensor.columns;
  // Never finer than the stored scales, because finer offsets could not be written back. Super-blocks have one every 32 columns.
  const finest = isRelativeOnly(tensor.layout) ? 32 : tensor.groupColumns;
  if (span === "block") return Math.max(finest, tensor.groupColumns);
  return Math.min(Math.max(span, finest), tensor.columns);
}
