/**
 * Every check of the repository in order, the tests last: format, lint, types, documentation, publishing, suite with the
 * examples of the documentation. The last line is the suite's count; exits with 1 where anything failed.
 *
 * The suite runs unchecked, as types were checked before and examples import names of their module that they do not use.
 * A test that prints "skipped, because ..." is counted as skipped, not as passed.
 *
 * @module
 */
import { join } from "@std/path";

const root = join(import.meta.dirname!, "..");
const config = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
const entryPoints: string[] = Object.values(config.exports);
const rooms = entryPoints.map((path) => path.replace(/\/[^/]+$/, "")).filter((path) =>
  path !== "."
);

const steps: Record<string, string[]> = {
  format: ["fmt", "--check"],
  lint: ["lint", "--quiet"],
  types: ["check", "--quiet", "."],
  "documentation lint": ["doc", "--lint", ...entryPoints],
  "publish dry run": ["run", "-A", "scripts/publish_dry_run.ts"],
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

const suite = await runSuite();
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

async function runSuite(): Promise<
  { success: boolean; passed: number; failed: number; skipped: number }
> {
  const junit = await Deno.makeTempFile({ suffix: ".xml" });
  const args = [
    "test",
    "-A",
    "--doc",
    "--no-check",
    "--quiet",
    `--junit-path=${junit}`,
    ...rooms,
    "tests",
  ];
  const child = new Deno.Command(Deno.execPath(), { args, cwd: root, stdout: "piped" }).spawn();
  const decoder = new TextDecoder();
  let printed = "";
  for await (const chunk of child.stdout) {
    printed += decoder.decode(chunk, { stream: true });
    await Deno.stdout.write(chunk);
  }
  const { success } = await child.status;
  const xml = await Deno.readTextFile(junit).catch(() => "");
  await Deno.remove(junit).catch(() => {});
  const total = (name: string): number =>
    Number(xml.match(`<testsuites[^>]* ${name}="(\\d+)"`)?.[1]);
  const failures = total("failures") + total("errors");
  const ignored = (xml.match(/<skipped\b/g) ?? []).length;
  const saidSo = printed.split("\n")
    .filter((line) => line.includes("skipped, because") && !line.includes("ignored")).length;
  if (Number.isNaN(failures)) return { success: false, passed: 0, failed: 1, skipped: 0 };
  return {
    success,
    passed: total("tests") - failures - ignored - saidSo,
    failed: failures || (success ? 0 : 1),
    skipped: ignored + saidSo,
  };
}
