/**
 * An operation of a forward, as a row of a table: how it is recorded and, where that is known, how a change of its inputs reaches its
 * output (its tangent) and how the slope of a loss by its output reaches its inputs (its adjoint).
 *
 * A graph of dispatches says what a device does; the operations that are recorded here say what is computed, in order, so that a walk
 * forwards or backwards over them can record the rest.
 *
 * @module
 */

import type { Graph, Range, Value } from "./graph.ts";
import type { Storage } from "./storage.ts";

/** What an operation reads or leaves: a value of the graph, or memory that is there for longer. */
export type Operand = Value | Storage | Range;

/**
 * One operation.
 *
 * @typeParam A What it takes besides its inputs: shapes, weights with their perturbations
 * @typeParam Y What it leaves its result in
 */
export interface Operation<A, Y extends Operand = Value> {
  /** For messages. */
  readonly name: string;
  /** Whether the result lies where the first input lay, which is then gone. */
  readonly inPlace?: boolean;
  /** Records the dispatches that compute the result. */
  record(graph: Graph, inputs: readonly Operand[], attributes: A): Y;
  /**
   * Records the result with its tangents, from inputs with theirs: of every value branch 0 is the value, each other branch its derivative along
   * that branch's direction, and weights change along their noise. `"linear"` where `record` does that as it is: the operation is linear
   * in its inputs and knows no weights. Absent: it cannot be differentiated forwards, and recording it with tangents is an error.
   */
  readonly tangent?:
    | "linear"
    | ((graph: Graph, inputs: readonly Operand[], attributes: A) => Y);
  /**
   * Records the slopes of a loss by the inputs, undefined for an input that has none, and adds those by what is trained to `gradients`. There is
   * one branch.
   *
   * @param slope Of the loss by the result; others may read it too
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

/** Where slopes of a loss by offsets are collected. */
export interface Gradients {
  /** Those of a tensor or a part of it, laid out as its offsets; undefined where it is not trained. */
  of(name: string): Range | undefined;
}

/** An operation that a graph computes. */
export interface RecordedOperation {
  /** Which. */
  readonly operation: Operation<unknown, Operand>;
  /** What it reads. */
  readonly inputs: readonly Operand[];
  /** What it takes besides. */
  readonly attributes: unknown;
  /** What it leaves. */
  readonly output: Operand;
}

const recorded = new WeakMap<Graph, RecordedOperation[]>();

/**
 * Records an operation into `graph`, which then has it among its {@linkcode operationsOf}; with tangents where the graph records values
 * with theirs.
 *
 * @throws {TypeError} Where the graph records tangents and the operation has no rule for them
 *
 * @example What a graph computes
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
 * Records slopes of a loss backwards over operations, from those that are known in `slopes` to those by what the operations read, which are put
 * there; what is trained is added to `gradients`.
 *
 * @param slopes By value; changed
 * @param add Records the sum of two slopes
 * @throws {TypeError} For an operation that has no adjoint, where a loss depends on what it leaves
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

/** The operations that were recorded into a graph, in order; dispatches that were added without one are not among them. */
export function operationsOf(graph: Graph): readonly RecordedOperation[] {
  return recorded.get(graph) ?? [];
}
