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

const HELP = `Runs the test suite, or some of it.

Usage: deno task test [options] [files, folders of tests, rooms ...]

  --fast         leave out the device matrices
  --times        measure what runs, and write down what takes a second of processor or more
  --processes=N  how many files are run at a time (default: by the number of cores)
  --help         this text

Examples:
  deno task test
  deno task test:fast
  deno task test optim tests/quant`;

const { fast, times, help, processes, _: paths } = parseArgs(Deno.args, {
  boolean: ["fast", "times", "help"],
  string: ["processes"],
  alias: { help: "h" },
  unknown: (argument, key) => {
    if (key === undefined) return true;
    console.error(`Unknown option ${argument}; see deno task test --help`);
    Deno.exit(2);
  },
});
if (help) {
  console.log(HELP);
  Deno.exit(0);
}
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
