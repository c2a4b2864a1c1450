/**
 * The test suite alone: `deno task test [--fast] [--times] [--processes=N] [files, folders of tests, rooms ...]`. `--fast` leaves out the
 * device matrices (`isLeftOut`); `--times` measures what runs, in seconds of processors, and writes down what takes one or more.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { rooms, root } from "./rooms.ts";
import { runSuite, writeTimes } from "./suite.ts";
import { countLine } from "./test_run.ts";

const { fast, times, processes, _: paths } = parseArgs(Deno.args, {
  boolean: ["fast", "times"],
  string: ["processes"],
});
const started = performance.now();
const suite = await runSuite({
  root,
  rooms,
  fast,
  times,
  paths: paths.map((path) => String(path).replace(/^\.\/|\/$/g, "")),
  ...processes === undefined ? {} : { processes: Number(processes) },
});
if (times) await writeTimes(root, rooms, suite);
console.log(countLine(suite, performance.now() - started));
Deno.exitCode = suite.success ? 0 : 1;
