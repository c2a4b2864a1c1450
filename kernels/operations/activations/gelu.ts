/**
 * The Gaussian error linear unit (Hendrycks and Gimpel, arXiv 1606.08415) in its two forms.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import type { ActivationOperation } from "./activation_operation.ts";
import { activationAdjoint } from "../adjoints/adjoints.ts";
import { activationTangent } from "../tangents/activation_tangent.ts";
import source from "./gelu.wgsl.ts";

/** Attributes of {@linkcode geluOperation}. */
export interface GeluAttributes {
  /** Whether the normal distribution is approximated by a tanh. */
  readonly tanh: boolean;
}

/** Inputs: x, then the factor of a gate if there is one. Result: `x * Phi(x)`, times the factor. */
export const geluOperation: Operation<GeluAttributes> = {
  name: "gelu",
  record(graph, [x, times], { tanh }) {
    const { words } = x as Value;
    const y = graph.value("gelu", words);
    const total = words / 4;
    graph.add({
      label: "gelu",
      source,
      key: { TANH: tanh, TIMES: times !== undefined },
      reads: { 1: x, 2: times },
      writes: { 3: y },
      parameters: [total],
      workgroups: Math.ceil(total / 64),
    });
    return y;
  },
  tangent: (graph, inputs, { tanh }) =>
    activationTangent(graph, inputs, tanh ? "gelu_tanh" : "gelu"),
  adjoint: (graph, inputs, _output, slope, { tanh }) =>
    activationAdjoint(graph, inputs, slope, tanh ? "gelu_tanh" : "gelu"),
};

/** `x * Phi(x)`, multiplied by `times` if it is given. Phi is the cumulative normal distribution (transformers' `gelu`). */
export const gelu: ActivationOperation = ({ graph }, x, times) =>
  recordOperation(graph, geluOperation, times ? [x, times] : [x], { tanh: false });

/** `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`, multiplied by `times` if it is given (transformers' `gelu_new`, `gelu_pytorch_tanh`). */
export const geluTanh: ActivationOperation = ({ graph }, x, times) =>
  recordOperation(graph, geluOperation, times ? [x, times] : [x], { tanh: true });
