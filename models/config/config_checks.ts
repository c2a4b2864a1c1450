/**
 * Checks of numbers in a configuration.
 *
 * @module
 */

import type { ModelConfig } from "../model_config.ts";
import { type Fields, shown } from "./config_keys.ts";

/** The positive integer below 2^31 under a key. @throws {RangeError} naming key and value. */
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

/** The positive number under a key. @throws {RangeError} naming key and value. */
export function positiveNumber(from: Fields, key: string, what: string, fallback?: number): number {
  const value = from[key] ?? fallback;
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw new RangeError(`Cannot read ${what}: "${key}" is ${shown(value)}, not a positive number`);
}

/**
 * Whether a key says yes, or is not there and `fallback` is so. `null` is refused: what reads it as nothing and what reads it as false disagree.
 *
 * @throws {RangeError} naming key and value.
 */
export function flag(from: Fields, key: string, what: string, fallback: boolean): boolean {
  const value = from[key];
  if (value === undefined) return fallback;
  if (typeof value === "boolean") return value;
  throw new RangeError(`Cannot read ${what}: "${key}" is ${shown(value)}, not true or false`);
}

/** Checks what holds for every model: heads divide, dimensions fit the kernels. @throws {RangeError} where they do not. */
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
