import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { runGroups } from "../../scripts/suite.ts";
import {
  areExamplesLeftOut,
  type Group,
  groupsOf,
  isLeftOut,
  testFiles,
  timesOf,
} from "../../scripts/suite_plan.ts";
import { examplesBelow } from "../../scripts/test_modules.ts";
import { countLine } from "../../scripts/test_run.ts";
import { filesBelow, rooms, root } from "./module_graph.ts";

Deno.test("the suite is every test file and every room's examples, each once, whatever the processes", async () => {
  const files = testFiles(root, "tests");
  assertEquals(files, filesBelow("tests", "_test.ts"));
  assert(files.length > 200);
  const times = JSON.parse(await Deno.readTextFile(join(root, "scripts/suite_times.json")));
  for (const processes of [1, 2, 7]) {
    const groups = groupsOf(files, rooms, times, processes);
    assertEquals(
      groups.flatMap(({ paths }) => paths).toSorted(),
      [...files, ...rooms].toSorted(),
    );
    assertEquals(
      groups.flatMap(({ examples, paths }) => examples ? paths : []).toSorted(),
      [
        ...rooms,
      ].toSorted(),
    );
  }
});

Deno.test("the longest come first, files of more than a share are alone, and processes end together", () => {
  const files = Array.from({ length: 300 }, (_, i) => `tests/${i}_test.ts`);
  const times = Object.fromEntries(files.slice(0, 100).map((path, i) => [path, 1 + i * i / 100]));
  times["tests/7_test.ts"] = 900;
  for (const processes of [2, 3]) {
    const groups = groupsOf(files, ["quant"], { ...times, quant: 9 }, processes);
    const seconds = groups.map((group) => group.seconds);
    assertEquals(seconds, seconds.toSorted((a, b) => b - a));
    assertEquals(groups[0].paths, ["tests/7_test.ts"]);
    const ends: number[] = Array(processes).fill(0);
    for (const time of seconds) ends[ends.indexOf(Math.min(...ends))] += time;
    const all = seconds.reduce((sum, time) => sum + time, 0);
    assert(Math.max(...ends) - Math.min(...ends) < all / (8 * processes), `${ends}`);
  }
});

Deno.test("the fast run leaves out what is long and on a device, a process or hostile, and nothing else", async () => {
  const long = (path: string) => isLeftOut(root, path, { [path]: 5 });
  const leftOut = [
    "tests/kernels/matmul/matmul_test.ts",
    "tests/train/steps/trainer_test.ts",
    "tests/cli/runs/signals_test.ts", // a process
    "tests/cli/end_to_end_test.ts", // through a helper
    "tests/train/runs/run_test.ts", // through a session
    "tests/quant/formats/llama_cpp_decode_test.ts", // through a helper's helper
    "tests/robustness/hostile_files_test.ts",
  ];
  for (const path of leftOut) {
    assert(long(path), path);
    assert(!isLeftOut(root, path, {}), path);
  }
  for (
    const path of ["tests/optim/named/family_test.ts", "tests/quant/quantisers/quantize_test.ts"]
  ) {
    assert(!long(path), path);
  }
  const times = JSON.parse(await Deno.readTextFile(join(root, "scripts/suite_times.json")));
  const there = new Set([...testFiles(root, "tests"), ...rooms]);
  assertEquals(Object.keys(times).filter((path) => !there.has(path)), []);
});

Deno.test("times are written of what takes a second, examples for their room; what did not run keeps its own", () => {
  const there = ["tests/a_test.ts", "tests/b_test.ts", "tests/c_test.ts", "optim", "quant"];
  assertEquals(
    timesOf(
      {
        "tests/b_test.ts": 1.6,
        "tests/a_test.ts": 0.9,
        "optim/named/lozo.ts#3-12.ts": 0.6,
        "optim/mod.ts#1-9.ts": 0.7,
      },
      { "tests/a_test.ts": 3, "tests/c_test.ts": 4, "tests/gone_test.ts": 5, optim: 9, quant: 2 },
      there,
    ),
    { optim: 1, quant: 2, "tests/b_test.ts": 2, "tests/c_test.ts": 4 },
  );
});

Deno.test("measured are processors' seconds, of a test's own threads and of processes that it waits for", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "deno.json"), "{}");
    await Deno.mkdir(join(folder, "tests"));
    const process = 'import process from "node:process"; ';
    const busy = "for (const end = process.cpuUsage().user + 3e5; process.cpuUsage().user < end;);";
    const sources: Record<string, string> = {
      idle: 'Deno.test("sleeps", () => new Promise((done) => setTimeout(done, 400)));',
      busy: `${process} Deno.test("one", () => { ${busy} });
        Deno.test({ name: "two", fn() { ${busy} } });`,
      child: `Deno.test("waits", { permissions: "inherit" }, async () => {
        const args = ["eval", ${JSON.stringify(process + busy)}];
        await new Deno.Command(Deno.execPath(), { args }).output();
      });`,
      barred:
        `${process} Deno.test({ name: "may nothing", permissions: "none", fn() { ${busy} } });`,
      failing: `${process} Deno.test("fails", () => { ${busy} throw new Error("no"); });`,
    };
    const paths = Object.keys(sources).map((name) => `tests/${name}_test.ts`);
    for (const [name, source] of Object.entries(sources)) {
      await Deno.writeTextFile(join(folder, `tests/${name}_test.ts`), source);
    }
    const { passed, failed, seconds } = await runGroups([{ paths, examples: false, seconds: 1 }], {
      cwd: folder,
      processes: 1,
      times: true,
    });
    assertEquals([passed, failed], [5, 1]);
    const least = { idle: 0, busy: 0.6, child: 0.3, barred: 0.3, failing: 0.3 };
    assertEquals(Object.keys(seconds).toSorted(), paths.toSorted());
    for (const [name, bound] of Object.entries(least)) {
      assert(seconds[`tests/${name}_test.ts`] >= bound, JSON.stringify(seconds));
    }
    assert(seconds["tests/idle_test.ts"] < 0.2, JSON.stringify(seconds));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a count is written as Deno writes it", () => {
  const count = { success: true, passed: 3, failed: 0, skipped: 0 };
  assertEquals(countLine(count, 1499), "ok | 3 passed | 0 failed (1s)");
  assertEquals(
    countLine({ ...count, skipped: 2 }, 125_000),
    "ok | 3 passed | 0 failed | 2 ignored (2m5s)",
  );
  assertEquals(
    countLine({ ...count, success: false, failed: 1 }, 60_000),
    "FAILED | 3 passed | 1 failed (1m0s)",
  );
});

Deno.test("groups add up; one that fails or dies fails the whole, and says at the end what it said", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "deno.json"), "{}");
    const sources: Record<string, string> = {
      good: 'Deno.test("one", () => console.log("skipped, because")); Deno.test("two", () => {});',
      bad:
        'Deno.test("three", () => {}); Deno.test("four", () => { throw new Error("no four"); });',
      dead: 'Deno.test("five", () => Deno.kill(Deno.pid, "SIGKILL"));',
      broken: 'throw new Error("no module");',
    };
    for (const [name, source] of Object.entries(sources)) {
      await Deno.writeTextFile(join(folder, `${name}_test.ts`), source);
    }
    const run = async (...names: string[]) => {
      const groups: Group[] = names.map((name) => ({
        paths: [`${name}_test.ts`],
        examples: false,
        seconds: 1,
      }));
      let printed = "";
      const suite = await runGroups(groups, {
        cwd: folder,
        processes: 2,
        env: { NO_COLOR: "1" },
        print: (text) => void (printed += text),
      });
      return { ...suite, printed };
    };
    const good = await run("good", "good");
    assertEquals([good.success, good.passed, good.failed, good.skipped], [true, 2, 0, 2]);
    assertEquals(good.failures, []);
    assertStringIncludes(good.printed, "two ... ok");
    assert(!/^ok \| /m.test(good.printed), good.printed);
    const all = await run("good", "bad", "good", "dead", "broken");
    assertEquals([all.success, all.passed, all.failed, all.skipped], [false, 3, 3, 2]);
    assertEquals(all.failures.length, 3);
    assertStringIncludes(all.failures[0], "deno test bad_test.ts\nended with 1:\n ERRORS ");
    assertStringIncludes(all.failures[0], "no four");
    assertStringIncludes(all.failures[1], "died of SIGKILL");
    assertStringIncludes(all.failures[2], "no module");
    assert(!/^FAILED \| /m.test(all.printed + all.failures.join("")));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Fences of all kinds. */
const DOCUMENTED = `/**
 * Of a module.
 *
 * @example One
 * \`\`\`ts
 * import { two } from "./documented.ts";
 * if (two !== 2) throw new Error();
 *
 * await Promise.resolve();
 * \`\`\`
 *
 * \`\`\`ts ignore
 * throw new Error("ignored");
 * \`\`\`
 *
 * @module
 */
/** No example. \`\`\`ts */
export const one = 1;
/* \`\`\`ts
 * throw new Error("no comment of documentation");
 * \`\`\`
 */
export class Two {
  /**
   * Within.
   * \`\`\`typescript
   * throw new Error("no three");
   * \`\`\`
   * \`\`\`json
   * {}
   * \`\`\`
   * \`\`\`js
   * import "mapped";
   * \`\`\`
   */
  static three = 3;
}
export const two = 2;
`;

Deno.test("examples are those that deno test --doc finds, by name, and fail as they do there", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const imports = { mapped: "./room/part/documented.ts" };
    await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify({ imports }));
    await Deno.mkdir(join(folder, "room/part"), { recursive: true });
    await Deno.writeTextFile(join(folder, "room/part/documented.ts"), DOCUMENTED);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "--doc", "--no-check", "room"],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    const theirs = [...new TextDecoder().decode(stdout).matchAll(/(room\/\S+) \.\.\. (\w+)/g)]
      .map(([, name, result]) => `${name} ${result}`);
    assertEquals(theirs.length, 3);
    const names = examplesBelow(folder, "room").map(({ name }) => name);
    assertEquals(names, theirs.map((line) => line.split(" ")[0]).toSorted());
    let printed = "";
    const suite = await runGroups([{ paths: ["room"], examples: true, seconds: 1 }], {
      cwd: folder,
      processes: 1,
      times: true,
      env: { NO_COLOR: "1" },
      print: (text) => void (printed += text),
    });
    const ours = [...printed.matchAll(/(room\/\S+) \.\.\. (\w+)/g)]
      .map(([, name, result]) => `${name} ${result}`);
    assertEquals(ours.toSorted(), theirs.toSorted());
    assertEquals([suite.passed, suite.failed], [2, 1]);
    assertStringIncludes(suite.failures[0], "no three");
    assertEquals(Object.keys(suite.seconds).toSorted(), names);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("files in one module are reported as files, and one that fails is named", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      join(folder, "deno.json"),
      '{ "imports": { "mapped": "./a_test.ts" } }',
    );
    await Deno.writeTextFile(join(folder, "a_test.ts"), 'Deno.test("one", () => {});');
    await Deno.writeTextFile(
      join(folder, "b_test.ts"),
      'import "mapped"; Deno.test("two", () => { throw new Error("no two"); });',
    );
    let printed = "";
    const suite = await runGroups(
      [{ paths: ["a_test.ts", "b_test.ts"], examples: false, seconds: 1 }],
      {
        cwd: folder,
        processes: 1,
        env: { NO_COLOR: "1" },
        print: (text) => void (printed += text),
      },
    );
    assertEquals([suite.passed, suite.failed], [1, 1]);
    assertStringIncludes(printed, "running 2 tests from 2 files\n");
    assertStringIncludes(suite.failures[0], "two => ./b_test.ts:1:");
    assertEquals(suite.seconds, {});
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the fast run leaves out the examples of rooms that take long, by what was measured", () => {
  const times = { train: 9, models: 4 };
  assertEquals(["train", "models", "quant"].map((it) => areExamplesLeftOut(it, times)), [
    true,
    false,
    false,
  ]);
});
