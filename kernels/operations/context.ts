/**
 * The operations of a transformer besides matrix products, as dispatches of a graph. Values are `[branches][rows][width]`.
 *
 * @module
 */

import type { BatchLayout } from "./batch_layout.ts";
import type { AdapterClass } from "../device/gpu.ts";
import type { Graph, Range, Value } from "../device/graph.ts";
import { layoutKey, scaleGroups } from "../matmul/layout_key.ts";
import { packNoise, type Perturbation, perturbationKey } from "../offsets/perturbation.ts";
import { perturbationsOf, perturbedPlanes, planeKey, rowQuads } from "../matmul/perturbed_plane.ts";
import type { Storage } from "../device/storage.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import attentionSource from "./attention.wgsl.ts";
import batchLossSource from "./batch_loss.wgsl.ts";
import embeddingSource from "./embedding.wgsl.ts";
import rmsNormSource from "./rms_norm.wgsl.ts";
import ropeSource from "./rope.wgsl.ts";
import siluGateSource from "./silu_gate.wgsl.ts";
import storeRowsSource from "./store_rows.wgsl.ts";
import targetSource from "./target_log_probability.wgsl.ts";

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

/** Rows of an embedding table by token: `[B][M][D]`. */
export function embedding(context: ForwardContext, table: DeviceTensor): Value {
  const { graph, rows, branches, batch } = context;
  const { perturbation, plane } = perturbationsOf(table, context.perturbation);
  const planes = plane && perturbedPlanes(graph, table, plane, branches);
  const y = graph.value("embedding", branches * rows * table.columns);
  for (const [i, piece] of table.pieces.entries()) {
    graph.add({
      label: `embedding ${table.name}`,
      source: embeddingSource,
      key: {
        ...layoutKey(table.layout),
        ...perturbationKey(perturbation),
        ...planeKey(table, { perturbation, plane }, planes?.[i]),
      },
      reads: {
        1: piece.codes,
        2: batch,
        4: piece.scales,
        5: planes?.[i] ?? table.codebook,
        8: perturbation?.offsets,
        9: perturbation?.noise?.branches,
      },
      writes: { 3: y },
      parameters: [
        rows,
        table.columns,
        piece.rows,
        piece.firstRow,
        table.groupColumns,
        scaleGroups(table),
        perturbation?.span ?? table.columns,
        perturbation?.stride ?? 0,
        perturbation?.id ?? 0,
        packNoise(perturbation),
        branches,
        rowQuads(piece),
      ],
      workgroups: Math.ceil(branches * rows * table.columns / 4 / 64),
    });
  }
  return y;
}

/** Which rows a normalisation keeps: a list in the batch. */
export interface RowList {
  /** Where the list starts in the batch, in words. */
  readonly first: number;
  /** Rows of one branch. */
  readonly count: number;
}

/**
 * `x / sqrt(mean(x^2) + epsilon) * gain` by row (Zhang and Sennrich, arXiv 1910.07467); with `list` only those rows,
 * compactly.
 */
export function rmsNorm(
  context: ForwardContext,
  x: Value | Storage,
  gain: DeviceTensor,
  epsilon: number,
  list?: RowList,
): Value {
  const { graph, branches, batch, adapterClass } = context;
  const perturbation = context.perturbation(gain.name);
  const rows = list?.count ?? context.rows;
  const y = graph.value(`${gain.name} norm`, branches * rows * gain.columns);
  const lanes = adapterClass === "software" ? 1 : 64;
  graph.add({
    label: `rms norm ${gain.name}`,
    source: rmsNormSource,
    key: {
      ...perturbationKey(perturbation),
      LANES: lanes,
      WORKGROUP: lanes === 1 ? 8 : lanes,
      ROW_LIST: list !== undefined,
    },
    reads: {
      1: gain.pieces[0].codes,
      2: x,
      4: list ? batch : undefined,
      8: perturbation?.offsets,
      9: perturbation?.noise?.branches,
    },
    writes: { 3: y },
    parameters: [
      rows,
      gain.columns,
      context.rows,
      list?.first ?? 0,
      branches,
      perturbation?.id ?? 0,
      packNoise(perturbation),
      { f32: epsilon },
    ],
    workgroups: Math.ceil(branches * rows / (lanes === 1 ? 8 : 1)),
  });
  return y;
}

/** How heads are laid out and rotated. */
export interface HeadShape {
  /** Heads in the value. */
  readonly heads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Rotated pairs (2i, 2i+1) instead of (i, i + half). */
  readonly interleaved: boolean;
}

/** Rotates queries or keys in place by their positions (Su et al., arXiv 2104.09864). `table` is `[positions][pairs](cos, sin)`. */
export function rope(
  context: ForwardContext,
  x: Value,
  table: Storage,
  { heads, headDimension, interleaved }: HeadShape,
): Value {
  const { graph, rows, branches, batch, layout } = context;
  const pairs = headDimension / 2;
  const atOnce = interleaved ? 2 : 4;
  const width = pairs % atOnce === 0 ? atOnce : 1;
  const total = branches * rows * heads * pairs / width;
  graph.add({
    label: "rope",
    source: ropeSource,
    key: { INTERLEAVED: interleaved, WIDTH: width },
    reads: { 1: table, 2: batch },
    writes: { 3: x },
    parameters: [
      rows,
      total,
      heads,
      pairs / width,
      headDimension / (width === 1 ? 1 : 4),
      layout.positions,
    ],
    workgroups: Math.ceil(total / 64),
  });
  return x;
}

/** Copies this forward's keys or values into their slots of a cache of `cacheRows` rows a branch. */
export function storeRows(
  context: ForwardContext,
  x: Value,
  cache: Storage,
  width: number,
  cacheRows: number,
): void {
  const { graph, rows, branches, batch, layout } = context;
  const total = branches * rows * width / 4;
  graph.add({
    label: "store rows",
    source: storeRowsSource,
    key: {},
    reads: { 1: x, 2: batch },
    writes: { 3: cache },
    parameters: [rows, width / 4, total, cacheRows, layout.slots],
    workgroups: Math.ceil(total / 64),
  });
}

/** Models in use have 64 to 256; wider ones, which compile for 22 s (512) and 117 s (1024) on lavapipe, are looped over. */
const WIDEST_UNROLLED_HEAD = 256;

/** Arguments of {@linkcode attention} besides its inputs. */
export interface AttentionShape {
  /** Query heads. */
  readonly heads: number;
  /** Heads of keys and values; divides `heads`. */
  readonly keyValueHeads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Rows of one branch in `k` and `v`. Default: the batch's rows. */
  readonly keyRows?: number;
}

/**
 * Causal grouped-query attention with a running softmax (Milakov and Gimelshein, arXiv 1805.02867): `[B][M][heads * head]`.
 * A row attends to `[prefixStart, prefixEnd)` and `[ownStart, slot]`.
 */
export function attention(
  context: ForwardContext,
  q: Value,
  k: Value | Storage,
  v: Value | Storage,
  { heads, keyValueHeads, headDimension, keyRows }: AttentionShape,
): Value {
  const { graph, rows, branches, batch, layout } = context;
  const total = branches * rows * heads;
  const y = graph.value("attention", total * headDimension);
  graph.add({
    label: "attention",
    source: attentionSource,
    key: { QUADS: headDimension / 4, WORKGROUP: 32, LOOPED: headDimension > WIDEST_UNROLLED_HEAD },
    reads: { 1: q, 2: k, 4: v, 5: batch },
    writes: { 3: y },
    parameters: [
      rows,
      total,
      heads,
      keyValueHeads,
      keyRows ?? rows,
      layout.prefixStart,
      layout.prefixEnd,
      layout.ownStart,
      layout.slots,
      { f32: 1 / Math.sqrt(headDimension) },
      0,
    ],
    firstGroup: 10,
    // Of sequences without an end: how long they are is in the batch.
    work: total * headDimension * (keyRows ?? rows),
    workgroups: Math.ceil(total / 32),
  });
  return y;
}

/** `silu(gate) * up` (Shazeer, arXiv 2002.05202). */
export function siluGate(context: ForwardContext, gate: Value, up: Value): Value {
  const y = context.graph.value("gated", gate.words);
  const total = gate.words / 4;
  context.graph.add({
    label: "silu gate",
    source: siluGateSource,
    key: {},
    reads: { 1: gate, 2: up },
    writes: { 3: y },
    parameters: [total],
    workgroups: Math.ceil(total / 64),
  });
  return y;
}

/** Writes the log-probabilities of the targets of `list` into `out`, `[B][lossRows]`, from logits `[B][list.count][vocabulary]`. */
export function targetLogProbability(
  context: ForwardContext,
  logits: Value,
  vocabulary: number,
  out: Value,
  list: { readonly first: number; readonly count: number; readonly lossRows: number },
): void {
  const { graph, branches, batch, layout, adapterClass } = context;
  const lanes = adapterClass === "software" ? 1 : 128;
  graph.add({
    label: "target log-probability",
    source: targetSource,
    key: {
      LANES: lanes,
      WORKGROUP: lanes === 1 ? 8 : lanes,
      WIDTH: vocabulary % 4 === 0 ? 4 : 1,
    },
    reads: { 1: logits, 2: batch },
    writes: { 3: out },
    parameters: [
      list.count,
      vocabulary,
      branches,
      layout.targets + list.first,
      list.lossRows,
      list.first,
    ],
    workgroups: Math.ceil(branches * list.count / (lanes === 1 ? 8 : 1)),
  });
}

/**
 * Losses by branch into `losses`, from place `first` on (default 0), and candidates' mean log-probabilities into `scores`
 * (`[B][candidates]`).
 */
export function batchLoss(
  context: ForwardContext,
  logProbabilities: Value,
  shape: { readonly lossRows: number; readonly candidates: number },
  { losses, first = 0, scores }: {
    readonly losses: Storage;
    readonly first?: number;
    readonly scores: Storage;
  },
): void {
  const { graph, branches, batch, layout } = context;
  graph.add({
    label: "batch loss",
    source: batchLossSource,
    key: {},
    reads: { 1: logProbabilities, 2: batch },
    writes: { 3: losses, 4: scores },
    parameters: [
      shape.lossRows,
      shape.candidates,
      layout.counts,
      layout.candidateStart,
      layout.exampleStart,
      layout.labels,
      first,
    ],
    workgroups: branches,
  });
}
