/**
 * Where a model's tensors come from, in the form they are loaded in: rows of packed planes, in pieces.
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
  /** GGUF name, such as `blk.0.attn_q.weight`. */
  readonly name: string;
  /** As its file names it, where that is not `name`: `model.layers.0.self_attn.q_proj.weight`. */
  readonly fileName?: string | undefined;
  /** What it is to its model, as the architecture says; absent where none was asked. */
  readonly role?: WeightRole | undefined;
  /** Output features; 1 for gains. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** As stored, or as quantised on reading. */
  readonly format: Format;
  /** Reads rows `[firstRow, firstRow + rows)` as planes, which may lie in `memory`, where it is given. */
  readonly read: (firstRow: number, rows: number, memory?: PieceMemory) => Promise<PackedTensor>;
  /** Rows are only to be read all at once (formats with a codebook, or planes that do not split by rows). */
  readonly whole?: boolean;
  /** The input feature that each column belongs to, where that is not its place: `columns` numbers, each once. */
  readonly columnOrder?: Uint32Array<ArrayBuffer> | undefined;
  /** Where its scales (dense tensors: its elements) and what else can be trained lie, when they can be changed there. */
  readonly stored?: StoredParts | undefined;
  /** What of the files differs, when something has been folded in. */
  readonly patches?: (() => AsyncIterable<FilePatch>) | undefined;
}

/** A Hugging Face folder on disk. */
export interface StoredFolder {
  /** Where it lies. */
  readonly path: string;
  /** Its safetensors files by name, those that the model is read from. */
  readonly files: ReadonlyMap<string, FileSource>;
}

/** What a folder holds of a tokenizer. */
export interface TokenizerFiles extends TokenizerOptions {
  /** Contents of `tokenizer.json`. */
  readonly json: unknown;
  /** Contents of `tokenizer_config.json`; undefined where there is none. */
  readonly config: unknown;
}

/** A model as it lies on disk. */
export interface ModelSource extends Disposable {
  /** Path. */
  readonly name: string;
  /** Shape and constants. */
  readonly config: ModelConfig;
  /** By GGUF name. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /** If the file brings one. */
  readonly tokenizer: Tokenizer | undefined;
  /** Divisors of the rotary frequencies, when the file brings them. */
  readonly ropeFactors?: Float32Array | undefined;
  /** The file itself, when it is one GGUF file whose tensors are read as they are. */
  readonly gguf?: { readonly source: ByteSource; readonly file: GgufFile } | undefined;
  /** The files themselves, when they are the parts of a split GGUF model whose tensors are read as they are. */
  readonly split?: readonly GgufPart[] | undefined;
  /** The folder itself, when its tensors are read as they are. */
  readonly folder?: StoredFolder | undefined;
  /** The header whose metadata a GGUF file written from this model keeps. */
  readonly header?: GgufFile | undefined;
  /** What a user should know of how it was read, a sentence each: what was left out, what was told apart by the data. */
  readonly notes?: readonly string[] | undefined;
  /** The folder's files from which its tokenizer was made, and can be written again. */
  readonly tokenizerFiles?: TokenizerFiles | undefined;
}

const madeForCaller = new WeakSet<TensorSource["read"]>();

/** Says of a `read` that what it resolves to is made for the caller, who may hand its memory on to a worker. */
export function forCaller(read: TensorSource["read"]): TensorSource["read"] {
  madeForCaller.add(read);
  return read;
}

/** Whether a tensor's rows are made for the caller ({@linkcode forCaller}). A tensor with another `read` is another. */
export function isForCaller({ read }: TensorSource): boolean {
  return madeForCaller.has(read);
}

/** Some rows of a tensor, as they were read. */
export interface Piece {
  /** Whose. */
  readonly tensor: TensorSource;
  /** The first of them. */
  readonly firstRow: number;
  /** Them. */
  readonly packed: PackedTensor;
  /** Whether they are the last of their tensor. */
  readonly last: boolean;
}

/** How pieces are read. */
export interface ReadOptions {
  /** Stops between two pieces. */
  readonly signal?: AbortSignal | undefined;
  /** What pieces may lie in; whoever is done with one gives it back. */
  readonly memory?: PieceMemory | undefined;
}

/** Bytes that the disk is at work on while the caller is on a piece. */
const BYTES_AHEAD = 12 * 2 ** 20;

/**
 * Tensors one behind the other, in the pieces that {@linkcode rowsPerPiece} says, in the order of their rows. Tensors that lie in a file
 * are read ahead; of others, whose reading may be work, begins at most the next piece of the same tensor.
 *
 * @throws The signal's reason when it aborts, and what reading throws
 */
export async function* piecesOf(
  tensors: Iterable<TensorSource>,
  { signal, memory }: ReadOptions = {},
): AsyncGenerator<Piece> {
  const places = placesOf(tensors);
  let next = places.next().value;
  const begun: { place: Place; packed: Promise<PackedTensor> }[] = [];
  let bytesAhead = 0;
  /** Begins what may begin beside work on a piece of `current`, or of none. */
  const begin = (current?: TensorSource) => {
    while (next && mayBegin(next, current)) {
      const packed = next.tensor.read(next.firstRow, next.rows, memory);
      packed.catch(() => {}); // It is awaited later, or by nobody when the caller leaves.
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

/** How many rows to read at once so that a piece stays near 4 MiB: less lies in caches until it is uploaded, and of pieces of 2 MiB and less twice as much waited for the collector; even, because scales lie two to a word. */
export function rowsPerPiece(tensor: TensorSource): number {
  if (tensor.whole) return tensor.rows;
  const perRow = tensor.format.rowBytes(tensor.columns);
  return Math.max(2, Math.floor(4 * 2 ** 20 / perRow / 2) * 2);
}
