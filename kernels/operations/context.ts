/**
 * What the operations of a forward share. Values are `[branches][rows][width]`.
 *
 * @module
 */

import type { AdapterClass } from "../device/gpu.ts";
import type { Graph, Range } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import type { Perturbation } from "../offsets/perturbation.ts";
import type { BatchLayout } from "./batch_layout.ts";

/** What every operation of a forward shares. */
export interface ForwardContext {
  /** Where dispatches are recorded. */
  readonly graph: Graph;
  /** Branches evaluated at once (B). */
  readonly branches: number;
  /** Token rows of one branch (M). */
  readonly rows: number;
  /** The batch's words on the device. */
  readonly batch: Storage | Range;
  /** Where its lists stand. */
  readonly layout: BatchLayout;
  /** Decides tiles and how reductions are split. */
  readonly adapterClass: AdapterClass;
  /** Offsets and noise of a tensor or of a part of it, by name; undefined when it is not trained. */
  readonly perturbation: (name: string) => Perturbation | undefined;
}

/** Some of a branch's rows: a list in the batch. */
export interface RowList {
  /** Where the list starts in the batch, in words. */
  readonly first: number;
  /** Rows of one branch. */
  readonly count: number;
}
