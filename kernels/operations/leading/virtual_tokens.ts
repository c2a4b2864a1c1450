/**
 * Vectors that replace embeddings, for virtual tokens, which are not in the vocabulary.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import type { DeviceTensor } from "../../device/tensor.ts";
import type { ForwardContext } from "../context.ts";
import { virtualTokensAdjoint } from "../adjoints/leading_adjoint.ts";
import { byBranchWithTangents } from "./by_branch.ts";
import source from "./virtual_tokens.wgsl.ts";

/** The first virtual token, which stands for a vector instead of a row of the embedding table. Larger than any vocabulary. */
export const FIRST_VIRTUAL_TOKEN: number = 2 ** 31;

/** Attributes of {@linkcode virtualTokensOperation}. */
export interface VirtualTokensAttributes {
  /** Rows, branches, the batch with its tokens, offsets and noise. */
  readonly context: ForwardContext;
  /** The vectors, `[count][width]`, dense. */
  readonly vectors: DeviceTensor;
}

/** Input: embeddings `[B][M][width]`. Result: the same with the rows of virtual tokens replaced by their vectors, in place. */
export const virtualTokensOperation: Operation<VirtualTokensAttributes> = {
  name: "virtual tokens",
  inPlace: true,
  record(graph, [input], { context, vectors }) {
    const x = input as Value;
    const { rows, branches, batch } = context;
    const { values, differs } = byBranchWithTangents(vectors, context);
    const quads = vectors.columns / 4;
    const total = branches * rows * quads;
    graph.add({
      label: `virtual tokens ${vectors.name}`,
      source,
      key: { BY_BRANCH: differs },
      reads: { 1: values, 2: batch },
      writes: { 3: x },
      parameters: [rows, quads, total, FIRST_VIRTUAL_TOKEN, vectors.rows],
      workgroups: Math.ceil(total / 64),
    });
    return x;
  },
  // Each branch's rows become its own vectors; rows of tangents become their derivatives.
  tangent: "linear",
  adjoint: (_graph, _inputs, _output, slope, { context, vectors }, gradients) => [
    virtualTokensAdjoint(context, slope, vectors, FIRST_VIRTUAL_TOKEN, gradients),
  ],
};

/**
 * Records vectors, `[count][width]`, into the rows of `embeddings`, `[B][M][width]`, whose tokens are virtual: {@linkcode FIRST_VIRTUAL_TOKEN} and
 * the `count - 1` after it. Overwrites `embeddings`.
 */
export function virtualTokens(
  context: ForwardContext,
  embeddings: Value,
  vectors: DeviceTensor,
): Value {
  return recordOperation(context.graph, virtualTokensOperation, [embeddings], {
    context,
    vectors,
  });
}
