/**
 * Checks numbers in a configuration.
 *
 * @module
 */

import type { ModelConfig } from "../model_config.ts";
import { type Fields, shown } from "./config_keys.ts";

/** The positive integer below 2^31 under a key. @throws {RangeError} when the value is not one. The message gives key and value. */
export function positiveInteger(
  from: Fields,
  key: string,
  what: string,
  fallback?: number,
): number {
  const value = from[key] ?? fallback;
  if (Number.isInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31) {
    return value as number;
  }
  throw new RangeError(`Cannot read ${what}: "${key}" is ${shown(value)}, not a positive integer`);
}

/** The positive number under a key. @throws {RangeError} when the value is not one. The message gives key and value. */
export function positiveNumber(from: Fields, key: string, what: string, fallback?: number): number {
  const value = from[key] ?? fallback;
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw new RangeError(`Cannot read ${what}: "${key}" is ${shown(value)}, not a positive number`);
}

/**
 * The boolean under a key, or `fallback` if it is missing. `null` is rejected, because programs disagree on whether it means missing or false.
 *
 * @throws {RangeError} when the value is not a boolean. The message gives key and value.
 */
export function flag(from: Fields, key: string, what: string, fallback: boolean): boolean {
  const value = from[key];
  if (value === undefined) return fallback;
  if (typeof value === "boolean") return value;
  throw new RangeError(`Cannot read ${what}: "${key}" is ${shown(value)}, not true or false`);
}

/** Checks constraints common to all models: the numbers of heads divide, and dimensions fit the kernels. @throws {RangeError} when they do not. */
export function checkedConfig(config: ModelConfig, what: string): ModelConfig {
  const { heads, keyValueHeads, headDimension, hidden, layers } = config;
  if (heads % keyValueHeads !== 0) {
    throw new RangeError(
      `Cannot read ${what}: ${heads} heads are not a multiple of ${keyValueHeads} key-value heads`,
    );
  }
  if (layers > 4096) {
    throw new RangeError(
      `Cannot read ${what}: ${layers} layers exceed 4096, which is more than any known model has`,
    );
  }
  if (headDimension % 4 !== 0 || hidden % 4 !== 0 || headDimension > 1024) {
    throw new RangeError(
      `Cannot read ${what}: head dimension ${headDimension} and hidden size ${hidden} must be multiples of 4`,
    );
  }
  return config;
}
