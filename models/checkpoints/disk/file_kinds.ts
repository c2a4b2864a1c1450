/**
 * What files are read as: their names in messages and the most bytes of them that are looked at.
 *
 * @module
 */
import type { Attempt } from "./attempt.ts";

/** A kind of file. */
export interface FileKind {
  /** As messages name it: "Cannot read the configuration ...". */
  readonly what: string;
  /** Bytes beyond which a file is refused before anything of it is read. */
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
 * Every kind of file that is read, with its limit. A limit is far above any real file and far below what would fill memory; weights and data are
 * read in pieces and have none.
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
  /** A configuration of this library in YAML. */
  configuration: { what: "the configuration", most: 4 * MiB },
  /** `run.ledger`: a step takes a few bytes. */
  ledger: { what: "the ledger", most: 1024 * MiB },
  /** `run.state`, `best.state`: numbers of every offset. */
  state: { what: "the training state", most: Infinity },
  /** `metrics.jsonl`. */
  metrics: { what: "the metrics", most: 256 * MiB },
  /** `examples.cache`: two or four bytes a token. */
  examples: { what: "the kept examples", most: 2048 * MiB },
  /** Training, evaluation and calibration text: read as a stream, which bounds a line, a cell or an object. */
  data: { what: "the data file", most: Infinity },
};

/** The attempt to read a file of a kind, for messages. */
export function readingOf(kind: FileKindName, path: string, hint?: string): Attempt {
  return { what: `read ${FILE_KINDS[kind].what}`, path, hint };
}

/** What is asked of a file before it is opened, of what `Deno.stat` says. Public types name no `Deno`: npm's form has none. */
export interface FileFacts {
  /** Bytes. */
  readonly size: number;
  /** Whether it is a regular file. */
  readonly isFile: boolean;
  /** Whether it is a folder. */
  readonly isDirectory: boolean;
  /** Whether it is a pipe, where that is known. */
  readonly isFifo: boolean | null;
  /** Whether it is a socket, where that is known. */
  readonly isSocket: boolean | null;
  /** Whether it is a device such as a terminal, where that is known. */
  readonly isCharDevice: boolean | null;
  /** Whether it is a device such as a disk, where that is known. */
  readonly isBlockDevice: boolean | null;
}

/**
 * Refuses what is no regular file, or too large for its kind.
 *
 * @throws {TypeError} For a folder, a pipe, a socket or a device
 * @throws {RangeError} For more bytes than the kind allows
 */
export function checkFile(info: FileFacts, path: string, kind: FileKindName): void {
  const { what, most } = FILE_KINDS[kind];
  const attempt = `Cannot read ${what} "${path}"`;
  if (!info.isFile) {
    throw new TypeError(`${attempt}: it is not a file but ${thing(info)}`);
  }
  if (info.size > most) {
    throw new RangeError(`${attempt}: it has ${info.size} bytes, at most ${most} are read`);
  }
}

function thing(info: FileFacts): string {
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a pipe: save what comes out of it as a file";
  if (info.isSocket) return "a socket";
  return info.isCharDevice || info.isBlockDevice ? "a device" : "something else";
}
