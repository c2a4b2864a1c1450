/**
 * What the name of a data file says of its form.
 *
 * @module
 */
import { extname } from "@std/path";
import type { ExampleFormat } from "./example_format.ts";

/** Endings of packed files. Only gzip is unpacked; of the others the contents say what to do. */
const packed = /\.(?:gz|gzip|bz2|xz|zst|zip)$/i;

/** Forms by extension. */
export const formatOfExtension: Readonly<Record<string, ExampleFormat>> = {
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".json": "json",
  ".tsv": "tsv",
  ".csv": "csv",
  ".txt": "paragraphs",
};

/** The extension of what is in a file, in small letters: `.jsonl` of `a.jsonl` and of `A.JSONL.gz`. */
export function dataExtension(file: string): string {
  return extname(file.replace(packed, "")).toLowerCase();
}
