/**
 * The context shared by the operations of a forward pass. Values are `[branches][rows][width]`.
 *
 * @module
 */

import type { AdapterClass } from "../device/gpu.ts";
import type { Graph, Range } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import type { Perturbation } from "../offsets/perturbation.ts";
import type { BatchLayout } from "./batch_layout.ts";

/** The context shared by the operations of a forward pass. */
export interface ForwardContext {
  /** The graph that dispatches are recorded into. */
  readonly graph: Graph;
  /** Number of branches evaluated at once (B). */
  readonly branches: number;
  /** Token rows per branch (M). */
  readonly rows: number;
  /** The words of the batch on the device. */
  readonly batch: Storage | Range;
  /** Positions of the batch's lists. */
  readonly layout: BatchLayout;
  /** Class of the adapter, which determines tiles and how reductions are split. */
  readonly adapterClass: AdapterClass;
  /** Returns the offsets and noise of a tensor, or of a part of one, by name. Undefined if it is not trained. */
  readonly perturbation: (name: string) => Perturbation | undefined;
}

/** A subset of a branch's rows, given by a list in the batch. */
export interface RowList {
  /** Start of the list within the batch, in words. */
  readonly first: number;
  /** Number of rows per branch. */
  readonly count: number;
}
