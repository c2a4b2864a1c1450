/**
 * Element-wise operations.
 *
 * @module
 */

import type { Value } from "../device/graph.ts";
import type { Operand, Operation } from "../device/operation.ts";
import type { ShaderKey } from "../device/template.ts";

/**
 * An operation in which each element depends only on the elements of its inputs at the same position. The result has as many elements as the last
 * input, a multiple of 4. The shader's parameter is the number of quads; the inputs (at most two) are bound from 1, and the result at 3.
 *
 * @param name Name of the operation and its dispatch.
 * @param result Label of the result.
 * @param source The shader.
 * @param key Returns the key that selects the shader's variant. Default: no key.
 */
export function elementwise(
  name: string,
  result: string,
  source: string,
  key: (inputs: readonly Operand[]) => ShaderKey = () => ({}),
): Operation<null> {
  return {
    name,
    record(graph, inputs) {
      const { words } = inputs[inputs.length - 1] as Value;
      const y = graph.value(result, words);
      const total = words / 4;
      graph.add({
        label: name,
        source,
        key: key(inputs),
        reads: { 1: inputs[0], 2: inputs[1] },
        writes: { 3: y },
        parameters: [total],
        workgroups: Math.ceil(total / 64),
      });
      return y;
    },
  };
}
