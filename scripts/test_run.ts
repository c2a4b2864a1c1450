/**
 * A run of `deno test` and its count, from its own report.
 *
 * A process that dies of a signal after its last test was reported has passed nothing: the run is repeated, all of it, and said to be; it
 * passes when one ends well. Twice seen on software Vulkan, of some thirty runs: glibc finds a damaged heap at exit, the cause is not known.
 * What fails, or dies before its report, is not repeated.
 *
 * @module
 */

/** Loaded before tests to measure them. */
const MEASURE = new URL("processor_seconds.ts", import.meta.url).href;

/** V8 collects garbage in the thread that made it: its helpers cost a third of what tests with many numbers compute, and win nothing beside another process. */
const V8_FLAGS = "--single-threaded-gc";

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
  /** Of its tests by file, where `times` asks for them: seconds of processors. */
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
  /** Whether to measure what each file takes (`processor_seconds.ts`). */
  readonly times?: boolean;
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
  { args, cwd, env, print = () => {}, times = false, deno }: TestRunOptions,
): Promise<{ run: TestRun; signal: string | null }> {
  const junit = await Deno.makeTempFile({ suffix: ".xml" });
  const measured = await Deno.makeTempFile({ suffix: ".json" });
  const child = new Deno.Command(deno ?? Deno.execPath(), {
    args: ["test", `--junit-path=${junit}`, ...times ? [`--preload=${MEASURE}`] : [], ...args],
    cwd,
    env: { DENO_V8_FLAGS: V8_FLAGS, ...env, ...times && { QZO_PROCESSOR_SECONDS: measured } },
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
  const seconds = JSON.parse(await Deno.readTextFile(measured).catch(() => "") || "{}");
  for (const path of [junit, measured]) await Deno.remove(path).catch(() => {});
  const ended = signal === null ? `ended with ${code}` : `died of ${signal}`;
  return {
    run: { success, ...count(xml, printed), printed, ended, seconds },
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
