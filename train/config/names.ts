/**
 * Reads names and words in configurations: tasks, formats, layers and spans, in the ways people write them.
 *
 * @module
 */
import type { OffsetSpan } from "../../optim/mod.ts";
import { formatNameOf } from "../../quant/mod.ts";
import { builtInTasks } from "../../tasks/registry.ts";
import { rowForms } from "../../tasks/supervised/row_form.ts";
import { type Place, refusal, sourceOf } from "./field.ts";

/** Names of tasks that need no template. */
export const taskNames: readonly string[] = [
  ...builtInTasks.map(({ name }) => name),
  "language-modelling",
  ...rowForms,
];

/** Reads the name of a task. Known names are returned in their exact spelling; with a template, any name is allowed. */
export function readTaskName(value: unknown, place: Place): string | undefined {
  if (typeof value !== "string") return undefined;
  if (value === "") throw new RangeError(refusal(place, value, "text"));
  return taskNames.find((name) => name === value.toLowerCase()) ?? value;
}

/**
 * Reads the name of a format and returns it in its exact spelling.
 *
 * @throws {RangeError} when it is not a format; the message suggests one.
 */
export function readFormatName(value: unknown, place: Place): string | undefined {
  if (typeof value !== "string") return undefined;
  try {
    return formatNameOf(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const key = `${place.path.join(".")} in ${sourceOf(place)}`;
    throw new RangeError(`Cannot use ${key}: ${error.message.replace(/^Cannot/, "cannot")}`);
  }
}

/**
 * Words that select a layer: `"dominant"` is the layer in which outliers of activations arise, and `"sensitive"` the layer to whose offsets the
 * loss is most sensitive.
 */
export type LayerWord = "dominant" | "sensitive";

/** The values that a span can have, for messages. */
export const spans = "block, row or a number of columns";

/**
 * Reads the first and last layer, or a word that selects a layer.
 *
 * @throws {RangeError} for anything else.
 */
export function readLayers(
  value: unknown,
  place: Place,
): readonly [number, number] | LayerWord | undefined {
  const word = typeof value === "string" ? value.toLowerCase() : value;
  if (word === "dominant" || word === "sensitive") return word;
  if (typeof value !== "string" && typeof value !== "number") return undefined;
  const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value)) ?? [];
  if (first === undefined || Number(first) > Number(last)) {
    throw new RangeError(
      refusal(place, value, "a range of layers such as 0-7, dominant or sensitive"),
    );
  }
  return [Number(first), Number(last)];
}

const widestSpan = 2 ** 20;

/**
 * Reads the number of columns that share an offset.
 *
 * @throws {RangeError} for a value that is none of {@linkcode spans}.
 */
export function readSpan(value: unknown, place: Place): OffsetSpan | number | undefined {
  const word = typeof value === "string" ? value.toLowerCase() : value;
  if (word === "block" || word === "row") return word;
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  if (Number.isInteger(value) && Number(value) > 0 && Number(value) <= widestSpan) {
    return Number(value);
  }
  throw new RangeError(refusal(place, value, spans));
}
