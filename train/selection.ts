/**
 * What to train: a selection of a model's tensors, by name, layer and kind. Never a property of the optimiser.
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

/** Kinds of what a base has. */
export type BaseKind = "scales" | "codebooks" | "minima" | "norms" | "biases" | "dense";

/**
 * Kinds of trainable values: quantisation scales, entries of codebooks, minima or zero points of groups, gains of norms, biases,
 * unquantised matrices; and of adapters, by the name of their scheme, their tensors.
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

/** First and last layer, inclusive, or a half of the layers; of an odd number the first half has one more. */
export type LayerRange = readonly [number, number] | "first-half" | "second-half";

/** The first and last of the layers of a model that a range means. */
export function rangeOfLayers(range: LayerRange, count: number): readonly [number, number] {
  if (typeof range === "object") return range;
  const half = Math.ceil(count / 2);
  return range === "first-half" ? [0, half - 1] : [half, count - 1];
}

/** Which tensors to train, and how fine. */
export interface Selection {
  /** Kinds to train. Default `["scales"]`; of a model with an adapter that of its scheme. */
  readonly kinds?: readonly TrainableKind[];
  /** Names to train; `*` matches anything. Default: all. */
  readonly include?: readonly string[];
  /** Names not to train; `*` matches anything. Default: embedding, learned positions, token types and head. */
  readonly exclude?: readonly string[];
  /** First and last layer, inclusive; tensors outside layers are then not trained. Default: all. */
  readonly layers?: readonly [number, number];
  /** The same for single kinds, in place of `layers`. */
  readonly layersOf?: Readonly<Partial<Record<TrainableKind, LayerRange>>> | undefined;
  /** One offset of scales and minima per quantisation block, per so many columns, or per row. Default: what the optimiser wants. */
  readonly span?: OffsetSpan | number;
}

/** What is not trained where a selection does not say: patterns that everyone may write, whether or not a model has such tensors. */
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

/** Offsets as an optimiser wants them; an {@linkcode Optimiser} is one. */
export interface WantedOffsets {
  /** How an offset changes its base. */
  readonly form: OffsetForm;
  /** Columns that share one where the selection does not say. Default `"block"`. */
  readonly span?: OffsetSpan;
  /** What differs for some kinds: groups by the name of a kind. */
  readonly groups?: readonly Group[] | undefined;
  /** Says of how many blocks the gradient is exact, where others move along noise. Default: all are alike. */
  readonly estimator?: Pick<Estimator, "exactBlocks"> | undefined;
}

/** What a selection looks at. */
export type SelectableModel = Pick<ModelPlan, "config" | "tensors" | "integerMinima" | "adapter">;

/**
 * The trainables of a model that a selection names, in the form that is wanted; biases and adapters' tensors, which may be zero, are always absolute.
 *
 * @throws {RangeError} When nothing is selected, a pattern is like no name, or a tensor cannot be trained at that span, or its minima cannot be trained at all
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

/** Trainables with what their optimiser takes the gradient of: the last blocks, and what the forward reads behind them. */
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

/** What is trained where a selection does not say. */
function usualKinds({ adapter }: SelectableModel): readonly TrainableKind[] {
  const scheme = adapterSchemeNames.find((name) => name === adapter?.adapter.scheme);
  return [scheme ?? "scales"];
}

/** The group of a kind, if it has one. */
function groupOf(
  groups: readonly Group[] | undefined,
  kind: TrainableKind,
): Pick<Trainable, "group"> {
  const group = trainedGroup({ groups }, kind);
  return group ? { group } : {};
}

/** What is trained of a model's adapter: every element of its tensors, absolutely, as they may be zero. */
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

/** Refuses a pattern that no tensor's name is like: it would choose nothing without a word. */
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

/** Refuses a tensor whose minima are there but cannot be trained for themselves. */
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

/** Offsets, zero and not yet allocated, for a selection. */
export function planOffsets(
  model: SelectableModel,
  wanted: OffsetForm | WantedOffsets,
  maxBinding: number,
  selection?: Selection,
): OffsetSet {
  return new OffsetSet(selectTrainables(model, wanted, selection), maxBinding);
}

/** The patterns of tables that a model of this architecture may have. */
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
  // Never finer than the stored scales: finer offsets could not be written back. Super-blocks have some every 32 columns.
  const finest = isRelativeOnly(tensor.layout) ? 32 : tensor.groupColumns;
  if (span === "block") return Math.max(finest, tensor.groupColumns);
  return Math.min(Math.max(span, finest), tensor.columns);
}
