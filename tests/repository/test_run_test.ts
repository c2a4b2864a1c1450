import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { count, testRun } from "../../scripts/test_run.ts";

interface Case {
  readonly test?: string;
  /** Stands in Deno's place; `$report` is where the report goes. */
  readonly program?: string;
}

async function run({ test = "", program }: Case): Promise<[number, number, boolean, string]> {
  const folder = await Deno.makeTempDir();
  const log = console.log;
  let said = "";
  try {
    await Deno.writeTextFile(join(folder, "deno.json"), "{}");
    await Deno.writeTextFile(join(folder, "one_test.ts"), test);
    const deno = join(folder, "deno.sh");
    const script = `#!/bin/sh\nreport=\${2#--junit-path=}\n${program}\n`;
    await Deno.writeTextFile(deno, script, { mode: 0o755 });
    console.log = (line: string): void => void (said += line);
    const { passed, failed, success } = await testRun({
      args: ["-A", "--no-check", "one_test.ts"],
      cwd: folder,
      ...program === undefined ? {} : { deno },
    });
    return [passed, failed, success, said];
  } finally {
    console.log = log;
    await Deno.remove(folder, { recursive: true });
  }
}

const report = (failures: number): string =>
  `<testsuites name="deno test" tests="4" failures="${failures}" errors="0" time="1"></testsuites>`;

Deno.test("a run's count is its report's", async () => {
  assertEquals(await run({ test: 'Deno.test("a", () => {});' }), [1, 0, true, ""]);
  const one = 'Deno.test("a", () => {}); Deno.test("b", () => { throw new Error(); });';
  assertEquals(await run({ test: one }), [1, 1, false, ""]);
  const skip =
    'Deno.test("a", () => console.log("skipped, because")); Deno.test.ignore("b", () => {});';
  assertEquals(count(report(0), "ok | 5 passed"), { passed: 4, failed: 0, skipped: 0 });
  assertEquals(count("", "ok | 5 passed"), { passed: 0, failed: 1, skipped: 0 });
  assertEquals((await run({ test: skip })).slice(0, 3), [0, 0, true]);
});

Deno.test("a process that dies after its report is run again, and one that dies always fails", async () => {
  const dies = `echo '${report(0)}' > $report; kill -ABRT $$`;
  const once = `[ -f died ] && { echo '${report(0)}' > $report; exit 0; }; touch died; ${dies}`;
  const [passed, failed, success, said] = await run({ program: once });
  assertEquals([passed, failed, success, said.match(/died of SIGABRT: run \d/g)], [
    4,
    0,
    true,
    ["died of SIGABRT: run 2"],
  ]);
  assertEquals((await run({ program: dies })).slice(0, 3), [4, 1, false]);
});

Deno.test("a process that dies before its report, or after failures, fails at once", async () => {
  assertEquals(await run({ program: "kill -SEGV $$" }), [0, 1, false, ""]);
  const failures = `echo '${report(2)}' > $report; kill -ABRT $$`;
  assertEquals(await run({ program: failures }), [2, 2, false, ""]);
  assertEquals(await run({ program: `echo '${report(0)}' > $report; exit 1` }), [4, 1, false, ""]);
});
