/**
 * An operation of a forward pass, as an entry of a table: how it is recorded and, if defined, how it is differentiated.
 * Its tangent propagates changes of its inputs to its output (forward mode). Its adjoint propagates the gradient of a
 * loss from its output to its inputs (reverse mode).
 *
 * A graph of dispatches describes what the device executes. The recorded operations describe what is computed, in
 * order, so the derivatives can be recorded by a forward or backward walk over them.
 *
 * @module
 */

import type { Graph, Range, Value } from "./graph.ts";
import type { Storage } from "./storage.ts";

/** An input or output of an operation: a value of the graph, or memory that outlives it. */
export type Operand = Value | Storage | Range;

/**
 * One operation.
 *
 * @typeParam A Attributes besides the inputs: shapes, weights with their perturbations.
 * @typeParam Y Type of the result.
 */
export interface Operation<A, Y extends Operand = Value> {
  /** Name for messages. */
  readonly name: string;
  /** Whether the result overwrites the first input. */
  readonly inPlace?: boolean;
  /** Records the dispatches that compute the result. */
  record(graph: Graph, inputs: readonly Operand[], attributes: A): Y;
  /**
   * Records the result together with its tangents, given inputs with theirs. Branch 0 of every value is the value
   * itself, and every other branch is its derivative along that branch's direction. Weights change along their noise.
   * `"linear"` means that `record` already does this, because the operation is linear in its inputs and has no weights.
   * If absent, recording the operation with tangents is an error.
   */
  readonly tangent?:
    | "linear"
    | ((graph: Graph, inputs: readonly Operand[], attributes: A) => Y);
  /**
   * Records the gradient of a loss with respect to each input (undefined for an input that has none), and adds the
   * gradient with respect to trained offsets to `gradients`. There is one branch.
   *
   * @param slope Gradient of the loss with respect to the result. Must not be changed, because other operations may
   * read it too.
   */
  adjoint?(
    graph: Graph,
    inputs: readonly Operand[],
    output: Y,
    slope: Value,
    attributes: A,
    gradients: Gradients,
  ): readonly (Value | undefined)[];
}

/** Where the gradient of a loss with respect to the offsets is accumulated. */
export interface Gradients {
  /** The gradient for a tensor or a part of one, laid out like its offsets. Undefined if it is not trained. */
  of(name: string): Range | undefined;
}

/** An operation that a graph computes. */
export interface RecordedOperation {
  /** The operation. */
  readonly operation: Operation<unknown, Operand>;
  /** Its inputs. */
  readonly inputs: readonly Operand[];
  /** Its attributes. */
  readonly attributes: unknown;
  /** Its result. */
  readonly output: Operand;
}

const recorded = new WeakMap<Graph, RecordedOperation[]>();

/**
 * Records an operation into `graph` and appends it to {@linkcode operationsOf}. If the graph records tangents, the
 * operation is recorded with its tangents.
 *
 * @throws {TypeError} when the graph records tangents and the operation has no rule for them.
 *
 * @example The operations of a graph
 * ```ts
 * import { Graph, operationsOf, recordOperation, type Value } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const graph = new Graph();
 * const x = graph.value("x", 4);
 * const nothing = { name: "nothing", record: () => x };
 * recordOperation<null, Value>(graph, nothing, [x], null);
 * assertEquals(operationsOf(graph).map(({ operation }) => operation.name), ["nothing"]);
 * ```
 */
export function recordOperation<A, Y extends Operand>(
  graph: Graph,
  operation: Operation<A, Y>,
  inputs: readonly Operand[],
  attributes: A,
): Y {
  const output = recordedBy(graph, operation)(graph, inputs, attributes);
  let list = recorded.get(graph);
  if (!list) recorded.set(graph, list = []);
  list.push({ operation: operation as Operation<unknown, Operand>, inputs, attributes, output });
  return output;
}

/**
 * Records the gradient of a loss backwards through operations. Starts from the gradients in `slopes` and adds to it
 * those with respect to all inputs. The gradient with respect to trained offsets is added to `gradients`.
 *
 * @param slopes Gradients by value. The map is changed.
 * @param add Records the sum of two gradients.
 * @throws {TypeError} for an operation without an adjoint, if the loss depends on its result.
 */
export function recordAdjoints(
  graph: Graph,
  operations: readonly RecordedOperation[],
  slopes: Map<Operand, Value>,
  gradients: Gradients,
  add: (graph: Graph, a: Value, b: Value) => Value,
): void {
  for (const { operation, inputs, attributes, output } of operations.toReversed()) {
    const slope = slopes.get(output);
    if (!slope) continue;
    if (!operation.adjoint) {
      throw new TypeError(
        `Cannot differentiate "${operation.name}" in reverse mode: the operation has no adjoint; use an optimiser that needs only forward passes`,
      );
    }
    if (operation.inPlace) slopes.delete(output);
    const found = operation.adjoint(graph, inputs, output, slope, attributes, gradients);
    found.forEach((one, i) => {
      if (!one) return;
      const before = slopes.get(inputs[i]);
      slopes.set(inputs[i], before ? add(graph, before, one) : one);
    });
  }
}

/** How an operation is recorded into a graph. */
function recordedBy<A, Y extends Operand>(
  graph: Graph,
  operation: Operation<A, Y>,
): Operation<A, Y>["record"] {
  const { tangent } = operation;
  if (graph.tangents === 0 || tangent === "linear") return operation.record.bind(operation);
  if (tangent) return tangent;
  throw new TypeError(
    `Cannot differentiate "${operation.name}" in forward mode: the operation has no tangent; use an estimator that compares losses, such as spsa`,
  );
}

/**
 * The operations that were recorded into a graph, in order. Dispatches added without an operation are not included.
 *
 * @example A sum and its gate
 * ```ts
 * import { add, Graph, operationsOf, siluGate } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const graph = new Graph();
 * const x = graph.value("x", 64);
 * siluGate({ graph }, add({ graph }, x, x), x);
 * assertEquals(operationsOf(graph).map(({ operation }) => operation.name), ["add", "silu gate"]);
 * ```
 */
export function operationsOf(graph: Graph): readonly RecordedOperation[] {
  return recorded.get(graph) ?? [];
}
