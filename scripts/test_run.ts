/**
 * A run of `deno test` and its count, from its own report.
 *
 * A process that dies of a signal after its last test was reported has passed nothing: the run is repeated, all of it, and said to be; it
 * passes when one ends well. Twice seen on software Vulkan, of some thirty runs: glibc finds a damaged heap at exit, the cause is not known.
 * What fails, or dies before its report, is not repeated.
 *
 * @module
 */

/** What one run came to. */
export interface TestRun {
  /** True when the process ended with 0. */
  readonly success: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What it printed; errors beside the rest as they came. */
  readonly printed: string;
  /** How the process ended, in words. */
  readonly ended: string;
  /** Seconds of its tests by file. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** How to run. */
export interface TestRunOptions {
  /** What follows `deno test`; without `--quiet`, which swallows what tests print, "skipped, because ..." as well. */
  readonly args: readonly string[];
  /** Where. */
  readonly cwd: string;
  /** Variables beside this process's. */
  readonly env?: Record<string, string>;
  /** Receives what is printed, file by file, without the count at its end. */
  readonly print?: (text: string) => void;
  /** The program in Deno's place. */
  readonly deno?: string;
  /** Runs at most, where each dies at its exit; 3 by default. */
  readonly attempts?: number;
}

/** Runs tests, again where the process died after its report. */
export async function testRun(options: TestRunOptions): Promise<TestRun> {
  for (let attempt = 1;; attempt++) {
    const { run, signal } = await once(options);
    if (signal === null || run.failed > 0 || attempt >= (options.attempts ?? 3)) {
      return run.success || run.failed > 0 ? run : { ...run, failed: 1 };
    }
    console.log(
      `After its last test, with ${run.passed} passed and none failed, the process died of ${signal}: run ${
        attempt + 1
      } of them all`,
    );
  }
}

async function once(
  { args, cwd, env, print = () => {}, deno }: TestRunOptions,
): Promise<{ run: TestRun; signal: string | null }> {
  const junit = await Deno.makeTempFile({ suffix: ".xml" });
  const child = new Deno.Command(deno ?? Deno.execPath(), {
    args: ["test", `--junit-path=${junit}`, ...args],
    cwd,
    ...env === undefined ? {} : { env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let printed = "";
  let shown = 0;
  const follow = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      printed += text;
      // A file's lines together: several processes print side by side.
      const begun = [...printed.slice(shown).matchAll(NEXT_FILE)].at(-1);
      if (begun === undefined) continue;
      const end = shown + begun.index + 1;
      print(withoutCount(printed.slice(shown, end)));
      shown = end;
    }
  };
  await Promise.all([follow(child.stdout), follow(child.stderr)]);
  print(withoutCount(printed.slice(shown)));
  const { success, signal, code } = await child.status;
  const xml = await Deno.readTextFile(junit).catch(() => "");
  await Deno.remove(junit).catch(() => {});
  const ended = signal === null ? `ended with ${code}` : `died of ${signal}`;
  return {
    run: { success, ...count(xml, printed), printed, ended, seconds: secondsByFile(xml) },
    signal,
  };
}

/**
 * The count of a report; one failure and nothing passed where there is none. A test that prints "skipped, because ..." is counted as
 * skipped.
 */
export function count(
  xml: string,
  printed: string,
): { passed: number; failed: number; skipped: number } {
  const total = (name: string): number =>
    Number(xml.match(`<testsuites[^>]* ${name}="(\\d+)"`)?.[1]);
  const failed = total("failures") + total("errors");
  if (Number.isNaN(failed)) return { passed: 0, failed: 1, skipped: 0 };
  const ignored = (xml.match(/<skipped\b/g) ?? []).length;
  const saidSo = printed.split("\n")
    .filter((line) => line.includes("skipped, because") && !line.includes("ignored")).length;
  const skipped = ignored + saidSo;
  return { passed: total("tests") - failed - skipped, failed, skipped };
}

/** A count as `deno test` writes it at its end: `ok | 3 passed | 0 failed | 1 ignored (2m5s)`. */
export function countLine(
  { success, passed, failed, skipped }: Pick<TestRun, "success" | "passed" | "failed" | "skipped">,
  milliseconds: number,
): string {
  const seconds = Math.round(milliseconds / 1000);
  const time = seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  const ignored = skipped > 0 ? ` | ${skipped} ignored` : "";
  return `${
    success && failed === 0 ? "ok" : "FAILED"
  } | ${passed} passed | ${failed} failed${ignored} (${time})`;
}

/** Where the lines of the next file begin; `COLOUR` where they have any. */
const COLOUR = "(?:\\x1b\\[[\\d;]*m)*";
const NEXT_FILE = new RegExp(`\\n(?=${COLOUR}running \\d+ tests? from )`, "g");
const COUNT = new RegExp(`^${COLOUR}(?:ok|FAILED)${COLOUR} \\| \\d+ passed .*\\n\\n?`, "gm");

/** The title of Deno's list of errors. */
export const ERRORS: RegExp = new RegExp(`^${COLOUR} ERRORS ${COLOUR}$`, "m");

/** Without the lines that are a count: there is one of all processes. */
export function withoutCount(text: string): string {
  return text.replace(COUNT, "");
}

/** Examples are tests of one module and named by their own (`test_modules.ts`). */
const EXAMPLE = /^\S+\.ts#\d+-\d+\.[jt]s$/;

function secondsByFile(xml: string): Record<string, number> {
  const seconds: Record<string, number> = {};
  for (
    const [, file, cases] of xml.matchAll(/<testsuite name="([^"]*)"[^>]*>([\s\S]*?)<\/testsuite>/g)
  ) {
    for (
      const [, name, time] of cases.matchAll(/<testcase name="([^"]*)" [^>]*\btime="([\d.]+)"/g)
    ) {
      const path = EXAMPLE.test(name) ? name : file.replace(/^\.\//, "");
      seconds[path] = (seconds[path] ?? 0) + Number(time);
    }
  }
  return seconds;
}
