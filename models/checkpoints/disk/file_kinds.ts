/**
 * The kinds of files that are read, with their names for messages and their size limits.
 *
 * @module
 */
import type { Attempt } from "./attempt.ts";

/** A kind of file. */
export interface FileKind {
  /** Name for messages: "Cannot read the configuration ...". */
  readonly what: string;
  /** Maximum size in bytes. A larger file is rejected before any of it is read. */
  readonly most: number;
}

/** The name of a kind. */
export type FileKindName =
  | "weights"
  | "adapter"
  | "settings"
  | "index"
  | "tokenizer"
  | "configuration"
  | "ledger"
  | "state"
  | "metrics"
  | "examples"
  | "data";

const MiB = 2 ** 20;

/**
 * Every kind of file that is read, with its size limit. A limit is far larger than any real file and far smaller than memory. Weights and data are
 * read in pieces and have no limit.
 */
export const FILE_KINDS: Readonly<Record<FileKindName, FileKind>> = {
  /** GGUF and safetensors files. */
  weights: { what: "the weights", most: Infinity },
  /** A fine-tune in a safetensors file. */
  adapter: { what: "the adapter", most: Infinity },
  /** `config.json`, `tokenizer_config.json` and other settings in JSON. */
  settings: { what: "the settings", most: 8 * MiB },
  /** `model.safetensors.index.json`. */
  index: { what: "the index", most: 32 * MiB },
  /** `tokenizer.json`. */
  tokenizer: { what: "the tokenizer", most: 64 * MiB },
  /** A configuration of this library, in YAML. */
  configuration: { what: "the configuration", most: 4 * MiB },
  /** `run.ledger`, which takes a few bytes per step. */
  ledger: { what: "the ledger", most: 1024 * MiB },
  /** `run.state` and `best.state`, which contain the values of every offset. */
  state: { what: "the training state", most: Infinity },
  /** `metrics.jsonl`. */
  metrics: { what: "the metrics", most: 256 * MiB },
  /** `examples.cache`, with two or four bytes per token. */
  examples: { what: "the kept examples", most: 2048 * MiB },
  /** Training, evaluation and calibration text. It is read as a stream with limits on lines, cells and objects. */
  data: { what: "the data file", most: Infinity },
};

/** The attempt to read a file of this kind, for messages. */
export function readingOf(kind: FileKindName, path: string, hint?: string): Attempt {
  return { what: `read ${FILE_KINDS[kind].what}`, path, hint };
}

/** The fields of `Deno.stat` that are checked before a file is opened. Public types do not mention `Deno`, which the npm package does not have. */
export interface FileFacts {
  /** Size in bytes. */
  readonly size: number;
  /** Whether it is a regular file. */
  readonly isFile: boolean;
  /** Whether it is a folder. */
  readonly isDirectory: boolean;
  /** Whether it is a pipe. Null if unknown. */
  readonly isFifo: boolean | null;
  /** Whether it is a socket. Null if unknown. */
  readonly isSocket: boolean | null;
  /** Whether it is a character device such as a terminal. Null if unknown. */
  readonly isCharDevice: boolean | null;
  /** Whether it is a block device such as a disk. Null if unknown. */
  readonly isBlockDevice: boolean | null;
}

/**
 * Rejects anything that is not a regular file or is too large for its kind.
 *
 * @throws {TypeError} when it is a folder, a pipe, a socket or a device.
 * @throws {RangeError} when it has more bytes than the kind allows.
 */
export function checkFile(info: FileFacts, path: string, kind: FileKindName): void {
  const { what, most } = FILE_KINDS[kind];
  const attempt = `Cannot read ${what} "${path}"`;
  if (!info.isFile) {
    throw new TypeError(`${attempt}: it is ${thing(info)}, not a file`);
  }
  if (info.size > most) {
    throw new RangeError(`${attempt}: it has ${info.size} bytes, at most ${most} are allowed`);
  }
}

function thing(info: FileFacts): string {
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a pipe (save its output as a file)";
  if (info.isSocket) return "a socket";
  return info.isCharDevice || info.isBlockDevice ? "a device" : "something else";
}
