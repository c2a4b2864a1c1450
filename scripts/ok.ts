/**
 * Every check of the repository, the tests last: format, lint, types, generated files, documentation, publishing, then the suite with the
 * examples of the documentation. The last line is the suite's count, as `deno test` writes one; exits with 1 where anything failed.
 * `--no-suite` leaves out the suite.
 *
 * A test that prints "skipped, because ..." is counted as ignored, not as passed; what is counted how, and when a process is run again:
 * `test_run.ts`.
 *
 * @module
 */
import { entryPoints, rooms, root } from "./rooms.ts";
import { runSuite } from "./suite.ts";
import { countLine } from "./test_run.ts";

const checks: readonly (readonly [name: string, args: readonly string[]])[] = [
  ["types", ["check", "--quiet", "."]],
  ["documentation lint", ["doc", "--lint", ...entryPoints]],
  ["publish dry run", ["run", "-A", "scripts/publish.ts", "--dry-run"]],
  ["lint", ["lint", "--quiet"]],
  ["format", ["fmt", "--check"]],
  ["generated files", ["run", "-A", "scripts/shaders.ts", "--check"]],
];

const options = new Set(["--no-suite"]);
const [unknown] = Deno.args.filter((argument) => !options.has(argument));
if (unknown !== undefined) {
  console.error(`Unknown argument ${unknown}: expected nothing, or --no-suite`);
  Deno.exit(2);
}
const begun = performance.now();
const failed: string[] = [];
let next = 0;
// Two at a time, the long ones first.
await Promise.all([takeChecks(), takeChecks()]);

if (Deno.args.includes("--no-suite")) {
  console.log(
    failed.length > 0 ? `Failed: ${failed.join(", ")}` : "All passed; the suite was not run",
  );
  Deno.exit(failed.length > 0 ? 1 : 0);
}

const suite = await runSuite({ root, rooms });
if (failed.length > 0) console.log(`Failed before the tests: ${failed.join(", ")}`);
const all = {
  ...suite,
  failed: suite.failed + failed.length,
  success: suite.success && failed.length === 0,
};
console.log(countLine(all, performance.now() - begun));
Deno.exitCode = all.success ? 0 : 1;

async function takeChecks(): Promise<void> {
  while (next < checks.length) {
    const [name, args] = checks[next++];
    const started = performance.now();
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd: root,
    }).output();
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${success ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    if (success) continue;
    failed.push(name);
    const decoder = new TextDecoder();
    console.log(decoder.decode(stdout) + decoder.decode(stderr));
  }
}
