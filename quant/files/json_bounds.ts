/**
 * JSON of a stranger, counted before it is parsed: a megabyte of brackets takes a second and 40 megabytes to become values, a text of
 * that length milliseconds.
 *
 * @module
 */

/** How much a JSON text may hold. */
export interface JsonBounds {
  /** Objects and lists within each other. */
  readonly depth: number;
  /** Objects. */
  readonly objects: number;
  /** Lists. */
  readonly lists: number;
  /** Keys of all objects together. */
  readonly keys: number;
  /** Values behind commas, of objects and lists together. */
  readonly values: number;
}

/** Bounds by what a text is; each about twice what the largest known models have or more, and parsed within a second and 256 MB. */
export const JSON_BOUNDS: Readonly<
  Record<"settings" | "index" | "tokenizer" | "header" | "row", JsonBounds>
> = {
  /** `config.json`, `tokenizer_config.json`, a ledger's header and the like. */
  settings: { depth: 64, objects: 2 ** 16, lists: 2 ** 16, keys: 2 ** 18, values: 2 ** 20 },
  /** `model.safetensors.index.json`: a key a tensor. */
  index: { depth: 64, objects: 2 ** 10, lists: 2 ** 10, keys: 2 ** 19, values: 2 ** 20 },
  /** `tokenizer.json`: a key a token, a list a merge. */
  tokenizer: { depth: 64, objects: 2 ** 16, lists: 2 ** 20, keys: 2 ** 19, values: 2 ** 22 },
  /** The header of a safetensors file: an object, two lists and four keys a tensor. */
  header: {
    depth: 64,
    objects: 2 ** 17,
    lists: 2 ** 18 + 1,
    keys: 2 ** 19 + 2 ** 16,
    values: 2 ** 21,
  },
  /** An object of a data file. */
  row: { depth: 64, objects: 2 ** 16, lists: 2 ** 18, keys: 2 ** 18, values: 2 ** 20 },
};

/**
 * Counts what a JSON text would become, without making it.
 *
 * @param what What it is, for the message: `Cannot read ${what}: ...`
 * @throws {RangeError} For more than `bounds` allow
 *
 * @example A hundred brackets
 * ```ts
 * import { checkJson, JSON_BOUNDS } from "@qzo/qzo/quant";
 * import { assertThrows } from "@std/assert";
 *
 * const bytes = new TextEncoder().encode("[".repeat(100) + "]".repeat(100));
 * assertThrows(() => checkJson(bytes, JSON_BOUNDS.settings, '"a.json"'), RangeError, "64 deep");
 * ```
 */
export function checkJson(bytes: Uint8Array, bounds: JsonBounds, what: string): void {
  count(bytes.length, (at) => bytes[at], bounds, what);
}

/** {@linkcode checkJson} of a text. */
export function checkJsonText(text: string, bounds: JsonBounds, what: string): void {
  count(text.length, (at) => text.charCodeAt(at), bounds, what);
}

function count(
  length: number,
  codeAt: (at: number) => number,
  bounds: JsonBounds,
  what: string,
): void {
  let [depth, objects, lists, keys, values] = [0, 0, 0, 0, 0];
  const refuse = (many: string): never => {
    throw new RangeError(`Cannot read ${what}: its JSON has ${many}, which no known file has`);
  };
  for (let at = 0; at < length; at++) {
    switch (codeAt(at)) {
      case 0x22: // "
        for (at++; at < length; at++) {
          const code = codeAt(at);
          if (code === 0x22) break;
          if (code === 0x5c) at++;
        }
        break;
      case 0x2c: // ,
        if (++values > bounds.values) refuse(`more than ${bounds.values} values`);
        break;
      case 0x3a: // :
        if (++keys > bounds.keys) refuse(`more than ${bounds.keys} keys`);
        break;
      case 0x7b: // {
        if (++objects > bounds.objects) refuse(`more than ${bounds.objects} objects`);
        if (++depth > bounds.depth) refuse(`objects and lists more than ${bounds.depth} deep`);
        break;
      case 0x5b: // [
        if (++lists > bounds.lists) refuse(`more than ${bounds.lists} lists`);
        if (++depth > bounds.depth) refuse(`objects and lists more than ${bounds.depth} deep`);
        break;
      case 0x7d:
      case 0x5d:
        depth--;
    }
  }
}
