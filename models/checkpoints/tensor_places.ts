/**
 * Ensures that no tensor of a file is ignored silently: it is requested when the model is opened, or a rule here says why it is left out (and a note
 * reports it), or the file is rejected with the tensor's name.
 *
 * @module
 */

import type { ModelConfig } from "../model_config.ts";
import type { FolderNames } from "./folder_names.ts";
import { bytesOf } from "./hugging_face/stored_planes.ts";
import type { StoredTensorPlace } from "./hugging_face/stored_tensors.ts";

/** The tensors of a folder, with a record of which have been requested. */
export class ClaimedTensors extends Map<string, StoredTensorPlace> {
  readonly #claimed = new Set<string>();
  /** Whether there are settings that describe how some of them are quantised. */
  isQuantised = false;

  /** Returns the place of a tensor and marks it as requested. */
  override get(name: string): StoredTensorPlace | undefined {
    this.#claimed.add(name);
    return super.get(name);
  }

  /** Whether a tensor of this name has been requested. */
  isClaimed(name: string): boolean {
    return this.#claimed.has(name);
  }

  /** Names that have not been requested, in the order of the files. */
  get unclaimed(): string[] {
    return [...this.keys()].filter((name) => !this.#claimed.has(name));
  }
}

/** What to do with tensors that the forward pass does not use. */
interface Rule {
  readonly matches: (name: string, config: ModelConfig, names: FolderNames) => boolean;
  /** For a note: what is left out and why. `""` if no note is needed. */
  readonly leftOut?: string;
  /** For an error: what the tensors are, and what to do. */
  readonly refused?: string;
}

/** Patterns that explain why other tensors are missing. They are checked first. */
const OTHER_MODELS: readonly { readonly pattern: RegExp; readonly refused: string }[] = [
  {
    pattern: /(^|\.)(lora_\w+|base_layer|modules_to_save|original_module)(\.|$)/,
    refused:
      "tensors of an adapter (LoRA) that was not merged into the weights. Merge it (PEFT: merge_and_unload) and save the model again",
  },
  {
    pattern: /^(score|classifier|qa_outputs|v_head|value_head|reward_head|regression_head)\./,
    refused:
      "the head of a classifier or reward model, which is not a language model. Save the language model alone",
  },
];

/** Maximum number of characters of a name in a message. */
const LONGEST = 200;

const OF_ACTIVATIONS = /\.(input|output|q|k|v)_(scale|zero_point|global_scale)$/;
const ABOUT_HQQ =
  /\.(nbits|view_as_float|unpack_view_dtype|compute_dtype|channel_wise|optimize|round_zero|offload_meta|stores_quant_config|encoded_state_dict)$/;
const PLANE =
  /\.(qweight|qzeros|scales?|zero|g_idx|SCB|weight_format|(nested_)?(absmax|quant_map)|quant_state\.\w+|weight_(packed|shape|scale|scale_inv|zero_point|g_idx)|_weight_\w+|W_q|codes|codebooks?)$/;

/** The first matching rule applies. */
const RULES: readonly Rule[] = [
  {
    matches: (name) => /(^|\.)rotary_emb\.\w+$/.test(name),
    leftOut: "tables of rotary frequencies, which are recomputed, as in transformers",
  },
  {
    matches: (name, { layers }, { layerOf }) => (layerOf(name) ?? -1) >= layers,
    leftOut: "", // noted by layers_left_out.ts
  },
  {
    matches: (name, { tiedHead }, { head }) =>
      tiedHead && head !== undefined && moduleOf(name) === moduleOf(head),
    leftOut: "the head, which tie_word_embeddings ties to the embedding",
  },
  {
    matches: (name) => OF_ACTIVATIONS.test(name),
    leftOut: "scales of activations, which are not quantised here",
  },
  { matches: (name) => ABOUT_HQQ.test(name), leftOut: "" },
  {
    matches: (name) => /\.bias$/.test(name),
    refused: "biases that this architecture does not have",
  },
  {
    matches: (name) => PLANE.test(name),
    refused:
      "planes of quantised tensors that the quantization settings do not account for: the module is missing, dense, or of another method",
  },
  {
    matches: () => true,
    refused:
      "tensors that the architecture does not have, and leaving them out would change the model",
  },
];

/**
 * Returns notes about tensors that are left out.
 *
 * @throws {RangeError} when there are tensors without a place. The message names the first of them, and gives their number and what they are.
 */
export async function notesOfUnclaimed(
  what: string,
  tensors: ClaimedTensors,
  config: ModelConfig,
  names: FolderNames,
): Promise<string[]> {
  const unclaimed: string[] = [];
  for (const name of tensors.unclaimed) {
    // Symmetric schemes may store zero points that are all zero.
    const isOfScales = /\.weight_zero_point$/.test(name) &&
      tensors.isClaimed(name.replace(/zero_point$/, "scale"));
    if (!(isOfScales && await isAllZeros(tensors.get(name)!))) unclaimed.push(name);
  }
  const ofArchitecture = names.leftOut.map(({ pattern, what }) => ({
    what,
    found: unclaimed.filter((name) => pattern.test(name)),
  }));
  const left = new Set(ofArchitecture.flatMap(({ found }) => found));
  const groups = Map.groupBy(
    unclaimed.filter((name) => !left.has(name)),
    (name) => RULES.find(({ matches }) => matches(name, config, names))!,
  );
  // Rules that explain most come first.
  for (const rule of RULES) {
    const found = groups.get(rule);
    if (found && rule.refused) throw new RangeError(refusal(what, found, rule.refused));
  }
  return [
    ...ofArchitecture.flatMap(({ what, found }) => leftOut(what, found)),
    ...RULES.flatMap((rule) => leftOut(rule.leftOut ?? "", groups.get(rule) ?? [])),
  ];
}

/**
 * Rejects other kinds of models, which would otherwise be reported as missing tensors.
 *
 * @throws {RangeError} as {@linkcode notesOfUnclaimed} does.
 */
export function refuseOtherModels(what: string, names: Iterable<string>): void {
  const all = [...names];
  for (const { pattern, refused } of OTHER_MODELS) {
    const found = all.filter((name) => pattern.test(name));
    if (found.length > 0) throw new RangeError(refusal(what, found, refused));
  }
}

/**
 * What exists in place of a missing tensor, for the error message: planes of the same module, or names that the architecture does not know.
 *
 * @param module The module whose weight is missing.
 */
export function strangers(
  module: string,
  tensors: ClaimedTensors,
  config: ModelConfig,
  names: FolderNames,
): string {
  const planes = [...tensors.keys()].filter((name) => name.startsWith(`${module}.`));
  if (planes.some((name) => PLANE.test(name))) {
    return `; it has ${few(planes)}, planes of a quantised tensor${
      tensors.isQuantised
        ? " in a different form from what the quantization settings say, or with planes missing"
        : ", and no settings that say how: config.json has no quantization_config, and there is no quantize_config.json or quant_config.json. Copy them from where the model comes from"
    }`;
  }
  const known = new Set([...names.weights.keys()].map(moduleOf));
  const unknown = tensors.unclaimed.filter((name) => !known.has(moduleOf(name)));
  return unknown.length === 0
    ? ""
    : `; it has tensors that the architecture "${config.architecture}" does not know: ${
      few(unknown)
    }`;
}

/** A tensor's name without its last component. */
function moduleOf(name: string): string {
  return name.replace(/\.\w+$/, "");
}

/** A note, or none if `why` or `names` is empty. */
export function leftOut(why: string, names: readonly string[]): string[] {
  return why === "" || names.length === 0 ? [] : [`Left out: ${few(names)}: ${why}.`];
}

/** The first three names, and the number of the others. */
export function few(names: readonly string[]): string {
  const short = (name: string) => name.length > LONGEST ? `${name.slice(0, LONGEST)}…` : name;
  const first = names.slice(0, 3).map((name) => `"${short(name)}"`).join(", ");
  return names.length > 3 ? `${first} and ${names.length - 3} more` : first;
}

function refusal(what: string, names: readonly string[], why: string): string {
  return `Cannot load "${what}": it contains ${few(names)}: ${why}`;
}

async function isAllZeros(place: StoredTensorPlace): Promise<boolean> {
  return (await bytesOf(place)).every((byte) => byte === 0);
}
