/**
 * Sources of a model's tensors, in the form in which they are loaded: rows of packed planes, in pieces.
 *
 * @module
 */

import type { PackedTensor } from "../../quant/layouts/layout.ts";
import type { PieceMemory } from "../../quant/piece_memory.ts";
import type { Format } from "../../quant/formats/format.ts";
import type { ByteSource } from "../../quant/files/byte_source.ts";
import type { GgufFile } from "../../quant/files/gguf.ts";
import type { GgufPart } from "../../quant/files/gguf_split.ts";
import type { WeightRole } from "../architecture.ts";
import type { ModelConfig } from "../model_config.ts";
import type { FileSource } from "./disk/files.ts";
import type { FilePatch, StoredParts } from "./stored_values.ts";
import type { Tokenizer, TokenizerOptions } from "../tokenizers/tokenizer.ts";

/** One tensor of a model file. */
export interface TensorSource {
  /** Name as in GGUF, such as `blk.0.attn_q.weight`. */
  readonly name: string;
  /** Name in its file, such as `model.layers.0.self_attn.q_proj.weight`, if it differs from `name`. */
  readonly fileName?: string | undefined;
  /** Role in the model, from the architecture. Undefined if no architecture was consulted. */
  readonly role?: WeightRole | undefined;
  /** Output features. 1 for gains. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Format as stored, or as quantised on reading. */
  readonly format: Format;
  /** Reads rows `[firstRow, firstRow + rows)` as planes, which may be allocated from `memory` if it is given. */
  readonly read: (firstRow: number, rows: number, memory?: PieceMemory) => Promise<PackedTensor>;
  /** Whether all rows must be read together (formats with a codebook, or planes that cannot be split by rows). */
  readonly whole?: boolean;
  /** The input feature of each column, if columns are stored in a different order: a permutation of `columns` numbers. */
  readonly columnOrder?: Uint32Array<ArrayBuffer> | undefined;
  /** Position of its scales (in dense tensors, its elements) and other trainable parts in the file, if they can be changed there. */
  readonly stored?: StoredParts | undefined;
  /** Changes to the files, if offsets have been folded in. */
  readonly patches?: (() => AsyncIterable<FilePatch>) | undefined;
}

/** A Hugging Face folder on disk. */
export interface StoredFolder {
  /** Path. */
  readonly path: string;
  /** The safetensors files that the model is read from, by name. */
  readonly files: ReadonlyMap<string, FileSource>;
}

/** Tokenizer files in a folder. */
export interface TokenizerFiles extends TokenizerOptions {
  /** Contents of `tokenizer.json`. */
  readonly json: unknown;
  /** Contents of `tokenizer_config.json`. Undefined if there is none. */
  readonly config: unknown;
}

/** A model on disk. */
export interface ModelSource extends Disposable {
  /** Path. */
  readonly name: string;
  /** Shape and constants. */
  readonly config: ModelConfig;
  /** Tensors by GGUF name. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** Tokenizer, if the files contain one. */
  readonly tokenizer: Tokenizer | undefined;
  /** Divisors of the rotary frequencies, if the file contains them. */
  readonly ropeFactors?: Float32Array | undefined;
  /** The file, if the model is a single GGUF file whose tensors are read unchanged. */
  readonly gguf?: { readonly source: ByteSource; readonly file: GgufFile } | undefined;
  /** The files, if the model is a split GGUF model whose tensors are read unchanged. */
  readonly split?: readonly GgufPart[] | undefined;
  /** The folder, if its tensors are read unchanged. */
  readonly folder?: StoredFolder | undefined;
  /** Header whose metadata is kept when this model is written as a GGUF file. */
  readonly header?: GgufFile | undefined;
  /** Information for the user about how the model was read, one sentence each: what was left out, and what was inferred from the data. */
  readonly notes?: readonly string[] | undefined;
  /** The folder's files from which the tokenizer was made, so that they can be written again. */
  readonly tokenizerFiles?: TokenizerFiles | undefined;
}

const madeForCaller = new WeakSet<TensorSource["read"]>();

/** Marks a `read` function whose results are created for the caller, who may transfer their memory to a worker. */
export function forCaller(read: TensorSource["read"]): TensorSource["read"] {
  madeForCaller.add(read);
  return read;
}

/** Whether a tensor's rows are created for the caller ({@linkcode forCaller}). A copy of the tensor with another `read` is not marked. */
export function isForCaller({ read }: TensorSource): boolean {
  return madeForCaller.has(read);
}

/** Some rows of a tensor, as read. */
export interface Piece {
  /** The tensor. */
  readonly tensor: TensorSource;
  /** Index of the first row. */
  readonly firstRow: number;
  /** The rows. */
  readonly packed: PackedTensor;
  /** Whether these are the tensor's last rows. */
  readonly last: boolean;
}

/** Options for reading pieces. */
export interface ReadOptions {
  /** Aborts between two pieces. */
  readonly signal?: AbortSignal | undefined;
  /** Memory for pieces. The consumer of a piece returns its memory. */
  readonly memory?: PieceMemory | undefined;
}

/** Bytes that the disk reads ahead while the caller works on a piece. */
const BYTES_AHEAD = 12 * 2 ** 20;

/**
 * Reads tensors one after another, in pieces of the size given by {@linkcode rowsPerPiece}, in row order. Tensors stored in a file are read
 * ahead. For others, whose reading may involve computation, at most the next piece of the same tensor is started early.
 *
 * @throws The signal's reason when it aborts, and any error of reading.
 */
export async function* piecesOf(
  tensors: Iterable<TensorSource>,
  { signal, memory }: ReadOptions = {},
): AsyncGenerator<Piece> {
  const places = placesOf(tensors);
  let next = places.next().value;
  const begun: { place: Place; packed: Promise<PackedTensor> }[] = [];
  let bytesAhead = 0;
  /** Starts the reads that may run while a piece of `current` (or none) is being processed. */
  const begin = (current?: TensorSource) => {
    while (next && mayBegin(next, current)) {
      const packed = next.tensor.read(next.firstRow, next.rows, memory);
      packed.catch(() => {}); // Awaited later, or never if the caller stops iterating.
      begun.push({ place: next, packed });
      bytesAhead += next.bytes;
      next = places.next().value;
    }
  };
  const mayBegin = ({ tensor, bytes }: Place, current?: TensorSource) =>
    begun.length === 0
      ? !current || tensor === current || isForCaller(tensor)
      : isForCaller(tensor) && bytesAhead + bytes <= BYTES_AHEAD;
  while (true) {
    signal?.throwIfAborted();
    begin();
    const first = begun.shift();
    if (!first) return;
    const { place: { tensor, firstRow, last, bytes } } = first;
    bytesAhead -= bytes;
    const packed = await first.packed;
    begin(tensor);
    yield { tensor, firstRow, packed, last };
  }
}

interface Place extends Omit<Piece, "packed"> {
  readonly rows: number;
  readonly bytes: number;
}

function* placesOf(tensors: Iterable<TensorSource>): Generator<Place, undefined> {
  for (const tensor of tensors) {
    const step = rowsPerPiece(tensor);
    const rowBytes = tensor.format.rowBytes(tensor.columns);
    for (let firstRow = 0; firstRow < tensor.rows; firstRow += step) {
      const rows = Math.min(step, tensor.rows - firstRow);
      const last = firstRow + rows === tensor.rows;
      yield { tensor, firstRow, rows, last, bytes: rows * rowBytes };
    }
  }
}

/**
 * How many rows to read at once so that a piece is about 4 MiB. Smaller pieces stay in caches until they are uploaded, but with pieces of 2 MiB
 * and less, twice as many waited for the garbage collector. The number is even, because scales are stored two per word.
 */
export function rowsPerPiece(tensor: TensorSource): number {
  if (tensor.whole) return tensor.rows;
  const perRow = tensor.format.rowBytes(tensor.columns);
  return Math.max(2, Math.floor(4 * 2 ** 20 / perRow / 2) * 2);
}
