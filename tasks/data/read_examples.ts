/**
 * Parses data files into rows: JSON, tab-separated or comma-separated tables, `label text` lines and plain text. These are pure functions over
 * text; the caller reads the file.
 *
 * @module
 */
import { assertOptions } from "../../optim/options.ts";
import { type ExampleFormat, exampleFormats, type ReadExamplesOptions } from "./example_format.ts";
import type { Row } from "./row.ts";
import { rowReader } from "./row_reader.ts";

export { type ExampleFormat, exampleFormats, type ReadExamplesOptions } from "./example_format.ts";

/**
 * The rows of a data file's text. Empty lines are skipped. JSON integers that a number cannot represent exactly are kept as strings of digits.
 *
 * @throws {SyntaxError} with the line number, when the text does not have the given format.
 * @throws {RangeError} for an unknown format.
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
