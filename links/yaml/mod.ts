/**
 * Stand-in for `jsr:@std/yaml` on machines that cannot reach JSR: `parse` and `stringify` over `js-yaml`, which
 * `@std/yaml` is a port of.
 *
 * @module
 */
// @ts-types="@types/js-yaml"
import {
  CORE_SCHEMA,
  DEFAULT_SCHEMA,
  dump,
  FAILSAFE_SCHEMA,
  JSON_SCHEMA,
  load,
  type Schema,
  YAMLException,
} from "js-yaml";

type SchemaType = "failsafe" | "json" | "core" | "default";

const schemas: Record<SchemaType, Schema> = {
  failsafe: FAILSAFE_SCHEMA,
  json: JSON_SCHEMA,
  core: CORE_SCHEMA,
  default: DEFAULT_SCHEMA,
};

/** Options of {@linkcode parse}. */
export interface ParseOptions {
  allowDuplicateKeys?: boolean;
  schema?: SchemaType;
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
    return load(content, {
      json: options.allowDuplicateKeys ?? false,
      schema: schemas[options.schema ?? "default"],
    }) ?? null;
  } catch (error) {
    if (error instanceof YAMLException) throw new SyntaxError(error.message, { cause: error });
    throw error;
  }
}

/** A YAML document of a value. */
export function stringify(data: unknown, options: StringifyOptions = {}): string {
  return dump(data, options);
}
