import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { RIGHTS } from "../../../cli/invocation.ts";
import { openLedger, parseTrainConfig, readMetrics } from "../../../train/mod.ts";
import { withSteps } from "../../../train/runs/epochs.ts";
import { Patience } from "../../../train/steps/patience.ts";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";
import { writeTinyTask } from "../tiny_model.ts";

const main = fromFileUrl(new URL("../../../cli/main.ts", import.meta.url));

async function inFolder(use: (folder: string, config: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const { config } = await writeTinyTask(folder);
    await use(folder, config);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, out: terminal.printed, err: terminal.noted };
}

Deno.test("epochs: passes over the training examples become steps, typed ones replace written steps", async () => {
  await inFolder(async (folder, config) => {
    // 24 examples in batches of 4: 6 steps a pass.
    const { code, err } = await run("finetune", config, "--epochs", "1.5", "--evaluate-every", "0");
    assertEquals(code, 0, err);
    const { records } = await openLedger(join(folder, "run", "run.ledger"));
    assertEquals(records.length, 9);
    const saved = await Deno.readTextFile(join(folder, "run", "config.yaml"));
    assertMatch(saved, /^steps: 9$/m);
    assertEquals(/^epochs/m.test(saved), false);

    const more = await run("finetune", join(folder, "run"), "--resume", "--epochs", "2");
    assertEquals(more.code, 0, more.err);
    assertEquals((await openLedger(join(folder, "run", "run.ledger"))).records.length, 12);

    const both = await run("finetune", config, "--epochs", "1", "--steps", "2");
    assertStringIncludes(both.err, "Cannot use both steps 2 and epochs 1 in the command line");
    for (const wrong of ["0", "-1", "many"]) {
      const { code, err } = await run("finetune", config, "--epochs", wrong);
      assertEquals([code, err.includes("Cannot use epochs")], [1, true], err);
    }
  });
  const examples = {
    train: { examples: Array(10).fill({ prompt: [], candidates: [], label: 0 }) },
  };
  const at = (epochs: number) =>
    withSteps(parseTrainConfig(`model: m\nepochs: ${epochs}\nbatch_size: 4`, "c"), examples).steps;
  assertEquals([at(0.1), at(1), at(3)], [1, 3, 9]);
});

Deno.test("patience: a run stops when its held-out loss does not fall, and says so", async () => {
  await inFolder(async (folder, config) => {
    // Steps that move nothing: every loss is the first one.
    const still = ["--learning-rate", "1e-30", "--evaluate-every", "1"];
    const { code, err, out } = await run("finetune", config, ...still, "--patience", "2");
    assertEquals(code, 0, err);
    assertStringIncludes(
      out + err,
      "stopped early at step 2: the held-out loss has not fallen for 2 evaluations",
    );
    const ledger = join(folder, "run", "run.ledger");
    assertEquals((await openLedger(ledger)).records.length, 2);
    // Gone on with, it waits as long again.
    const again = await run("finetune", join(folder, "run"), "--resume");
    assertEquals(again.code, 0, again.err);
    assertEquals((await openLedger(ledger)).records.length, 4);
    const events = await readMetrics(join(folder, "run", "metrics.jsonl"));
    const evaluated = events.flatMap((it) => it.type === "evaluation" ? [it.step] : []);
    assertEquals(evaluated, [0, 1, 2, 3, 4]);

    const never = await run("finetune", config, "--patience", "2", "--evaluate-every", "0");
    assertStringIncludes(never.err, "there are no evaluations to decide when to stop");
  });
});

Deno.test("patience: it counts from the lowest loss, over a break too", () => {
  const waited = (losses: number[], limit = 2) => {
    const patience = new Patience(limit);
    return losses.map((loss) => (patience.add(loss), patience.isOver));
  };
  assertEquals(waited([3, 2, 2.5, 2.1]), [false, false, false, true]);
  assertEquals(waited([3, 3.5, 2.9, 3, 3]), [false, false, false, false, true]);
  assertEquals(waited([3, NaN, NaN]), [false, false, true]);
  const gone = new Patience(2, [3, 3.1]);
  gone.add(3.2);
  assert(gone.isOver);
  const anew = new Patience(2, [3, 3.1, 3.2]);
  assert(!anew.isOver);
  anew.add(3.3);
  assert(!anew.isOver);
});

Deno.test("dry run: three examples with tokens and labels, counts, what would be trained and for how long; no file", async () => {
  await inFolder(async (folder, config) => {
    const args = ["finetune", config, "--dry-run", "--epochs", "2", "--patience", "3"];
    const { code, out, err } = await run(...args);
    assertEquals(code, 0, err);
    assertEquals(out.match(/^example \d of 24$/mg)?.length, 3);
    assertEquals(out.match(/^ {2}tokens +\d+: ".*"$/mg)?.length, 3);
    assertEquals(out.match(/^ {2}label +[01], written "[xy]", against "[xy]"$/mg)?.length, 3);
    const [first] = (await Deno.readTextFile(join(folder, "train.jsonl"))).split("\n");
    const { text, label } = JSON.parse(first);
    assertStringIncludes(out, `${text}${"xy"[label]}"\n`);
    assertMatch(out, /^training +24 examples of [\d.]+ tokens, .*; 0: \d+, 1: \d+$/m);
    assertMatch(out, /^held out +8 examples of/m);
    assertMatch(out, /^trains +[\d,]+ scalars by qzoNormalised$/m);
    assertMatch(out, /^steps +12 of 4 examples: 2\.00 passes over/m);
    assertMatch(out, /^forwards +24, 2 per step: about [\d,]+ tokens$/m);
    assertMatch(out, /stops after 3 without a lower loss$/m);
    assertMatch(
      out,
      /^time +(?:about|at most) [\d.]+ \w+ .*for 12 steps, .* estimated from 8 steps on .+$/m,
    );
    await assertRejects(() => Deno.stat(join(folder, "run")), Deno.errors.NotFound);
    // Without a device all but the time is told.
    const bare = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", ...RIGHTS.split(" "), main, ...args],
      env: { NO_COLOR: "1", VK_DRIVER_FILES: "/nowhere.json", VK_ICD_FILENAMES: "/nowhere.json" },
    }).output();
    const told = new TextDecoder().decode(bare.stdout);
    assertEquals(bare.code, 0, new TextDecoder().decode(bare.stderr));
    assertMatch(told, /^steps +12 of 4 examples/m);
    assertMatch(told, /^time +/m);
    // Cuts are counted.
    const cut = await run("finetune", config, "--dry-run", "--max-length", "3");
    assertMatch(cut.err, /24 of 24 examples are longer than max_length 3/);
    assertMatch(cut.out, /^training .* [1-9]\d* at the limit of 3/m);
  });
});
