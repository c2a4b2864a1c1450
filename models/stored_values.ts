/**
 * Where the trainable values of a tensor lie in the files of a model, and how trained offsets are folded into them there: the
 * codes, the zero points and everything else are not touched.
 *
 * @module
 */

import { FLOAT_CODECS, type FloatCodec } from "../quant/float_codecs.ts";
import { groupsPerRow, type Layout, scaleRows } from "../quant/layout.ts";
import {
  groupOffsets,
  offsetCount,
  type OffsetFold,
  offsetFold,
  type OffsetForm,
} from "../quant/offsets.ts";
import type { FileSource } from "./file_source.ts";

/** What was trained of one tensor. */
export interface TrainedTensor {
  /** How an offset changes its base. */
  readonly form: OffsetForm;
  /** Columns that share an offset; 1 for dense tensors. */
  readonly span: number;
  /** All offsets of the tensor. */
  readonly offsets: Float32Array;
}

/** What rounding to the stored precision did, summed over what has been read so far. */
export interface FoldCounts {
  /** Values whose offset is not zero but whose stored bits stayed the same. */
  swallowed: number;
  /** Values whose stored bits changed. */
  changed: number;
}

/** Bytes that replace others of the same length in a file. */
export interface FilePatch {
  /** The file as it is. */
  readonly file: FileSource;
  /** In bytes from its start. */
  readonly offset: number;
  /** What is to be there. */
  readonly bytes: Uint8Array;
}

/** The scales of a quantised tensor, or the elements of a dense one, in a file. */
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
  /** Which value is the scale of a row (of column layouts: a class) and group. Dense tensors: row-major, and this is not asked. */
  readonly at?: (row: number, group: number) => number;
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

const PIECE = 8 * 2 ** 20;

/**
 * Folds trained offsets into stored values; yields the pieces of the file that change and adds to `counts`.
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
  stored: StoredValues,
  { form, span, offsets }: TrainedTensor,
  counts: FoldCounts,
): AsyncGenerator<FilePatch> {
  const { name, layout, rows, columns } = tensor;
  const count = offsetCount(layout, rows, columns, span);
  if (offsets.length !== count) {
    throw new TypeError(
      `Cannot fold ${offsets.length} offsets into tensor "${name}" of ${rows} x ${columns}: expected ${count}`,
    );
  }
  const folds = new Map<FloatCodec, OffsetFold>();
  const foldOf = (codec: FloatCodec): OffsetFold => {
    const made = folds.get(codec) ?? offsetFold(form, codec);
    folds.set(codec, made);
    return made;
  };
  // Folds the values `[from, from + length)`, if any of them changes.
  const fold = async (
    from: number,
    length: number,
    each: (apply: (index: number, offset: number) => void) => void,
  ): Promise<FilePatch | undefined> => {
    const { file, width } = stored;
    const bytes = await file.read(stored.offset + from * width, length * width);
    const values = bitsOf(bytes, width);
    let changed = false;
    each((index, offset) => {
      const bits = values[index];
      values[index] = foldOf(stored.codec(from + index)).apply(bits, offset);
      changed ||= values[index] !== bits;
    });
    for (const { counts: made } of folds.values()) {
      counts.changed += made.changed;
      counts.swallowed += made.swallowed;
    }
    folds.clear();
    return changed ? { file, offset: stored.offset + from * width, bytes } : undefined;
  };
  if (layout.kind === "dense") {
    const step = PIECE / 4;
    for (let first = 0; first < count; first += step) {
      const length = Math.min(step, count - first);
      const patch = await fold(first, length, (apply) => {
        for (let i = 0; i < length; i++) apply(i, offsets[first + i]);
      });
      if (patch) yield patch;
    }
    return;
  }
  const offsetAt = groupOffsets(layout, rows, columns, span);
  const groups = groupsPerRow(layout, columns);
  const patch = await fold(0, stored.byteLength / stored.width, (apply) => {
    for (let row = 0; row < scaleRows(layout, rows); row++) {
      for (let g = 0; g < groups; g++) apply(stored.at!(row, g), offsets[offsetAt(row, g)]);
    }
  });
  if (patch) yield patch;
}

function bitsOf(
  bytes: Uint8Array<ArrayBuffer>,
  width: 1 | 2 | 4,
): Uint8Array | Uint16Array | Uint32Array {
  if (width === 1) return bytes;
  // Whatever a source hands out, FileSource's reads own their buffer.
  return width === 2 ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
}
