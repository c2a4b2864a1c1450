/**
 * Stand-in for `jsr:@std/yaml` on machines that cannot reach JSR: `parse` and `stringify` over `js-yaml`, which
 * `@std/yaml` is a port of.
 *
 * @module
 */
// @ts-types="@types/js-yaml"
import { dump, load, YAMLException } from "js-yaml";

/** Options of {@linkcode parse}. */
export interface ParseOptions {
  allowDuplicateKeys?: boolean;
}

/** Options of {@linkcode stringify}. */
export interface StringifyOptions {
  indent?: number;
  lineWidth?: number;
  flowLevel?: number;
  sortKeys?: boolean | ((a: string, b: string) => number);
  skipInvalid?: boolean;
}

/** Value of one YAML document; a `SyntaxError` when it is malformed. */
export function parse(content: string, options: ParseOptions = {}): unknown {
  try {
    return load(content, { json: options.allowDuplicateKeys ?? false }) ?? null;
  } catch (error) {
    if (error instanceof YAMLException) throw new SyntaxError(error.message, { cause: error });
    throw error;
  }
}

/** A YAML document of a value. */
export function stringify(data: unknown, options: StringifyOptions = {}): string {
  return dump(data, options);
}
