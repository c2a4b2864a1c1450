/**
 * What the test suite consists of, and which of its files share a process.
 *
 * @module
 */
import { dirname, join } from "@std/path";

/** Test files that share a process, or a room whose examples of documentation are run in one. */
export interface Group {
  /** Test files, or one room. */
  readonly paths: readonly string[];
  /** Whether `paths` is a room. */
  readonly examples: boolean;
  /** About how long it takes. */
  readonly seconds: number;
}

/** Seconds by path of what takes long: test files, and rooms for their examples. `deno task test --times` writes them. */
export type Times = Readonly<Record<string, number>>;

/** Seconds of what {@linkcode Times} does not list; from here on it does. */
export const SHORT = 1;

/** Groups for each process: more of them even out what the times do not know, and each costs half a second. */
const GROUPS_A_PROCESS = 8;

/** Seconds of tests that are worth a process. */
const LEAST = 5;

/** Test files below a folder, as paths from the root with `/`. */
export function testFiles(root: string, folder: string): string[] {
  const found: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(join(root, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...testFiles(root, path));
    else if (name.endsWith("_test.ts")) found.push(path);
  }
  return found.sort();
}

/** What opens a device, runs commands of the command line, or starts a process. */
const DEVICE_OR_PROCESS = /\b(?:openGpu|runCli)\(|\bDeno\.Command\b/;
const IMPORTED = /\b(?:from|import) "(\.{1,2}\/[^"]+)"/g;
const HOSTILE = "tests/robustness/";

/**
 * Whether a file is left out of the fast run: it takes a second or more (by `times`), and spends it on a device (shaders to compile, steps to
 * train), on processes (commands, other implementations), or on hostile files and kills. What it imports from `tests/` counts as its own.
 */
export function isLeftOut(root: string, path: string, times: Times): boolean {
  if (!(path in times)) return false;
  const seen = new Set<string>();
  const matches = (file: string): boolean => {
    if (seen.has(file)) return false;
    seen.add(file);
    const text = Deno.readTextFileSync(join(root, file));
    return DEVICE_OR_PROCESS.test(text) ||
      [...text.matchAll(IMPORTED)].map(([, to]) => join(dirname(file), to))
        .some((it) => it.startsWith("tests/") && it.endsWith(".ts") && matches(it));
  };
  return path.startsWith(HOSTILE) || matches(path);
}

/**
 * Groups for a number of processes, the longest first: a process that is done takes the next one, so the last to end are short. A file that
 * takes longer than its share is alone.
 */
export function groupsOf(
  files: readonly string[],
  rooms: readonly string[],
  times: Times,
  processes: number,
): Group[] {
  const seconds = (path: string): number => times[path] ?? SHORT / 2;
  const sum = (paths: readonly string[]): number => paths.reduce((all, it) => all + seconds(it), 0);
  const share = Math.max(LEAST, sum([...files, ...rooms]) / (processes * GROUPS_A_PROCESS));
  const groups: string[][] = [];
  for (const path of files.toSorted((a, b) => seconds(b) - seconds(a))) {
    const last = groups.at(-1);
    if (last === undefined || sum(last) + seconds(path) > share) groups.push([path]);
    else last.push(path);
  }
  return [
    ...groups.map((paths) => ({ paths, examples: false, seconds: sum(paths) })),
    ...rooms.map((room) => ({ paths: [room], examples: true, seconds: seconds(room) })),
  ].toSorted((a, b) => b.seconds - a.seconds);
}

/** Times to be written, from what every file took; examples (`optim/named/lozo.ts#3-12.ts`) count for their room. */
export function timesOf(seconds: Readonly<Record<string, number>>): Times {
  const sums: Record<string, number> = {};
  for (const [path, own] of Object.entries(seconds)) {
    const name = path.includes("#") ? path.slice(0, path.indexOf("/")) : path;
    sums[name] = (sums[name] ?? 0) + own;
  }
  return Object.fromEntries(
    Object.entries(sums)
      .filter(([, all]) => all >= SHORT)
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([path, all]) => [path, Math.round(all)]),
  );
}
