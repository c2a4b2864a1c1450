/**
 * Chooses the format of each tensor when a model is quantised.
 *
 * @module
 */

import type { FormatName } from "./format_name.ts";
import { formatByName } from "./formats.ts";
import { nearestNames } from "../nearest_names.ts";
import { isQuantised } from "../layouts/layout.ts";

/** Formats for the tensors that do not get the requested format. */
export interface PlanOptions {
  /** Format of the token embedding. Default "F16". */
  readonly embedding?: FormatName;
  /** Format of the output head, if it is a separate tensor. Default: that of the embedding. */
  readonly head?: FormatName;
  /**
   * Format of matrices that the requested format cannot hold. Default, as in llama.cpp: for a format with blocks of
   * 256, a similar one with blocks of 32 (`Q5_0` for `Q4_K`); otherwise "F16".
   */
  readonly fallback?: FormatName;
  /** Format of norms, biases and other vectors. Default "F32". */
  readonly vectors?: FormatName;
  /** Tensors whose name contains one of these strings get the fallback format. Default none. */
  readonly keep?: readonly string[];
  /** Formats of individual tensors by name. They take precedence over everything else. Default none. */
  readonly overrides?: ReadonlyMap<string, string>;
}

/** The formats that llama.cpp uses (`llama_tensor_get_type` in src/llama-quant.cpp) when a row is not a multiple of 256. */
const SMALLER_BLOCKS: Readonly<Record<string, string>> = {
  Q2_K: "IQ4_NL",
  Q3_K: "IQ4_NL",
  IQ4_XS: "IQ4_NL",
  IQ1_S: "IQ4_NL",
  IQ1_M: "IQ4_NL",
  IQ2_XXS: "IQ4_NL",
  IQ2_XS: "IQ4_NL",
  IQ2_S: "IQ4_NL",
  IQ3_XXS: "IQ4_NL",
  IQ3_S: "IQ4_NL",
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
  TQ1_0: "Q4_0",
  TQ2_0: "Q4_0",
};

/** The role of a tensor in its model. */
export type TensorKind = "embedding" | "positions" | "head" | "vector" | "matrix";

/** The properties of a tensor that determine its format. */
export interface FormatSubject {
  /** Name, matched against options that name tensors. */
  readonly name: string;
  /** Role in the model. */
  readonly kind: TensorKind;
  /** Input features. */
  readonly columns: number;
}

/**
 * Guesses the role of a tensor in an unknown model from its name and rows. A tensor with one row, or with "norm" or
 * "bias" in its name, is a vector.
 *
 * @example GGUF and Hugging Face names
 * ```ts
 * import { tensorKind } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(tensorKind("token_embd.weight", 4096), "embedding");
 * assertEquals(tensorKind("position_embd.weight", 2050), "positions");
 * assertEquals(tensorKind("lm_head.weight", 4096), "head");
 * assertEquals(tensorKind("model.layers.0.input_layernorm.weight", 1), "vector");
 * assertEquals(tensorKind("blk.0.attn_q.weight", 256), "matrix");
 * ```
 */
export function tensorKind(name: string, rows: number): TensorKind {
  if (rows === 1 || /norm|(^|[._])bias$/i.test(name)) return "vector";
  if (/(^|\.)(position_embd|embed_positions|wpe|position_embeddings)(\.|$)/.test(name)) {
    return "positions";
  }
  if (/(^|\.)(token_embd|embed_tokens|wte|tok_embeddings)(\.|$)/.test(name)) return "embedding";
  // llama2.c and GGUF call the head "output", and GGUF attention outputs "attn_output".
  return /^((model|transformer)\.)?(lm_head|output)(\.|$)/.test(name) ? "head" : "matrix";
}

/**
 * Rejects strings in `keep` that match no tensor, or every tensor because they are empty.
 *
 * @param keep Parts of names, as in {@linkcode PlanOptions.keep}.
 * @param names Names of all tensors.
 * @throws {RangeError} naming the string, when it is empty or no name contains it.
 */
export function assertKept(keep: readonly string[] | undefined, names: readonly string[]): void {
  for (const part of keep ?? []) {
    if (part.trim() === "") {
      throw new RangeError(
        `Cannot keep ${JSON.stringify(part)} unquantised: every name contains it; leave it out`,
      );
    }
    if (names.some((name) => name.includes(part))) continue;
    const pieces = [...new Set(names.flatMap((name) => [name, ...name.split(".")]))];
    const [nearest] = nearestNames(part, pieces.filter((piece) => !/^\d+$/.test(piece)), 1);
    throw new RangeError(
      `Cannot keep ${JSON.stringify(part)} unquantised: no tensor name contains it${
        nearest === undefined ? `; names look like ${names[0]}` : `; did you mean "${nearest}"?`
      }`,
    );
  }
}

/**
 * The name of the format for one tensor: `wanted` for projections whose columns it can hold, the formats given in the
 * options for embedding, head and vectors, and the fallback for the rest.
 *
 * @param wanted The requested format.
 * @throws {RangeError} for a format name that is not in the table.
 *
 * @example What stays unquantised
 * ```ts
 * import { chooseFormat } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const matrix = { name: "blk.0.ffn_up.weight", kind: "matrix", columns: 256 } as const;
 * assertEquals(chooseFormat(matrix, "Q4_0"), "Q4_0");
 * assertEquals(chooseFormat({ ...matrix, kind: "vector" }, "Q4_0"), "F32");
 * assertEquals(chooseFormat({ ...matrix, kind: "embedding" }, "Q4_0", { embedding: "Q8_0" }), "Q8_0");
 * assertEquals(chooseFormat({ ...matrix, columns: 172 }, "Q4_0"), "F16");
 * ```
 */
export function chooseFormat(
  tensor: FormatSubject,
  wanted: string,
  options: PlanOptions = {},
): string {
  return formatChoice(tensor, wanted, options).format;
}

/** Why a tensor does not get the requested format. */
export type FormatReason =
  | "embedding"
  | "positions"
  | "head"
  | "vector"
  | "kept"
  | "columns"
  | "override";

/** The format of a tensor, and the reason if it is not the requested one. */
export interface FormatChoice {
  /** Name of the format. */
  readonly format: string;
  /** Why it is not the requested format. Undefined if it is. */
  readonly reason?: FormatReason;
  /** The number that the columns must be a multiple of, if that is the reason. */
  readonly multiple?: number;
}

/**
 * As {@linkcode chooseFormat}, with the reason.
 *
 * @throws {RangeError} for a format name that is not in the table.
 *
 * @example Rows that do not fill whole blocks
 * ```ts
 * import { formatChoice } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const choice = formatChoice({ name: "w", kind: "matrix", columns: 160 }, "Q4_K");
 * assertEquals(choice, { format: "Q5_0", reason: "columns", multiple: 256 });
 * ```
 */
export function formatChoice(
  { name, kind, columns }: FormatSubject,
  wanted: string,
  options: PlanOptions = {},
): FormatChoice {
  const single = options.overrides?.get(name);
  if (single !== undefined) {
    const format = formatByName(single).name;
    return format === wanted ? { format } : { format, reason: "override" };
  }
  const { embedding = "F16", head = embedding, vectors = "F32" } = options;
  const kept = kind !== "vector" && (options.keep?.some((part) => name.includes(part)) ?? false);
  const chosen = kept
    ? options.fallback ?? "F16"
    // Learned positions are added to embeddings; no program quantises them.
    : { embedding, positions: "F16", head, vector: vectors, matrix: wanted }[kind];
  const { layout, gguf } = formatByName(chosen);
  const multiple = isQuantised(layout) ? gguf?.blockElements ?? 32 : 1;
  if (columns % multiple === 0) {
    if (chosen === wanted) return { format: chosen };
    return { format: chosen, reason: kept || kind === "matrix" ? "kept" : kind };
  }
  const near = columns % 32 === 0 ? SMALLER_BLOCKS[chosen] : undefined;
  const format = formatByName(options.fallback ?? near ?? "F16").name;
  return { format, reason: "columns", multiple };
}
