/**
 * The test suite alone: `deno task test [--fast] [--times] [--processes=N] [files, folders of tests, rooms ...]`. `--fast` leaves out what takes
 * longer than a second; `--times` writes down what does.
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
  paths: paths.map((path) => String(path).replace(/^\.\/|\/$/g, "")),
  ...processes === undefined ? {} : { processes: Number(processes) },
});
if (times) await writeTimes(root, suite);
console.log(countLine(suite, performance.now() - started));
Deno.exitCode = suite.success ? 0 : 1;
