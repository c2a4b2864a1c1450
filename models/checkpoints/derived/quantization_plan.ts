/**
 * Which tensors do not get the requested format when a model is quantised, and why.
 *
 * @module
 */
import type { FormatName } from "../../../quant/formats/format_name.ts";
import {
  formatChoice,
  type FormatReason,
  type PlanOptions,
} from "../../../quant/formats/choose_format.ts";
import type { ModelSource, TensorSource } from "../checkpoint.ts";
import { formatSubject, kindOf } from "../tensor_kind.ts";
import { isQuantised } from "../../../quant/layouts/layout.ts";

/** The requested formats. */
export interface WantedFormats extends PlanOptions {
  /** Format of the matrices. */
  readonly format: FormatName;
}

/** The outcome of quantisation for one tensor. */
export interface TensorQuantization {
  /** Name of its new format. */
  readonly format: string;
  /** Why it is not the requested format. Undefined if it is. */
  readonly reason?: FormatReason | "quantised";
  /** The number that the columns must be a multiple of, if that is the reason. */
  readonly multiple?: number;
}

/**
 * The outcome of quantisation for a tensor. Tensors that are already quantised are kept.
 *
 * @throws {RangeError} for a format name that is not in the table.
 */
export function quantizationOf(
  tensor: TensorSource,
  options: WantedFormats,
): TensorQuantization {
  const { format } = tensor;
  if (isQuantised(format.layout)) return { format: format.name, reason: "quantised" };
  return formatChoice(formatSubject(tensor), options.format, options);
}

/** Why a tensor does not get the requested format, in a few words for a table. "" if it does. */
export function quantizationReason(
  tensor: TensorSource,
  options: WantedFormats,
): string {
  const { reason, multiple } = quantizationOf(tensor, options);
  return reason === undefined ? "" : {
    embedding: "the embedding",
    positions: "learned positions",
    head: "the head",
    vector: "a vector",
    kept: "kept",
    columns: `${tensor.columns} columns, not a multiple of ${multiple}`,
    override: "its values",
    quantised: "quantised already",
  }[reason];
}

/**
 * Sentences about matrices that do not get the requested format: rows that do not fit its blocks, names to keep, and tensors already quantised.
 * Embedding and head (which have their own option, `--embedding`), learned positions and vectors are not mentioned.
 */
export function quantizationNotes(source: ModelSource, options: WantedFormats): string[] {
  const matrices = [...source.tensors.values()].filter((tensor) => kindOf(tensor) === "matrix");
  const whys = matrices.map((tensor) => ({ tensor, ...quantizationOf(tensor, options) }));
  const groups = Map.groupBy(
    whys.filter(({ reason }) => reason !== undefined && reason !== "override"),
    ({ tensor, reason, format }) =>
      `${reason} ${format} ${reason === "columns" ? tensor.columns : ""}`,
  );
  return [...groups.values()].map((group) => {
    const [{ tensor, format, reason, multiple }] = group;
    const one = group.length === 1;
    const count = `${group.length} of ${matrices.length} matrices`;
    const names = namesOf(group.map((it) => it.tensor.name));
    if (reason === "quantised") {
      return `${count} ${one ? "is" : "are"} already quantised and ${
        one ? "stays" : "stay"
      } ${format} instead of becoming ${options.format}: ${names}`;
    }
    const why = reason === "kept"
      ? `${one ? "its name is" : "their names are"} listed to be kept`
      : `rows of ${tensor.columns} columns are not a multiple of its blocks of ${multiple}`;
    return `${count} ${
      one ? "becomes" : "become"
    } ${format} instead of ${options.format}, because ${why}: ${names}`;
  });
}

/**
 * Rejects a model that is already quantised, because quantising it again would add a second rounding error.
 *
 * @throws {RangeError} with the number of tensors of each format.
 */
export function assertNotQuantized(source: ModelSource, hint: string): void {
  const formats = new Map<string, number>();
  for (const { format } of source.tensors.values()) {
    if (!isQuantised(format.layout)) continue;
    formats.set(format.name, (formats.get(format.name) ?? 0) + 1);
  }
  if (formats.size === 0) return;
  const counts = [...formats].map(([format, count]) => `${count} ${format}`).join(", ");
  throw new RangeError(
    `Cannot quantise "${source.name}": it is already quantised (tensors: ${counts}), and quantising it again would add a second error. ${hint}`,
  );
}

function namesOf(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
