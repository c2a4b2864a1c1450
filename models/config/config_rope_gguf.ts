/**
 * Scaling of rotary embeddings in GGUF metadata.
 *
 * @module
 */

import type { GgufTyped, GgufValue } from "../../quant/mod.ts";
import type { RopeScaling } from "../model_config.ts";
import { ropeMagnitude, usualMagnitude } from "../rope_table.ts";
import { positiveInteger, positiveNumber } from "./config_checks.ts";
import { type Fields, isEmpty, type Note, shown } from "./config_keys.ts";

/**
 * Reads the scaling of rotary frequencies from the fields under an architecture's prefix. Undefined if there is none. As in llama.cpp, a factor
 * without a type means linear scaling, the old key is used if the new one is missing, and 0 means no scaling.
 *
 * @throws {RangeError} when a value is not supported. The message gives key and value.
 */
export function ggufRopeScaling(from: Fields, what: string, note: Note): RopeScaling | undefined {
  const { "rope.scaling.type": given, "rope.scaling.factor": factor, "rope.scale_linear": old } =
    from;
  const type = given ?? "linear";
  if (type === "yarn") return yarn(from, what);
  if (type !== "none" && type !== "linear") {
    throw new RangeError(
      `Cannot read ${what}: rope.scaling.type ${
        shown(type)
      } is not supported; expected one of "none", "linear", "yarn"`,
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

/** YaRN scaling. As in llama.cpp, the magnitude that follows from the factor is multiplied by that in the file. */
function yarn(from: Fields, what: string): RopeScaling {
  const factor = positiveNumber(from, "rope.scaling.factor", what, 1);
  const key = "rope.scaling.original_context_length";
  const longest = positiveInteger(from, "context_length", what);
  const originalContext = from[key] === 0 ? longest : positiveInteger(from, key, what, longest);
  const times = positiveNumber(from, "rope.scaling.attn_factor", what, 1);
  return {
    type: "yarn",
    factor,
    originalContext,
    ...times !== 1 && { magnitude: times * usualMagnitude(factor) },
  };
}

/**
 * The fields for a scaling of rotary frequencies. There are none if there is no scaling, for Llama 3 scaling, which is stored as a tensor, and for
 * dynamic scaling, which changes nothing up to the context.
 *
 * @throws {RangeError} when llama.cpp does not support the scaling.
 */
export function ropeFieldsForGguf(
  scaling: RopeScaling | undefined,
): Record<string, GgufValue | GgufTyped> {
  if (scaling?.type !== "linear" && scaling?.type !== "yarn") return {};
  const f32 = (value: number): GgufTyped => ({ type: "float32", value });
  const { type, factor, truncate, betaFast, betaSlow } = scaling;
  const fields = { "rope.scaling.type": type, "rope.scaling.factor": f32(factor) };
  if (type === "linear") return fields;
  const others = { truncate, beta_fast: betaFast, beta_slow: betaSlow };
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (other !== undefined) {
    throw new RangeError(
      `Cannot write GGUF: rotary scaling of type "yarn" cannot be represented there with ${other} ${
        others[other as keyof typeof others]
      }; write a folder instead`,
    );
  }
  const times = ropeMagnitude(scaling) / usualMagnitude(factor);
  return {
    ...fields,
    "rope.scaling.original_context_length": { type: "uint32", value: scaling.originalContext! },
    ...times !== 1 && { "rope.scaling.attn_factor": f32(times) },
  };
}
