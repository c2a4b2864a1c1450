/**
 * Where the trainable values of a tensor lie in the files of a model, and how trained offsets are folded into them there: the
 * codes and everything else are not touched.
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

/** What was trained of one tensor, or of one part of it. */
export interface TrainedTensor extends Pick<Trainable, "form" | "span"> {
  /** All offsets of it. */
  readonly offsets: Float32Array;
}

/** What rounding to the stored precision did, summed over what has been read so far. */
export type FoldCounts = FoldTally;

/** Bytes that replace others of the same length in a file. */
export interface FilePatch {
  /** The file as it is. */
  readonly file: FileSource;
  /** In bytes from its start. */
  readonly offset: number;
  /** What is to be there. */
  readonly bytes: Uint8Array;
}

/** The values of a part of a quantised tensor, or the elements of a dense one, in a file. */
export interface StoredValues {
  /** Open as long as the model's source is. */
  readonly file: FileSource;
  /** In bytes from the start of the file. */
  readonly offset: number;
  /** In bytes. */
  readonly byteLength: number;
  /** Bytes of a value. */
  readonly width: 1 | 2 | 4;
  /** How to read the bits of value `index`. */
  readonly codec: (index: number) => FloatCodec;
  /**
   * Which value is that of a row (of column layouts: a class) and group, or column of a dense tensor. Absent: dense tensors are row-major.
   * Codebooks are in the order of their plane: there it is not asked.
   */
  readonly at?: (row: number, group: number) => number;
  /** Whether a dense tensor's elements are made of the stored values: what changes has to be rounded to what can be made. */
  readonly derived?: boolean;
}

/** Where the parts of a tensor that can be trained lie; one that is not there cannot be changed there. */
export type StoredParts = Readonly<Partial<Record<TrainedPart, StoredValues>>>;

/** Trained offsets and the values that they belong to. */
export interface StoredFold {
  /** What of the tensor it is. */
  readonly part: TrainedPart;
  /** Where the values lie. */
  readonly stored: StoredValues;
  /** The offsets. */
  readonly trained: TrainedTensor;
}

const DTYPES: Readonly<Record<string, { width: 2 | 4; codec: FloatCodec }>> = {
  F32: { width: 4, codec: FLOAT_CODECS.f32 },
  F16: { width: 2, codec: FLOAT_CODECS.f16 },
  BF16: { width: 2, codec: FLOAT_CODECS.bf16 },
};

/** Floats of a stored tensor. @throws {RangeError} for a type that is none of F32, F16, BF16. */
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

/** Floats of a gain that is stored as its distance from 1. @throws {RangeError} for a type that is none of F32, F16, BF16. */
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
 * Folds trained offsets of a tensor's parts into stored values; yields the pieces of the file that change and adds to `counts`.
 *
 * @throws {RangeError} for a span that no group can hold, or an offset that is not finite.
 * @throws {TypeError} when the number of offsets does not fit the tensor.
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
  // Scales and minima may lie among each other: such values are read and written once.
  const places = Map.groupBy(
    folds,
    ({ stored: { file, offset } }) =>
      folds.find(({ stored }) => stored.file === file && stored.offset === offset)!,
  );
  for (const [{ stored: { file, offset, byteLength, width } }, together] of places) {
    const values = byteLength / width;
    // A dense tensor may be large; all else of a tensor is small.
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

/** Folds the offsets of the values from `first` on into their bits. */
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
  // Whatever a source hands out, FileSource's reads own their buffer.
  return width === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
}
