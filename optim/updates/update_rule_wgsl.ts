/**
 * Update rules as WGSL text.
 *
 * @module
 */
import { ElementEmitter } from "../algebra/element_ops.ts";
import type { UpdateRule } from "./update_rule.ts";

/**
 * A rule as WGSL: `fn move_element(offset: f32, gradient: f32, state: vec2<f32>, at: u32) -> vec3<f32>` returns the offset, then the state. It
 * reads its host scalars from `rule_inputs[at + i]`, and requires {@linkcode elementOpsWgsl}.
 *
 * @example The sign of the gradient
 * ```ts
 * import { emitUpdateRule, signOfElement } from "@qzo/qzo/optim";
 * import { assert } from "@std/assert";
 *
 * assert(emitUpdateRule(signOfElement()).includes("sign(gradient)"));
 * ```
 */
export function emitUpdateRule(rule: UpdateRule): string {
  const o = new ElementEmitter();
  const { offset, state } = rule.update<string>(
    o,
    "offset",
    "gradient",
    ["state.x", "state.y"].slice(0, rule.stateSize),
    Array.from({ length: rule.inputSize }, (_, i) => `rule_inputs[at + ${i}u]`),
  );
  const [first = "0.0", second = "0.0"] = state;
  return [
    "fn move_element(offset: f32, gradient: f32, state: vec2<f32>, at: u32) -> vec3<f32> {",
    ...o.lines.map((line) => `  ${line}`),
    `  return vec3<f32>(${offset}, ${first}, ${second});`,
    "}",
  ].join("\n");
}
