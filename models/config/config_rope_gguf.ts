/**
 * The scaling of rotary embeddings in GGUF metadata.
 *
 * @module
 */

import type { RopeScaling } from "../model_config.ts";
import { positiveNumber } from "./config_checks.ts";
import { type Fields, isEmpty, type Note, shown } from "./config_keys.ts";

/**
 * How rotary frequencies are stretched, by the fields under an architecture's prefix; undefined for not. As llama.cpp: a factor without a type
 * is linear, the old key serves where the new one is missing, and 0 is none.
 *
 * @throws {RangeError} naming key and value.
 */
export function ggufRopeScaling(from: Fields, what: string, note: Note): RopeScaling | undefined {
  const { "rope.scaling.type": given, "rope.scaling.factor": factor, "rope.scale_linear": old } =
    from;
  const type = given ?? "linear";
  if (type !== "none" && type !== "linear") {
    throw new RangeError(
      `Cannot read ${what}: rope.scaling.type ${
        shown(type)
      } is not supported; expected one of "none", "linear"`,
    );
  }
  const key = isEmpty(factor) ? "rope.scale_linear" : "rope.scaling.factor";
  if (!isEmpty(factor) && !isEmpty(old) && factor !== old) {
    note(
      `${what}: rope.scale_linear ${shown(old)} is ignored: rope.scaling.factor ${
        shown(factor)
      } is, as in llama.cpp`,
    );
  }
  const value = from[key];
  if (isEmpty(value) || value === 0) {
    if (given === "linear" && value === undefined) {
      note(`${what}: rope.scaling.type "linear" has no factor, so nothing is scaled`);
    }
    return undefined;
  }
  if (value === 1 && given === undefined) return undefined;
  if (type === "none") {
    if (value !== 1) {
      note(`${what}: ${key} ${shown(value)} is ignored: rope.scaling.type is none`);
    }
    return undefined;
  }
  return { type, factor: positiveNumber(from, key, what) };
}
