/**
 * What the test suite consists of, and which of its files share a process.
 *
 * @module
 */
import { dirname, join } from "@std/path";

/** Test files that share a process, or rooms whose examples of documentation do. */
export interface Group {
  /** Test files, or rooms. */
  readonly paths: readonly string[];
  /** Whether `paths` are rooms. */
  readonly examples: boolean;
  /** About how long it takes. */
  readonly seconds: number;
}

/** Seconds of processors by path of what takes long: test files, and rooms for their examples. `deno task test --times` writes them. */
export type Times = Readonly<Record<string, number>>;

/** Seconds of what {@linkcode Times} does not list; from here on it does. */
export const SHORT = 1;

/** Groups for each process: more of them even out what the times do not know, and each costs a second or two to start. */
const GROUPS_A_PROCESS = 8;

/** Seconds of tests in a group at least, as far as there are enough for every process; in any case the second number. */
const [ENOUGH, LEAST] = [24, 6];

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
const DEVICE_OR_PROCESS = /\b(?:openGpu|openRunSession|runCli)\(|\bDeno\.Command\b/;
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

/** Seconds from which the examples of a room are left out of the fast run, too: they train. */
const LONG_EXAMPLES = 8;

/** Whether the examples of a room are left out of the fast run. */
export function areExamplesLeftOut(room: string, times: Times): boolean {
  return (times[room] ?? 0) >= LONG_EXAMPLES;
}

/**
 * Groups for a number of processes, the longest first: a process that is done takes the next one, so the last to end are short. Neighbours share
 * a group, as their shaders are alike and are compiled once a process; a file that takes longer than its share is alone.
 */
export function groupsOf(
  files: readonly string[],
  rooms: readonly string[],
  times: Times,
  processes: number,
): Group[] {
  const seconds = (path: string): number => times[path] ?? SHORT / 4;
  const sum = (paths: readonly string[]): number => paths.reduce((all, it) => all + seconds(it), 0);
  const own = sum([...files, ...rooms]) / processes;
  const share = Math.max(LEAST, Math.min(ENOUGH, own), own / GROUPS_A_PROCESS);
  const shared = (all: readonly string[], examples: boolean): Group[] => {
    const groups: string[][] = [];
    let last: string[] | undefined;
    for (const path of all) {
      if (seconds(path) > share) groups.push([path]);
      else if (last === undefined || sum(last) + seconds(path) > share) groups.push(last = [path]);
      else last.push(path);
    }
    return groups.map((paths) => ({ paths, examples, seconds: sum(paths) }));
  };
  return [...shared(files, false), ...shared(rooms, true)]
    .toSorted((a, b) => b.seconds - a.seconds);
}

/**
 * Times to be written: what ran took what was measured, examples (`optim/named/lozo.ts#3-12.ts`) for their room; of what is `there` the rest takes
 * what it took before.
 */
export function timesOf(
  measured: Readonly<Record<string, number>>,
  before: Times,
  there: readonly string[],
): Times {
  const sums: Record<string, number> = {};
  for (const [path, own] of Object.entries(measured)) {
    const name = path.includes("#") ? path.slice(0, path.indexOf("/")) : path;
    sums[name] = (sums[name] ?? 0) + own;
  }
  const all = there.map((path): [string, number] => [path, sums[path] ?? before[path] ?? 0]);
  return Object.fromEntries(
    all.filter(([, own]) => own >= SHORT)
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([path, own]) => [path, Math.round(own)]),
  );
}
