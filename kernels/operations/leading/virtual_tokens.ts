/**
 * Vectors in place of embeddings, for tokens that no vocabulary has.
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

/** The first token of a batch that stands for a vector and not for a row of an embedding table; no vocabulary is as large. */
export const FIRST_VIRTUAL_TOKEN: number = 2 ** 31;

/** What {@linkcode virtualTokensOperation} takes. */
export interface VirtualTokensAttributes {
  /** Rows, branches, the batch with its tokens, offsets and noise. */
  readonly context: ForwardContext;
  /** `[count][width]`, dense. */
  readonly vectors: DeviceTensor;
}

/** Embeddings `[B][M][width]`, in place: rows of virtual tokens become their vectors. */
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
  // Every branch's rows become its own vectors, those of tangents their derivatives.
  tangent: "linear",
  adjoint: (_graph, _inputs, _output, slope, { context, vectors }, gradients) => [
    virtualTokensAdjoint(context, slope, vectors, FIRST_VIRTUAL_TOKEN, gradients),
  ],
};

/**
 * Records vectors, `[count][width]`, into the rows of `embeddings`, `[B][M][width]`, whose tokens count from {@linkcode FIRST_VIRTUAL_TOKEN}.
 * Overwrites `embeddings`.
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
