import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { readLedger } from "../../../optim/mod.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";
import { writeTinyTask } from "../tiny_model.ts";

async function qzo(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, out: terminal.printed, err: terminal.noted };
}

Deno.test("one flipped bit in a ledger: every command names record and offset, goes on with --step before it, and resume keeps a copy", async () => {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const run = join(folder, "run");
    const path = join(run, "run.ledger");
    const first = await qzo("finetune", config, "--steps", "12");
    assertEquals(first.code, 0, first.err);
    const whole = await Deno.readFile(path);
    const { head } = readLedger(whole);
    const offset = head.bytes.length + 5 * head.recordSize;
    const damaged = whole.slice();
    damaged[offset] ^= 1;
    await Deno.writeFile(path, damaged);
    const commands = [
      ["replay", run],
      ["evaluate", run],
      ["generate", run, "--prompt", "a", "--max-tokens", "1"],
      ["export", run, "--output", join(folder, "tuned")],
    ];
    for (const command of commands) {
      for (const step of [[], ["--step", "last"], ["--step", "best"], ["--step", "6"]]) {
        const { code, err } = await qzo(...command, ...step);
        assertEquals([command[0], step, code], [command[0], step, 1]);
        assertStringIncludes(err, "record 5 of 12");
        assertStringIncludes(err, `offset ${offset}`);
        assertStringIncludes(err, "--step 5");
      }
      const { code, err } = await qzo(...command, "--step", "5");
      assertEquals(code, 0, err);
    }
    assertStringIncludes((await qzo("inspect", path)).out, "record 5 of 12");
    assertEquals(await Deno.readFile(path), damaged);

    const resumed = await qzo("finetune", run, "--resume", "--steps", "12");
    assertEquals(resumed.code, 0, resumed.err);
    assertStringIncludes(resumed.err, `kept as "${path}.damaged"`);
    assertStringIncludes(resumed.out, "from step 5");
    assertEquals(await Deno.readFile(`${path}.damaged`), damaged);
    assertEquals(await Deno.readFile(path), whole);
    assert((await qzo("replay", run)).code === 0);
  });
});

Deno.test("metrics that end before the ledger: the best of what was evaluated is taken, and a note says how far that went", async () => {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const run = join(folder, "run");
    assertEquals((await qzo("finetune", config, "--steps", "6")).code, 0);
    const metrics = join(run, "metrics.jsonl");
    const lines = (await Deno.readTextFile(metrics)).split("\n");
    // Of steps 0, 3 and 6.
    const first = lines.filter((line) => line.includes('"evaluation"')).slice(0, 2);
    const note =
      /note: the run's metrics end at step 3 of 6, as of one that is going on: step [03] is the best of 2 evaluations/;
    assert(!note.test((await qzo("evaluate", run)).err));
    await Deno.writeTextFile(metrics, first.join("\n") + "\n");
    const { code, out, err } = await qzo("evaluate", run);
    assertEquals(code, 0, err);
    assertMatch(err, note);
    assertMatch(out, /after [03] steps/);
    assertMatch((await qzo("evaluate", run, "--step", "last")).out, /after 6 steps/);
  });
});

Deno.test("an evaluation of a step below 0 in the metrics is refused by its line", async () => {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const run = join(folder, "run");
    assertEquals((await qzo("finetune", config, "--steps", "3")).code, 0);
    const line = '{"type":"evaluation","step":-3,"loss":0,"examples":8,"best":true}\n';
    await Deno.writeTextFile(join(run, "metrics.jsonl"), line, { append: true });
    const { code, err } = await qzo("evaluate", run);
    assertEquals(code, 1);
    assertStringIncludes(err, "its step is -3");
    assertEquals((await qzo("evaluate", run, "--step", "2")).code, 0);
  });
});
