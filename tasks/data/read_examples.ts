/**
 * Data files as rows: JSON, tab- or comma-separated tables, `label text` lines and plain text. Pure functions over
 * text; reading the file is the caller's.
 *
 * @module
 */
import { assertOptions } from "../../optim/options.ts";
import { type ExampleFormat, exampleFormats, type ReadExamplesOptions } from "./example_format.ts";
import type { Row } from "./row.ts";
import { rowReader } from "./row_reader.ts";

export { type ExampleFormat, exampleFormats, type ReadExamplesOptions } from "./example_format.ts";

/**
 * The rows of a data file's text. Empty lines are no rows. Integers of JSON that a number cannot hold to the unit are kept as
 * their digits, a text.
 *
 * @throws SyntaxError with the line's number where the text is not of that form; RangeError for an unknown format.
 *
 * @example Three forms of the same row
 * ```ts
 * import { readExamples } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const row = { label: "1", text: "a stirring film" };
 * assertEquals(readExamples("1 a stirring film\n", "labelled"), [row]);
 * assertEquals(readExamples("label\ttext\n1\ta stirring film\n", "tsv"), [row]);
 * assertEquals(readExamples('{"label":"1","text":"a stirring film"}\n', "jsonl"), [row]);
 * assertEquals(readExamples('[{"label":"1","text":"a stirring film"}]', "json"), [row]);
 * ```
 */
export function readExamples(
  text: string,
  format: ExampleFormat,
  options: ReadExamplesOptions = {},
): Row[] {
  assertOptions("read examples", options, { name: "any", columns: "any", separator: "any" });
  const reader = rowReader(format, options);
  if (reader === undefined) {
    throw new RangeError(
      `Cannot read ${options.name ?? "the data"}: unknown format ${
        JSON.stringify(format)
      }; expected one of ${exampleFormats.join(", ")}`,
    );
  }
  return [...reader.push(text), ...reader.end()].map(({ row }) => row);
}
