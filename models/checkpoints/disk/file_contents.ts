/**
 * Recognises files whose first bytes show that they are not what their names say: a Git LFS pointer, an error page, an archive.
 *
 * @module
 */
import type { FileKindName } from "./file_kinds.ts";

/** Number of leading bytes that {@linkcode foreignContents} examines. */
export const CONTENTS_BYTES = 1024;

/** The beginning of a file. */
export interface FileHead {
  /** At most {@linkcode CONTENTS_BYTES} bytes. */
  readonly bytes: Uint8Array;
  /** The same bytes as a string with one character per byte. */
  readonly text: string;
  /** Size of the whole file in bytes. */
  readonly size: number;
}

interface Contents {
  /** What the file is and what to do, as a continuation of "it is ". */
  readonly says: string | ((head: FileHead) => string);
  readonly is: (head: FileHead) => boolean;
  /** False if the contents are not looked for in prose, which may legitimately begin like this. */
  readonly inText?: false;
}

const starts = (bytes: string) => ({ text }: FileHead) => text.startsWith(bytes);
const unpack = (tool: string) => `unpack it first (${tool}) and use its contents`;

/** Known contents. The first matching row is used. */
const CONTENTS: readonly Contents[] = [
  {
    is: starts("version https://git-lfs.github.com/spec/"),
    says: ({ text }) => {
      const size = /^size (\d{1,15})$/m.exec(text)?.[1];
      return `a Git LFS pointer, not the file itself: run git lfs pull${
        size === undefined ? "" : ` (the file has ${size} bytes)`
      }`;
    },
  },
  {
    is: ({ text }) => /^(?:\xEF\xBB\xBF)?\s*<(?:!doctype\s+html|html[\s>])/i.test(text),
    says:
      "a web page in HTML, not the file itself: an error or log-in page was saved in its place. Download it again (for a model of the Hugging Face hub: hf download)",
    inText: false,
  },
  {
    is: ({ text }) => /^\s*<\?xml[^>]*>\s*<Error>/i.test(text),
    says: "an error message of a file server in XML, not the file itself: download it again",
    inText: false,
  },
  {
    is: ({ text, size }) =>
      size < 1024 &&
      /^\s*(?:Entry not found|Repository not found|Invalid username or password|Access to model .* is (?:gated|restricted)|Internal Server Error|Unauthorized)/i
        .test(text),
    says: ({ text }) =>
      `an error message of a server ("${
        text.trim().slice(0, 60)
      }"), not the file itself: download it again, after logging in if necessary (hf auth login)`,
    inText: false,
  },
  {
    is: ({ text }) =>
      text.startsWith("PK\x03\x04") && /\/(?:data\.pkl|version|byteorder)/.test(text),
    says:
      "a PyTorch file (pickled), which is not supported: convert it to safetensors (save_pretrained of transformers, with safe_serialization)",
  },
  {
    is: ({ text }) => text.startsWith("PK\x03\x04") && /^[^/]{1,100}\.npy/.test(text.slice(30)),
    says: "a NumPy archive (.npz), which is not supported: convert it to safetensors",
  },
  { is: starts("PK\x03\x04"), says: `a zip archive: ${unpack("unzip")}` },
  { is: starts("\x1f\x8b"), says: `compressed with gzip: ${unpack("gunzip, or tar -xzf")}` },
  { is: starts("\x28\xb5\x2f\xfd"), says: `compressed with zstd: ${unpack("unzstd")}` },
  { is: starts("\xfd7zXZ\0"), says: `compressed with xz: ${unpack("unxz")}` },
  {
    is: ({ text }) => /^BZh[1-9]1AY&SY/.test(text),
    says: `compressed with bzip2: ${unpack("bunzip2")}`,
  },
  { is: starts("7z\xbc\xaf\x27\x1c"), says: `a 7z archive: ${unpack("7z x")}` },
  { is: starts("Rar!\x1a\x07"), says: `a rar archive: ${unpack("unrar x")}` },
  {
    is: ({ text }) => text.slice(257, 262) === "ustar",
    says: `a tar archive: ${unpack("tar -xf")}`,
  },
  {
    is: starts("\x89HDF\r\n\x1a\n"),
    says:
      "an HDF5 file (TensorFlow, Keras), which is not supported: convert the model to safetensors (from_pretrained with from_tf=True, then save_pretrained)",
  },
  {
    // Pickle protocols 2 to 5, followed by an opcode with which such files begin.
    is: ({ bytes, text }) =>
      bytes[0] === 0x80 && bytes[1] >= 2 && bytes[1] <= 5 && "\x8a\x95}cM(]".includes(text[2]),
    says:
      "a pickled file (probably from an old version of PyTorch), which is not supported: convert it to safetensors (save_pretrained of transformers)",
  },
  {
    is: starts("\x93NUMPY"),
    says:
      "a NumPy array (.npy), which is not supported: convert it to safetensors, or to jsonl for data",
  },
  {
    is: ({ text }) => text.startsWith("PAR1"),
    says:
      "a Parquet table, which is not supported: convert it to jsonl (pandas: to_json(orient='records', lines=True))",
  },
  {
    is: starts("ARROW1\0\0"),
    says: "an Arrow table, which is not supported: convert it to jsonl (datasets: to_json)",
  },
  {
    is: starts("SQLite format 3\0"),
    says: "an SQLite database, which is not supported: export jsonl or csv",
  },
  {
    is: ({ text }) =>
      /^(?:lmgg|fmgg|tjgg|algg)/.test(text) || /^(?:ggml|ggmf|ggjt|ggla)/.test(text),
    says:
      "in one of llama.cpp's formats from before GGUF (ggml, ggmf, ggjt), which is not supported: get the model as GGUF, or convert it with convert_llama_ggml_to_gguf.py of llama.cpp",
  },
  {
    is: ({ text }) => text.slice(4, 8) === "TFL3",
    says: "a TensorFlow Lite model, which is not supported: get the model as safetensors or GGUF",
  },
  {
    is: ({ bytes, size }) => size > 0 && bytes.length >= 16 && bytes.every((byte) => byte === 0),
    says:
      "a file that begins with nothing but zeros: its download did not finish, or the disk lost it. Download it again",
  },
];

/** The head of a file that begins with `bytes`. */
export function fileHead(bytes: Uint8Array, size: number): FileHead {
  const own = bytes.subarray(0, CONTENTS_BYTES);
  let text = "";
  for (const byte of own) text += String.fromCharCode(byte);
  return { bytes: own, text, size };
}

/** What a file is, as a continuation of "it is ", if it is something that cannot be read here. Otherwise undefined. */
export function foreignContents(head: FileHead, isText = false): string | undefined {
  const found = CONTENTS.find(({ is, inText }) => !(isText && inText === false) && is(head));
  return typeof found?.says === "function" ? found.says(head) : found?.says;
}

/**
 * Rejects a file that is not what its name says.
 *
 * @param bytes The beginning of the file: at least {@linkcode CONTENTS_BYTES} bytes, or all of it.
 * @throws {RangeError} when the file is empty although its kind does not allow that, or is something else. The message says what to do.
 */
export function checkContents(
  bytes: Uint8Array,
  size: number,
  path: string,
  kind: FileKindName,
): void {
  const head = fileHead(bytes, size);
  if (size === 0 && ["weights", "adapter", "settings", "index", "tokenizer"].includes(kind)) {
    throw new RangeError(
      `Cannot read "${path}": it is empty. Its download or copy failed: get it again`,
    );
  }
  const prose = kind === "data" && /\.(?:txt|html?|md|xml)(?:\.gz)?$/i.test(path);
  const found = foreignContents(head, prose);
  if (found !== undefined) throw new RangeError(`Cannot read "${path}": it is ${found}`);
}
