/**
 * Names and words in configurations as people write them: of tasks, formats, layers and spans.
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

/** A name of a task: of the known ones in their spelling; with a template it may be any. */
export function readTaskName(value: unknown, place: Place): string | undefined {
  if (typeof value !== "string") return undefined;
  if (value === "") throw new RangeError(refusal(place, value, "text"));
  return taskNames.find((name) => name === value.toLowerCase()) ?? value;
}

/** The exact name of a format. @throws {RangeError} For none, with what to take */
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

/** Words for a layer: the one where outliers of activations arise, the one whose offsets the loss is steepest along. */
export type LayerWord = "dominant" | "sensitive";

/** What a span may be. */
export const spans = "block, row or a number of columns";

/** First and last layer, or the word for one. @throws {RangeError} For neither */
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

/** Columns that share an offset. @throws {RangeError} For none of {@linkcode spans} */
export function readSpan(value: unknown, place: Place): OffsetSpan | number | undefined {
  const word = typeof value === "string" ? value.toLowerCase() : value;
  if (word === "block" || word === "row") return word;
  if (typeof value !== "number" && typeof value !== "string") return undefined;
  if (Number.isInteger(value) && Number(value) > 0 && Number(value) <= widestSpan) {
    return Number(value);
  }
  throw new RangeError(refusal(place, value, spans));
}
