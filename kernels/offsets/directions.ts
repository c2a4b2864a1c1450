/**
 * The texts that shaders include for the structures of directions, generated from their table.
 *
 * @module
 */

import { structureNames, structureOf } from "../../optim/directions/structures.ts";
import type { ShaderLibrary } from "../device/template.ts";

/** An `#if` over the structures that have a text, and an `#else` for the others. */
function byStructure(
  text: (name: typeof structureNames[number]) => string | undefined,
  otherwise?: string,
): string {
  const found = structureNames.flatMap((name) => {
    const lines = text(name);
    return lines === undefined ? [] : [`STRUCTURE == ${name}\n${lines}`];
  });
  const last = otherwise === undefined ? [] : [`#else\n${otherwise}`];
  return [`#if ${found.join("\n#elif ")}`, ...last, "#endif"].join("\n");
}

const shaderOf = (name: typeof structureNames[number]) => structureOf(name).wgsl;

/**
 * Texts for `#include`:
 *
 * - `direction_functions.wgsl`, `direction_z.wgsl`: functions and body of `noise4`
 * - `direction_turns.wgsl`, `direction_takes_part.wgsl`: functions and condition of the update, if tensors take turns
 */
export const DIRECTION_SHADERS: ShaderLibrary = {
  "direction_functions.wgsl": byStructure((name) => shaderOf(name)?.functions),
  "direction_z.wgsl": byStructure(
    (name) => shaderOf(name)?.z,
    "  let z = level4(lanes4(threefry(seed, vec2<u32>(quad, tensor)))) * gain;\n  return z;",
  ),
  "direction_turns.wgsl": structureNames.flatMap((name) => shaderOf(name)?.turns?.functions ?? [])
    .join("\n\n"),
  "direction_takes_part.wgsl": byStructure((name) => {
    const turns = shaderOf(name)?.turns;
    return turns && `      let takes_part = own || ${turns.takesPart};`;
  }, "      let takes_part = true;"),
};
