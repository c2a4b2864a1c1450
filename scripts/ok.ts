/**
 * Every check of the repository in order, the tests last: format, lint, types, generated files, documentation, publishing, suite with
 * the examples of the documentation. The last line is the suite's count; exits with 1 where anything failed. `--no-suite` leaves out the
 * suite.
 *
 * A test that prints "skipped, because ..." is counted as skipped, not as passed; what is counted how, and when the suite is run again:
 * `test_run.ts`.
 *
 * @module
 */
import { join } from "@std/path";
import { testRun } from "./test_run.ts";

const root = join(import.meta.dirname!, "..");
const config = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
const entryPoints: string[] = Object.values(config.exports);
const folders = entryPoints.map((path) => path.replace(/\/[^/]+$/, ""));
const rooms = [...new Set(folders)].filter((path) => path !== ".");

const steps: Record<string, string[]> = {
  format: ["fmt", "--check"],
  lint: ["lint", "--quiet"],
  types: ["check", "--quiet", "."],
  "generated files": ["run", "-A", "scripts/shaders.ts", "--check"],
  "documentation lint": ["doc", "--lint", ...entryPoints],
  "publish dry run": ["run", "-A", "scripts/publish.ts", "--dry-run"],
};

const failed: string[] = [];
for (const [name, args] of Object.entries(steps)) {
  const started = performance.now();
  const { success, stdout, stderr } = await deno(args);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${success ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (success) continue;
  failed.push(name);
  console.log(stdout + stderr);
}

if (Deno.args.includes("--no-suite")) {
  console.log(
    failed.length > 0 ? `Failed: ${failed.join(", ")}` : "All passed; the suite was not run",
  );
  Deno.exit(failed.length > 0 ? 1 : 0);
}

// Unchecked: types were checked before, and examples import names of their module that they do not use.
const suite = await testRun({
  args: ["-A", "--doc", "--no-check", ...rooms, "tests"],
  cwd: root,
  onOutput: (chunk) => Deno.stdout.write(chunk),
});
if (failed.length > 0) console.log(`Failed before the tests: ${failed.join(", ")}`);
console.log(
  `${suite.passed} passed, ${suite.failed + failed.length} failed, ${suite.skipped} skipped`,
);
Deno.exitCode = suite.success && failed.length === 0 ? 0 : 1;

async function deno(
  args: string[],
): Promise<{ success: boolean; stdout: string; stderr: string }> {
  const output = await new Deno.Command(Deno.execPath(), { args, cwd: root }).output();
  const decoder = new TextDecoder();
  return {
    success: output.success,
    stdout: decoder.decode(output.stdout),
    stderr: decoder.decode(output.stderr),
  };
}
