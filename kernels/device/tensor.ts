/**
 * A packed tensor on the device.
 *
 * @module
 */

import {
  columnMultiple,
  groupColumns,
  groupsPerRow,
  isQuantised,
  type Layout,
  type PackedTensor,
  planeWords,
  rowPeriod,
} from "../../quant/layouts/layout.ts";
import type { Gpu } from "./gpu.ts";
import { Storage } from "./storage.ts";

/** Consecutive rows of a tensor, as many as one binding can cover. */
export interface TensorPiece {
  /** Index of the first row in the whole tensor. */
  readonly firstRow: number;
  /** Number of rows. */
  readonly rows: number;
  /** The packed codes. */
  readonly codes: Storage;
  /** The packed scales. Undefined for dense tensors. */
  readonly scales: Storage | undefined;
}

/**
 * A tensor of `rows x columns` in packed planes on the device, split by rows if it is too large for one binding.
 *
 * @example A matrix of 64 MiB, in four bindings of 16 MiB
 * ```ts
 * import { DeviceTensor } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const dense = { kind: "dense", type: "f32" } as const;
 * const tensor = new DeviceTensor("output.weight", dense, 4096, 4096, 2 ** 24);
 * assertEquals(tensor.pieces.map(({ firstRow }) => firstRow), [0, 1024, 2048, 3072]);
 * ```
 */
export class DeviceTensor implements Disposable {
  /** Name, as in the model and in ledgers. */
  readonly name: string;
  /** Layout that defines how to read its planes. */
  readonly layout: Layout;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Pieces in row order. */
  readonly pieces: readonly TensorPiece[];
  /** Values shared by several rows. Only for codebook and column layouts and grid formats. */
  readonly codebook: Storage | undefined;

  /**
   * Describes the tensor. Nothing is allocated yet.
   *
   * @param maxBinding The most bytes that one binding can cover.
   * @throws {RangeError} when a row exceeds a binding, or the layout cannot hold the columns.
   */
  constructor(name: string, layout: Layout, rows: number, columns: number, maxBinding: number) {
    // Vectors that are added, such as the bias of a head, may have any number of elements, such as the size of the vocabulary.
    const multiple = isQuantised(layout) ? columnMultiple(layout) : rows === 1 ? 1 : 4;
    if (!(rows > 0) || !(columns > 0) || columns % multiple !== 0) {
      throw new RangeError(
        `Cannot place tensor "${name}" of ${rows} x ${columns}: columns must be a multiple of ${multiple} in this layout`,
      );
    }
    this.name = name;
    this.layout = layout;
    this.rows = rows;
    this.columns = columns;
    const perPiece = rowsPerPiece(name, layout, rows, columns, maxBinding);
    const pieces: TensorPiece[] = [];
    for (let first = 0; first < rows; first += perPiece) {
      const count = Math.min(perPiece, rows - first);
      const words = planeWords(layout, count, columns);
      const suffix = perPiece < rows ? ` rows ${first}..${first + count - 1}` : "";
      pieces.push({
        firstRow: first,
        rows: count,
        codes: new Storage(`${name} codes${suffix}`, words.codes * 4, "weights"),
        scales: words.scales > 0
          ? new Storage(`${name} scales${suffix}`, words.scales * 4, "weights")
          : undefined,
      });
    }
    this.pieces = pieces;
    const shared = planeWords(layout, 1, columns).codebook;
    this.codebook = shared > 0 ? new Storage(`${name} codebook`, shared * 4, "weights") : undefined;
  }

  /** All memory of the tensor. */
  get storages(): Storage[] {
    return [
      ...this.pieces.flatMap((p) => p.scales ? [p.codes, p.scales] : [p.codes]),
      ...(this.codebook ? [this.codebook] : []),
    ];
  }

  /** Number of columns that share a scale, at most the whole row; 1 for dense tensors. */
  get groupColumns(): number {
    return Math.min(groupColumns(this.layout, this.columns), this.columns);
  }

  /** Number of scales per row; 0 for dense tensors. */
  get groups(): number {
    return groupsPerRow(this.layout, this.columns);
  }

  /**
   * Writes `packed` at row `firstRow`, allocating the memory it needs. Rows can be written in several calls. Every
   * `firstRow` must be even, because scales are stored two per word.
   */
  write(gpu: Gpu, packed: PackedTensor, firstRow = 0): void {
    if (
      packed.columns !== this.columns || firstRow + packed.rows > this.rows || firstRow % 2 !== 0
    ) {
      throw new RangeError(
        `Cannot write rows ${firstRow}..${
          firstRow + packed.rows - 1
        } of "${this.name}": it has ${this.rows} x ${this.columns}, given ${packed.columns} columns`,
      );
    }
    const one = planeWords(this.layout, 2, this.columns);
    for (const piece of this.pieces) {
      const from = Math.max(firstRow, piece.firstRow);
      const to = Math.min(firstRow + packed.rows, piece.firstRow + piece.rows);
      if (from >= to) continue;
      copyRows(
        gpu,
        packed.codes,
        one.codes / 2,
        from - firstRow,
        to - from,
        piece.codes,
        from - piece.firstRow,
      );
      if (piece.scales) {
        copyRows(
          gpu,
          packed.scales,
          one.scales / 2,
          from - firstRow,
          to - from,
          piece.scales,
          from - piece.firstRow,
        );
      }
    }
    if (this.codebook && packed.codebook.length > 0) {
      this.codebook.allocate(gpu);
      gpu.write(this.codebook.buffer, packed.codebook);
    }
  }

  /** Frees its buffers. */
  [Symbol.dispose](): void {
    for (const storage of this.storages) storage[Symbol.dispose]();
  }
}

function rowsPerPiece(
  name: string,
  layout: Layout,
  rows: number,
  columns: number,
  max: number,
): number {
  const bytesFor = (n: number) => {
    const words = planeWords(layout, n, columns);
    return Math.max(words.codes, words.scales) * 4;
  };
  if (bytesFor(rows) <= max) return rows;
  // Pieces of column layouts begin with the first class, so that kernels need not know the position of a piece.
  const period = rowPeriod(layout);
  const step = period === undefined ? 64 : 16 * period;
  const fit = Math.floor(max / (bytesFor(step) / step) / step) * step;
  if (fit < step) {
    throw new RangeError(
      `Cannot place tensor "${name}" of ${rows} x ${columns}: ${step} rows exceed one binding of ${max} bytes`,
    );
  }
  return fit;
}

function copyRows(
  gpu: Gpu,
  words: Uint32Array<ArrayBuffer>,
  wordsPerRow: number,
  fromRow: number,
  rows: number,
  to: Storage,
  toRow: number,
): void {
  const start = Math.floor(fromRow * wordsPerRow);
  const end = Math.ceil((fromRow + rows) * wordsPerRow);
  const piece = words.subarray(start, Math.min(end, words.length));
  gpu.write(to.allocate(gpu).buffer, piece, Math.floor(toRow * wordsPerRow) * 4);
}
