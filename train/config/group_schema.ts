/**
 * The section `groups` of a configuration: form, epsilon, learning rate and layers for individual kinds of trained parameters.
 *
 * @module
 */
import { offsetForms } from "../../optim/offset.ts";
import type { GroupOptions } from "../../optim/group.ts";
import { type LayerRange, type TrainableKind, trainableKinds } from "../selection.ts";
import { choice, custom, type Field, number, refusal, section, sourceOf } from "./field.ts";
import { readLayers } from "./names.ts";
import type { Place } from "./field.ts";

/** Settings for one kind of parameters. Undefined settings follow the optimiser and the selection. */
export interface GroupConfig extends GroupOptions {
  /** First and last layer, or a half of the layers. */
  readonly layers?: LayerRange | undefined;
}

/** Groups by kind of trained parameters. */
export type GroupsConfig = { readonly [Kind in TrainableKind]?: GroupConfig };

const halves = ["first-half", "second-half"] as const;
const layerWords = "layers, 0-7 or 3, first-half or second-half";

function readGroupLayers(value: unknown, place: Place): LayerRange | undefined {
  const half = halves.find((one) => one === value);
  if (half) return half;
  const layers = readLayers(value, place);
  if (layers === undefined || typeof layers === "object") return layers;
  throw new RangeError(refusal(place, value, layerWords));
}

const fields: { readonly [Name in keyof GroupConfig]-?: Field<GroupConfig[Name]> } = {
  epsilon: number("size of the perturbation; the optimiser's, or its default for adapters", {
    min: 1e-18,
    max: 1,
  }),
  learningRate: number("peak learning rate; the optimiser's, or its default for adapters", {
    min: 0,
    max: 1000,
    above: true,
  }),
  form: choice("base + offset, or base * (1 + offset); the optimiser's if not given", offsetForms),
  layers: custom(
    "layers to train of this kind; those of trainables.layers if not given",
    layerWords,
    readGroupLayers,
  ),
};

/** The section, with a subsection for each kind. */
export const groupsSection: Field<GroupsConfig> = section<Required<GroupsConfig>>(
  "What differs for one kind of parameters",
  Object.fromEntries(
    trainableKinds.map((kind) => [kind, section<GroupConfig>(`What differs for ${kind}`, fields)]),
  ) as never,
);

/** Whether any setting of a group was given. */
export function isGiven(group: GroupConfig | undefined): group is GroupConfig {
  return group !== undefined && Object.values(group).some((value) => value !== undefined);
}

/** Rejects groups of kinds that are not trained, because they would have no effect. */
export function assertGroupsTrained(
  groups: GroupsConfig,
  kinds: readonly TrainableKind[],
  { file, sources }: Place,
): void {
  const stray = trainableKinds.find((kind) => isGiven(groups[kind]) && !kinds.includes(kind));
  if (stray === undefined) return;
  const path = ["groups", stray];
  throw new RangeError(
    `Cannot use groups.${stray} in ${sourceOf({ file, sources, path })}: what is trained is ${
      kinds.join(", ")
    }; add ${stray} to trainables.kinds`,
  );
}
