/**
 * The format of a data file, by its name.
 *
 * @module
 */
import { extname } from "@std/path";
import type { ExampleFormat } from "./example_format.ts";

/** Extensions of compressed files. Only gzip is decompressed; the others are recognised by their contents and rejected with advice. */
const packed = /\.(?:gz|gzip|bz2|xz|zst|zip)$/i;

/** Formats by extension. */
export const formatOfExtension: Readonly<Record<string, ExampleFormat>> = {
  ".jsonl": "jsonl",
  ".ndjson": "jsonl",
  ".json": "json",
  ".tsv": "tsv",
  ".csv": "csv",
  ".txt": "paragraphs",
};

/** The extension of a file's contents in lower case: `.jsonl` for `a.jsonl` and for `A.JSONL.gz`. */
export function dataExtension(file: string): string {
  return extname(file.replace(packed, "")).toLowerCase();
}
