/**
 * Operations of element by element.
 *
 * @module
 */

import type { Value } from "../device/graph.ts";
import type { Operand, Operation } from "../device/operation.ts";
import type { ShaderKey } from "../device/template.ts";

/**
 * An operation whose every element follows from those of its inputs at the same place; inputs have as many as the last of them, a multiple
 * of 4. Its shader is told the number of quads, binds the inputs from 1 on (at most two) and the result at 3.
 *
 * @param name Of the operation and its dispatch
 * @param result What the value is called
 * @param source The shader
 * @param key What selects its variant, where there are several
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
