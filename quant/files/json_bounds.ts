/**
 * Limits on untrusted JSON, checked before it is parsed. Parsing a megabyte of brackets takes a second and 40 MB;
 * counting them takes milliseconds.
 *
 * @module
 */

/** Limits on the contents of a JSON text. */
export interface JsonBounds {
  /** Nesting depth of objects and lists. */
  readonly depth: number;
  /** Number of objects. */
  readonly objects: number;
  /** Number of lists. */
  readonly lists: number;
  /** Number of keys in all objects. */
  readonly keys: number;
  /** Number of commas, in objects and lists together. */
  readonly values: number;
}

/**
 * Limits by the kind of file. Each is at least twice what the largest known models need, and a text within it parses in
 * less than a second and 256 MB.
 */
export const JSON_BOUNDS: Readonly<
  Record<"settings" | "index" | "tokenizer" | "header" | "row", JsonBounds>
> = {
  /** `config.json`, `tokenizer_config.json`, a ledger's header and the like. */
  settings: { depth: 64, objects: 2 ** 16, lists: 2 ** 16, keys: 2 ** 18, values: 2 ** 20 },
  /** `model.safetensors.index.json`: one key per tensor. */
  index: { depth: 64, objects: 2 ** 10, lists: 2 ** 10, keys: 2 ** 19, values: 2 ** 20 },
  /** `tokenizer.json`: one key per token, one list per merge. */
  tokenizer: { depth: 64, objects: 2 ** 16, lists: 2 ** 20, keys: 2 ** 19, values: 2 ** 22 },
  /** The header of a safetensors file: one object, two lists and four keys per tensor. */
  header: {
    depth: 64,
    objects: 2 ** 17,
    lists: 2 ** 18 + 1,
    keys: 2 ** 19 + 2 ** 16,
    values: 2 ** 21,
  },
  /** One object of a data file. */
  row: { depth: 64, objects: 2 ** 16, lists: 2 ** 18, keys: 2 ** 18, values: 2 ** 20 },
};

/**
 * Counts the objects, lists, keys and values of a JSON text without parsing it.
 *
 * @param what Name of the text in the message: `Cannot read ${what}: ...`
 * @throws {RangeError} when a count exceeds `bounds`.
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

/** {@linkcode checkJson} for a string. */
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
