/**
 * The test suite: every test file and every example of documentation, several processes at a time, one count of all.
 *
 * @module
 */
import { join } from "@std/path";
import { sampleSaid, sampleSeed } from "./sample_seed.ts";
import {
  areExamplesLeftOut,
  type Group,
  groupsOf,
  isLeftOut,
  testFiles,
  type Times,
  timesOf,
} from "./suite_plan.ts";
import { examplesBelow, writeExamples, writeTests } from "./test_modules.ts";
import { ERRORS, type TestRun, testRun, withoutCount } from "./test_run.ts";

/** How to run groups. */
export interface GroupOptions {
  /** Where; paths of groups are from here. */
  readonly cwd: string;
  /** How many run at a time. */
  readonly processes: number;
  /** Variables beside this process's. */
  readonly env?: Record<string, string>;
  /** Receives what the processes print, file by file. */
  readonly print?: (text: string) => void;
  /** Whether to measure what each file takes. */
  readonly times?: boolean;
  /** The program in Deno's place. */
  readonly deno?: string;
}

/** What they came to. */
export interface Suite extends Pick<TestRun, "success" | "passed" | "failed" | "skipped"> {
  /** What each group that failed said of it. */
  readonly failures: readonly string[];
  /** Seconds of processors by file and example, where `times` asks for them. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Runs groups in their order: whoever is done takes the next one. */
export async function runGroups(groups: readonly Group[], options: GroupOptions): Promise<Suite> {
  const { processes, ...rest } = options;
  const runs: TestRun[] = [];
  let next = 0;
  const take = async (): Promise<void> => {
    while (next < groups.length) {
      const i = next++;
      runs[i] = await runGroup(groups[i], rest);
    }
  };
  await Promise.all(Array.from({ length: processes }, take));
  const sum = (of: (run: TestRun) => number): number => runs.reduce((all, it) => all + of(it), 0);
  return {
    success: runs.every((run) => run.success && run.failed === 0),
    passed: sum((run) => run.passed),
    failed: sum((run) => run.failed),
    skipped: sum((run) => run.skipped),
    failures: runs.flatMap((run, i) => run.success ? [] : [failureOf(groups[i], run)]),
    seconds: Object.assign({}, ...runs.map((run) => run.seconds)),
  };
}

/** Runs a group as one module. */
async function runGroup(
  { paths, examples }: Group,
  { print, ...options }: Omit<GroupOptions, "processes">,
): Promise<TestRun> {
  const folder = await Deno.makeTempDir();
  try {
    const { cwd } = options;
    const module = examples
      ? await writeExamples(folder, cwd, paths.flatMap((room) => examplesBelow(cwd, room)))
      : paths.length > 1
      ? await writeTests(folder, cwd, paths)
      : paths[0];
    const title = examples ? `examples in ${paths.join(", ")}` : `${paths.length} files`;
    return await testRun({
      ...options,
      // Unchecked: types are checked before.
      args: ["-A", "--no-check", module],
      ...print && { print: (text) => print(text.replace(WRITTEN_MODULE, `$1${title}`)) },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What `deno test` says of a module that was written here. */
const WRITTEN_MODULE = /(running \d+ tests? from )\S*\/(?:files|examples)_test\.ts/g;

/** Deno's list of errors where there is one, else the end of what was printed. */
function failureOf({ paths }: Group, { printed, ended }: TestRun): string {
  const text = withoutCount(printed);
  const errors = text.search(ERRORS);
  const said = errors >= 0 ? text.slice(errors) : text.split("\n").slice(-40).join("\n");
  return `deno test ${paths.join(" ")}\n${ended}:\n${said.trimEnd()}\n`;
}

/** What to run of the suite. */
export interface SuiteOptions {
  /** The repository's root. */
  readonly root: string;
  /** Rooms, whose examples are tests too. */
  readonly rooms: readonly string[];
  /** Without what `isLeftOut` and `areExamplesLeftOut` say, and of large matrices of cases a quarter of what a day runs. */
  readonly fast?: boolean;
  /** Whether to measure what each file takes. */
  readonly times?: boolean;
  /** Only what is below one of these folders, or is one of these files. */
  readonly paths?: readonly string[];
  /** At a time; by default 2, or a process for every four cores. */
  readonly processes?: number;
}

const TIMES = "scripts/suite_times.json";

/** Runs the suite, prints what it prints, and what failed at the end. */
export async function runSuite(options: SuiteOptions): Promise<Suite> {
  const { root, fast = false, times: measure = false, paths = [] } = options;
  const processes = options.processes ?? Math.max(2, Math.floor(navigator.hardwareConcurrency / 4));
  const times: Times = JSON.parse(await Deno.readTextFile(join(root, TIMES)));
  const chosen = (path: string): boolean =>
    paths.length === 0 || paths.some((it) => path === it || path.startsWith(`${it}/`));
  const files = testFiles(root, "tests").filter((it) =>
    chosen(it) && !(fast && isLeftOut(root, it, times))
  );
  const rooms = options.rooms.filter((it) =>
    chosen(it) && !(fast && areExamplesLeftOut(it, times))
  );
  const groups = groupsOf(files, rooms, times, processes);
  const env = {
    QZO_SEED: String(sampleSeed), // one for all, over midnight too
    ...fast && !measure && Deno.env.get("QZO_SHARE") === undefined
      ? { QZO_SHARE: "0.25" }
      : undefined,
    ...Deno.stdout.isTerminal() ? undefined : { NO_COLOR: "1" },
  };
  console.log(sampleSaid);
  const encoder = new TextEncoder();
  const print = (text: string): void => {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  };
  const suite = await runGroups(groups, { cwd: root, processes, env, print, times: measure });
  for (const failure of suite.failures) console.log(`\n${failure}`);
  console.log(`\n${sampleSaid}`);
  return suite;
}

/** Writes what files took for the next plan; what did not run keeps what it took before, what is no longer there goes. */
export async function writeTimes(
  root: string,
  rooms: readonly string[],
  suite: Suite,
): Promise<void> {
  const path = join(root, TIMES);
  const before: Times = JSON.parse(await Deno.readTextFile(path));
  const there = [...testFiles(root, "tests"), ...rooms];
  const text = JSON.stringify(timesOf(suite.seconds, before, there), null, 2);
  await Deno.writeTextFile(path, `${text}\n`);
}
