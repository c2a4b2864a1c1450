/**
 * Translates errors of the operating system about files into messages that say what was attempted, on which path, and what to do.
 *
 * @module
 */

/** An operation on a path. */
export interface Attempt {
  /** The operation as it appears after "Cannot": `read the configuration`, `write`. */
  readonly what: string;
  /** The file or folder. */
  readonly path: string;
  /** What to do if nothing exists at the path, or where the path came from. A sentence without its full stop. */
  readonly hint?: string | undefined;
}

interface Answer {
  readonly is: (error: Error, code: string) => boolean;
  /** The message for `path`. */
  readonly words: (error: Error, path: string) => string;
  /** Whether the attempt's own hint replaces `words`. True only if nothing exists at the path. */
  readonly absent?: boolean;
}

const flagOf = (error: Error) => /--allow-[a-z]+/.exec(error.message)?.[0] ?? "--allow-read";

/** Known errors. The first matching row is used. */
const ANSWERS: readonly Answer[] = [
  {
    is: (error) => error instanceof Deno.errors.NotCapable,
    words: (error) => `Deno was started without permission for it. Run it with ${flagOf(error)}`,
  },
  {
    is: (error) => error instanceof TypeError && /NUL byte/.test(error.message),
    words: () => "its name has a NUL character, which file names cannot have",
  },
  { is: (_, code) => code === "ENOENT", words: absent, absent: true },
  {
    is: (_, code) => code === "EACCES" || code === "EPERM",
    words: () =>
      "permission denied. Change its owner or mode (chmod), or run as a user with access",
  },
  { is: (_, code) => code === "EISDIR", words: () => "it is a folder, not a file" },
  {
    is: (_, code) => code === "ENOTDIR",
    words: () => "a part of the path is a file, where a folder was expected",
  },
  {
    is: (_, code) => code === "ENAMETOOLONG",
    words: () => "the name is too long: most systems allow 255 bytes for each part of a path",
  },
  {
    is: (_, code) => code === "ELOOP",
    words: () => "its links form a loop",
  },
  {
    is: (_, code) => code === "ENOSPC" || code === "EDQUOT",
    words: () => "no space left on the disk. Free some space, or write elsewhere",
  },
  {
    is: (_, code) => code === "EFBIG",
    words: () => "the file would be too large for its disk, or for a limit that is set (ulimit -f)",
  },
  {
    is: (_, code) => code === "EROFS",
    words: () => "it lies on a disk that is mounted read-only. Write elsewhere",
  },
  {
    is: (_, code) => code === "EMFILE" || code === "ENFILE",
    words: () => "too many files are open. Close some, or raise the limit (ulimit -n)",
  },
  { is: (_, code) => code === "EEXIST", words: () => "it exists already" },
  {
    is: (_, code) => code === "EBUSY" || code === "ETXTBSY",
    words: () => "another program is using it",
  },
  {
    is: (_, code) => code === "EIO",
    words: () => "the disk failed to read or write it (an input/output error)",
  },
];

function absent(_: Error, path: string): string {
  if (path === "") return "the path is empty";
  try {
    if (Deno.lstatSync(path).isSymlink) {
      return `it is a link to "${Deno.readLinkSync(path)}", which is not there`;
    }
  } catch { /* Nothing exists there, or it cannot be examined. */ }
  return "there is no such file or folder";
}

/** The system's message without its error number and system call: `Device or resource busy`. */
function plainWords({ message }: Error): string {
  return message.replace(/ \(os error \d+\).*$/s, "").replace(/^./, (c) => c.toLowerCase());
}

/** Whether an error came from the operating system or from Deno's permissions rather than from this library. */
export function isOsError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return codeOf(error) !== "" || / \(os error \d+\)/.test(error.message) ||
    error instanceof Deno.errors.NotCapable && /^Requires /.test(error.message);
}

/** Whether an error was caused by the system, such as a full disk or a missing permission. */
export function isFromSystem(error: unknown): boolean {
  for (
    let at: unknown = error, depth = 0;
    at instanceof Error && depth < 8;
    at = at.cause, depth++
  ) {
    if (isOsError(at)) return true;
  }
  return false;
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^E[A-Z]+$/.test(code) ? code : "";
}

/** The path in a system message, as in `... (os error 2): open 'a.gguf'`. */
function pathIn({ message }: Error): string | undefined {
  return /\(os error \d+\): [a-z]+ '(.*?)'(?: -> '.*')?$/s.exec(message)?.[1] ??
    /access to "(.*?)", run again/s.exec(message)?.[1];
}

/**
 * An error of the system with a readable message. It has the same class, and the original error as its cause. Other errors are returned
 * unchanged.
 */
export function inWords(
  error: unknown,
  attempt: Omit<Attempt, "path"> & { path?: string },
): unknown {
  if (!(error instanceof Error && isOsError(error))) return error;
  const { what, path = pathIn(error), hint } = attempt;
  const answer = ANSWERS.find(({ is }) => is(error, codeOf(error)));
  const words = answer ? answer.words(error, path ?? "") : plainWords(error);
  const advice = hint === undefined || answer && !answer.absent ? "" : `. ${hint}`;
  const subject = path === undefined ? "" : ` "${path}"`;
  const Class = error.constructor as new (message: string, options: ErrorOptions) => Error;
  return new Class(`Cannot ${what}${subject}: ${words}${advice}`, { cause: error });
}

/**
 * Runs an operation on files and translates system errors into readable ones of the same class (`Deno.errors.NotFound` stays one).
 *
 * @example A missing file
 * ```ts
 * import { attempting } from "@qzo/qzo/models";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(
 *   () => attempting({ what: "read the notes", path: "none.txt" }, () => Deno.readTextFile("none.txt")),
 *   Deno.errors.NotFound,
 *   'Cannot read the notes "none.txt": there is no such file or folder',
 * );
 * ```
 */
export async function attempting<T>(attempt: Attempt, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw inWords(error, attempt);
  }
}

/** {@linkcode attempting} for synchronous operations. */
export function attemptingNow<T>(attempt: Attempt, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw inWords(error, attempt);
  }
}
