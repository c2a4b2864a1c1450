/** What commands say of what a file keeps, and of what they found. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { encodeRecord, readLedger } from "../../../optim/mod.ts";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";
import { writeTinyTask } from "../tiny_model.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function said(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, out: terminal.printed, err: terminal.noted };
}

Deno.test("finetune of MXFP4 scales is refused before the first step, unless the ledger is enough", async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const mxfp4 = ["finetune", config, "--quantize.format", "MXFP4"];
    const refused = await said(...mxfp4);
    assertEquals(refused.code, 1);
    assertStringIncludes(
      refused.err,
      "MXFP4 (span 32): 0 %, 0 %, 0 % of changes of 0.3 %, 3 %, 10 %",
    );
    assertStringIncludes(refused.err, "trainables.ledger_only: true");
    const left = await Array.fromAsync(Deno.readDir(join(folder, "run"))).catch(() => []);
    assertEquals(left, []);
    const made = await said(...mxfp4, "--trainables.ledger-only", "true");
    assertEquals(made.code, 0, made.err);
    assertStringIncludes(made.err, "only the ledger will");
    const path = join(folder, "tuned.gguf");
    const exported = await said("export", join(folder, "run"), "--step", "last", "--output", path);
    // The file would be the base.
    assertEquals(exported.code, 1);
    assertStringIncludes(
      exported.err,
      "nothing would change, as its formats store scales too coarsely",
    );
    assertEquals(await Deno.stat(path).catch(() => "none"), "none");
  });
});

Deno.test("finetune says what an export keeps, and its result is of the last step, with an interval", async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const { code, out, err } = await said("finetune", config, "--evaluate-every", "2", "--export");
    assertEquals(code, 0, err);
    assertMatch(out, /an export keeps +Q4_0 \(span 32\): \d+ %, 100 %, 100 % of changes of/);
    assertMatch(out, /held-out before +loss [\d.]+ +accuracy [\d.]+ %/);
    assertMatch(
      out,
      /held-out after +loss [\d.]+ +accuracy [\d.]+ % +\([+-][\d.]+ points, 95 % interval [+-][\d.]+ to [+-][\d.]+: \d+ gained, \d+ lost, p [\d.]+\)/,
    );
    assertMatch(out, /result +step 6 of 6, the last one, not chosen by these examples/);
    assertMatch(out, /best step +.*best of 4 looks at 8 held-out examples/);
    assertMatch(out, /kept +\d+\.\d % of the trained change of the weights/);
    // The metrics say the same of the last step.
    const lines = (await Deno.readTextFile(join(folder, "run", "metrics.jsonl"))).trim().split(
      "\n",
    );
    const last = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === "evaluation")
      .at(-1);
    assert(out.includes(`held-out after   loss ${last.loss.toFixed(4)}`), out);
  });
});

Deno.test("with a test split the result is the chosen step's on it", async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    await Deno.copyFile(join(folder, "train.jsonl"), join(folder, "test.jsonl"));
    const { code, out, err } = await said("finetune", config, "--data.test", "test.jsonl");
    assertEquals(code, 0, err);
    assertMatch(out, /test after +loss .*95 % interval/);
    assertMatch(out, /result +step \d of 6, chosen by other examples/);
    assert(!out.includes("data.test"), out);
  });
});

Deno.test("an evaluation with a limit is made whole for the result", async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const { code, out, err } = await said("finetune", config, "--evaluate-limit", "3");
    assertEquals(code, 0, err);
    assertMatch(out, /best of 3 looks at 3 held-out examples/);
    assertMatch(out, /held-out after +loss .*95 % interval/);
  });
});

Deno.test("numbers beyond f16 are named and refused, and clamped where that is asked", async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    assertEquals((await said("finetune", config, "--steps", "1")).code, 0);
    const run = join(folder, "run");
    const file = join(run, "run.ledger");
    // As after a run that diverged.
    const { head, validBytes } = readLedger(await Deno.readFile(file));
    const state = new Array(head.header.stateSize).fill(0);
    const bytes = (await Deno.readFile(file)).slice(0, validBytes);
    const more = encodeRecord(head, 1, [2 ** 40], state);
    await Deno.writeFile(file, new Uint8Array([...bytes, ...more]));
    const path = join(folder, "tuned.gguf");
    const refused = await said("export", run, "--step", "2", "--output", path);
    assertEquals(refused.code, 1);
    assertMatch(refused.err, /[\d,]+ of [\d,]+ lie beyond what their stored type reaches/);
    assertEquals(await Deno.stat(path).then(() => true, () => false), false);
    const clamped = await said("export", run, "--step", "2", "--output", path, "--clamp");
    assertEquals(clamped.code, 0, clamped.err);
    assertMatch(clamped.out, /exceeded +[\d,]+ tuned values beyond/);
    assertMatch(clamped.out, /swallowed +0 offsets too small/);
  });
});
