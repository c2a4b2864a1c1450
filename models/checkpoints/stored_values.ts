/**
 * Positions of a tensor's trainable values in the files of a model, and how trained offsets are folded into them. Codes and everything else are
 * left unchanged.
 *
 * @module
 */

import type { Trainable } from "../../optim/trainable.ts";
import { FLOAT_CODECS, type FloatCodec } from "../../quant/layouts/float_codecs.ts";
import { groupsPerRow, isQuantised, type Layout, scaleRows } from "../../quant/layouts/layout.ts";
import {
  addTally,
  assertWithin,
  type Beyond,
  type FoldTally,
  groupOffsets,
  offsetCount,
  type OffsetFold,
  offsetFold,
} from "../../quant/fold/fold_offsets.ts";
import type { TrainedPart } from "../../quant/layouts/trained_part.ts";
import type { FileSource } from "./disk/files.ts";

/** The trained offsets of a tensor, or of one part of it. */
export interface TrainedTensor extends Pick<Trainable, "form" | "span"> {
  /** All offsets of the tensor or part. */
  readonly offsets: Float32Array;
}

/** Effects of rounding to the stored precision, summed over all values read so far. */
export type FoldCounts = FoldTally;

/** Bytes that replace others of the same length in a file. */
export interface FilePatch {
  /** The unchanged file. */
  readonly file: FileSource;
  /** Offset from the start of the file in bytes. */
  readonly offset: number;
  /** The new bytes. */
  readonly bytes: Uint8Array;
}

/** Position in a file of the values of a quantised tensor's part, or of a dense tensor's elements. */
export interface StoredValues {
  /** The file. It is open as long as the model's source is. */
  readonly file: FileSource;
  /** Offset from the start of the file in bytes. */
  readonly offset: number;
  /** Length in bytes. */
  readonly byteLength: number;
  /** Bytes per value. */
  readonly width: 1 | 2 | 4;
  /** The codec of value `index`. */
  readonly codec: (index: number) => FloatCodec;
  /**
   * The index of the value for a row (in column layouts, a class) and a group, or for a row and column of a dense tensor. If absent, dense
   * tensors are row-major. Not used for codebooks, whose values are in the order of their plane.
   */
  readonly at?: (row: number, group: number) => number;
  /**
   * Whether a dense tensor's elements are computed from the stored values. Changes must then be rounded to numbers that can be computed this
   * way.
   */
  readonly derived?: boolean;
}

/** Positions of the trainable parts of a tensor. A part that is absent cannot be changed in the file. */
export type StoredParts = Readonly<Partial<Record<TrainedPart, StoredValues>>>;

/** Trained offsets and the values they change. */
export interface StoredFold {
  /** The part of the tensor. */
  readonly part: TrainedPart;
  /** Position of the values. */
  readonly stored: StoredValues;
  /** The offsets. */
  readonly trained: TrainedTensor;
}

const DTYPES: Readonly<Record<string, { width: 2 | 4; codec: FloatCodec }>> = {
  F32: { width: 4, codec: FLOAT_CODECS.f32 },
  F16: { width: 2, codec: FLOAT_CODECS.f16 },
  BF16: { width: 2, codec: FLOAT_CODECS.bf16 },
};

/**
 * Position of the floats of a stored tensor.
 *
 * @throws {RangeError} for a type other than F32, F16 and BF16.
 */
export function storedFloats(
  place: {
    readonly file: FileSource;
    readonly offset: number;
    readonly byteLength: number;
    readonly dtype: string;
  },
  at?: (row: number, group: number) => number,
): StoredValues {
  const { file, offset, byteLength, dtype } = place;
  const type = DTYPES[dtype];
  if (!type) throw new RangeError(`Cannot fold values of type ${dtype}`);
  return { file, offset, byteLength, width: type.width, codec: () => type.codec, at };
}

/**
 * Position of the floats of a gain that is stored minus 1.
 *
 * @throws {RangeError} for a type other than F32, F16 and BF16.
 */
export function storedFromOne(place: Parameters<typeof storedFloats>[0]): StoredValues {
  const stored = storedFloats(place);
  const distance = stored.codec(0);
  const codec: FloatCodec = {
    toNumber: (bits) => Math.fround(1 + distance.toNumber(bits)),
    toBits: (value) => distance.toBits(value - 1),
  };
  return { ...stored, codec: () => codec, derived: true };
}

const PIECE = 8 * 2 ** 20;

/**
 * Folds the trained offsets of a tensor's parts into stored values. Yields the pieces of the file that change, and adds to `counts`.
 *
 * @throws {RangeError} for a span that ends within a group, or an offset that is not finite.
 * @throws {TypeError} when the number of offsets does not match the tensor.
 */
export async function* foldStored(
  tensor: {
    readonly name: string;
    readonly layout: Layout;
    readonly rows: number;
    readonly columns: number;
  },
  folds: readonly StoredFold[],
  counts: FoldCounts,
  beyond: Beyond = "keep",
): AsyncGenerator<FilePatch> {
  const { name, layout, rows, columns } = tensor;
  for (const { part, trained: { span, offsets } } of folds) {
    const count = offsetCount(layout, rows, columns, span, part);
    if (offsets.length !== count) {
      throw new TypeError(
        `Cannot fold ${offsets.length} offsets into the ${part} of tensor "${name}" of ${rows} x ${columns}: expected ${count}`,
      );
    }
  }
  // Scales and minima may be interleaved: such values are read and written once.
  const places = Map.groupBy(
    folds,
    ({ stored: { file, offset } }) =>
      folds.find(({ stored }) => stored.file === file && stored.offset === offset)!,
  );
  for (const [{ stored: { file, offset, byteLength, width } }, together] of places) {
    const values = byteLength / width;
    // A dense tensor may be large; all other parts are small.
    const isRowMajor = together.every(({ stored: { at } }) => at === undefined);
    const step = !isQuantised(layout) && isRowMajor ? PIECE / 4 : values;
    for (let first = 0; first < values; first += step) {
      const length = Math.min(step, values - first);
      const bytes = await file.read(offset + first * width, length * width);
      const bits = bitsOf(bytes, width);
      let changed = 0;
      for (const one of together) {
        const made = foldInto(bits, first, tensor, one, beyond);
        changed += made.changed;
        addTally(counts, made);
        assertWithin(`"${name}" (${one.part})`, made, beyond);
      }
      if (changed > 0) yield { file, offset: offset + first * width, bytes };
    }
  }
}

/** Folds offsets into the bits of the values from `first` on. */
function foldInto(
  bits: Uint8Array | Uint16Array | Uint32Array,
  first: number,
  { layout, rows, columns }: {
    readonly layout: Layout;
    readonly rows: number;
    readonly columns: number;
  },
  { part, stored, trained: { form, span, offsets } }: StoredFold,
  beyond: Beyond,
): FoldCounts {
  const folds = new Map<FloatCodec, OffsetFold>();
  const apply = (index: number, offset: number): void => {
    const codec = stored.codec(first + index);
    const fold = folds.get(codec) ?? offsetFold(form, codec, beyond);
    folds.set(codec, fold);
    bits[index] = fold.apply(bits[index], offset);
  };
  if (!isQuantised(layout) && stored.at) {
    offsets.forEach((offset, i) => apply(stored.at!(Math.floor(i / columns), i % columns), offset));
  } else if (!isQuantised(layout) || part === "codebook") {
    for (let i = 0; i < bits.length; i++) apply(i, offsets[first + i]);
  } else {
    const offsetAt = groupOffsets(layout, rows, columns, span);
    const groups = groupsPerRow(layout, columns);
    for (let row = 0; row < scaleRows(layout, rows); row++) {
      for (let g = 0; g < groups; g++) apply(stored.at!(row, g), offsets[offsetAt(row, g)]);
    }
  }
  const counts: FoldCounts = { swallowed: 0, changed: 0 };
  for (const fold of folds.values()) addTally(counts, fold.counts);
  return counts;
}

function bitsOf(
  bytes: Uint8Array<ArrayBuffer>,
  width: 1 | 2 | 4,
): Uint8Array | Uint16Array | Uint32Array {
  if (width === 1) return bytes;
  // Whatever a source returns, a read of a FileSource owns its buffer.
  return width === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
}
