/**
 * Fine-tunes by exact gradients as a user makes them: killed, resumed, evaluated, exported. What a ledger replays elsewhere is in state files here.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { readLedger } from "../../../optim/mod.ts";
import { decodeHeader } from "../../../optim/ledger/ledger_header.ts";
import { writeTinyTask } from "../tiny_model.ts";

/** Runs a command; killed once `until` is in what a file has, if that is given. */
async function qzo(
  args: readonly string[],
  until?: { readonly file: string; readonly has: string },
): Promise<{ code: number; out: string; err: string }> {
  const main = fromFileUrl(import.meta.resolve("../../../cli/main.ts"));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--allow-read", "--allow-write", "--allow-env", main, ...args],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const output = child.output();
  if (until) {
    let ended = false;
    child.status.finally(() => ended = true);
    while (!ended) {
      const text = await Deno.readTextFile(until.file).catch(() => "");
      if (text.includes(until.has)) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    child.kill("SIGKILL");
  }
  const { code, stdout, stderr } = await output;
  const [out, err] = [stdout, stderr].map((it) => new TextDecoder().decode(it));
  return { code, out, err };
}

/** What metrics say of steps and evaluations, without times. */
async function metricsOf(folder: string): Promise<unknown[]> {
  const text = await Deno.readTextFile(join(folder, "metrics.jsonl"));
  return text.trimEnd().split("\n").map((line) => {
    const { tokensPerSecond: _p, seconds: _s, time: _t, ...rest } = JSON.parse(line);
    return rest;
  });
}

/** What a state file has behind its head: ledgers differ in when they were begun, and states say which is theirs. */
function valuesIn(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(8 + Number(new DataView(bytes.buffer).getBigUint64(0, true)));
}

/** Makes a run whole, and another that is killed after its evaluation of step 3 and resumed: both end the same. What the first run printed. */
async function assertResumes(
  begin: (output: string) => string[],
  [whole, broken]: readonly string[],
): Promise<string> {
  const first = await qzo(begin(whole));
  assertEquals(first.code, 0, first.err);
  const metrics = join(broken, "metrics.jsonl");
  const evaluated = '"type":"evaluation","step":3';
  assertEquals((await qzo(begin(broken), { file: metrics, has: evaluated })).code, 137);
  const again = await qzo(["finetune", broken, "--resume"]);
  assertEquals(again.code, 0, again.err);
  assertEquals(await metricsOf(broken), await metricsOf(whole));
  const [a, b] = await Promise.all(
    [whole, broken].map((one) => Deno.readFile(join(one, "run.state"))),
  );
  assertEquals(valuesIn(b), valuesIn(a));
  return first.out + first.err;
}

Deno.test("foAdam from the command line: killed and resumed it is as unbroken; its files are used by every command", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { config } = await writeTinyTask(folder);
    const rule = ["--optimiser", "foAdam", "--optimiser.accumulate", "2"];
    const length = ["--steps", "10", "--evaluate-every", "3"];
    const begin = (output: string) => ["finetune", config, ...rule, ...length, "--output", output];
    const [whole, broken] = ["whole", "broken"].map((name) => join(folder, name));
    // In the middle of an accumulation: step 3 of 2, 4, 6 ...
    const said = await assertResumes(begin, [whole, broken]);
    assertStringIncludes(said, "run.state, step 10");

    const ledger = await Deno.readFile(join(whole, "run.ledger"));
    assertEquals(readLedger(ledger).records.length, 0);
    assert(decodeHeader(ledger).header.features!.includes("exact"));
    const replayed = await qzo(["replay", whole]);
    assertEquals(replayed.code, 1);
    assertStringIncludes(replayed.err, "gradients were exact");
    const refused = await qzo(["evaluate", whole, "--step", "5"]);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "offsets were saved only for steps 0");

    const loss = ({ out }: { out: string }): number => JSON.parse(out).loss;
    const looks = (await metricsOf(whole)) as { type: string; step: number; loss: number }[];
    const lossAt = (step: number) =>
      looks.find((it) => it.type === "evaluation" && it.step === step)!.loss;
    const [last, base] = await Promise.all([
      qzo(["evaluate", whole, "--step", "last", "--json"]),
      qzo(["evaluate", whole, "--step", "0", "--json"]),
    ]);
    assert(Math.abs(loss(last) - lossAt(10)) < 1e-6, last.out + last.err);
    assert(Math.abs(loss(base) - lossAt(0)) < 1e-6, base.out + base.err);
    assert(lossAt(10) < lossAt(0));
    const file = join(folder, "tuned.gguf");
    const [exported, inspected, generated] = await Promise.all([
      qzo(["export", whole, "--step", "last", "--output", file]),
      qzo(["inspect", whole]),
      qzo(["generate", whole, "--prompt", "ab", "--max-tokens", "2"]),
    ]);
    assertEquals(exported.code, 0, exported.err);
    assert((await Deno.stat(file)).size > 0);
    assertStringIncludes(inspected.out, "10 along exact gradients");
    assertEquals(generated.code, 0, generated.err);

    // What gradients would take beside an optimiser without, and what they take.
    const [without, within] = await Promise.all([
      qzo(["inspect", config, "--json"]),
      qzo(["inspect", config, "--json", ...rule, "--steps", "10", "--device.checkpoints", "block"]),
    ]);
    const { memory } = JSON.parse(without.out);
    assert(memory.exact.least <= memory.exact.total && memory.total < memory.exact.total);
    assertEquals(memory.exact.checkpoints, "all");
    const exact = JSON.parse(within.out).memory;
    assertEquals([exact.checkpoints, exact.exact], ["block", undefined]);

    // One of the pair is gone, or another's.
    await Deno.copyFile(join(broken, "run.state"), join(whole, "run.state"));
    const foreign = await qzo(["evaluate", whole]);
    assertStringIncludes(foreign.err, "belongs to another ledger");
    await Deno.remove(join(whole, "run.state"));
    const gone = await qzo(["finetune", whole, "--resume"]);
    assertEquals(gone.code, 1);
    assertStringIncludes(gone.err, "run.state");
    const state = join(broken, "run.state");
    await Deno.truncate(state, (await Deno.stat(state)).size - 4);
    const short = await qzo(["evaluate", broken, "--step", "last"]);
    assertEquals(short.code, 1, short.out);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("hybridZoFo from the command line: killed and resumed it is as unbroken; the plan says what is kept", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { config } = await writeTinyTask(folder, { layers: 2 });
    const rule = ["--optimiser", "hybridZoFo", "--optimiser.exact-blocks", "1"];
    const length = ["--steps", "7", "--evaluate-every", "3"];
    const begin = (output: string) => ["finetune", config, ...rule, ...length, "--output", output];
    const [whole, broken] = ["whole", "broken"].map((name) => join(folder, name));
    await assertResumes(begin, [whole, broken]);

    const { header } = decodeHeader(await Deno.readFile(join(whole, "run.ledger")));
    assert(header.features!.includes("exact"));
    const exact = header.trainables.filter((one) => one.exact).map(({ name }) => name);
    assert(exact.length > 0 && exact.every((name) => name.startsWith("blk.1.")), `${exact}`);
    const [replayed, evaluation, other, dry] = await Promise.all([
      qzo(["replay", whole]),
      qzo(["evaluate", whole, "--step", "last", "--json"]),
      qzo(["finetune", whole, "--resume", "--optimiser.exact-blocks", "2"]),
      qzo(["finetune", config, ...rule, "--dry-run", "--output", join(folder, "dry")]),
    ]);
    assertEquals(replayed.code, 1);
    assertStringIncludes(replayed.err, "gradients were exact");
    const looks = (await metricsOf(whole)) as { type: string; step: number; loss: number }[];
    const last = looks.find((it) => it.type === "evaluation" && it.step === 7)!;
    assert(Math.abs(JSON.parse(evaluation.out).loss - last.loss) < 1e-6, evaluation.err);
    assertEquals(other.code, 1, other.out);
    assertStringIncludes(dry.out, "2 and a backward through the last blocks per step");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("addax from the command line: killed and resumed it is as unbroken", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { config } = await writeTinyTask(folder);
    const length = ["--steps", "7", "--evaluate-every", "3"];
    const begin = (
      output: string,
    ) => ["finetune", config, "--optimiser", "addax", ...length, "--output", output];
    const [whole, broken] = ["whole", "broken"].map((name) => join(folder, name));
    await assertResumes(begin, [whole, broken]);
    const [dry, none] = await Promise.all([
      qzo(["finetune", config, "--optimiser", "addax", "--dry-run"]),
      qzo([...begin(join(folder, "none")), "--optimiser.longer-than", "50"]),
    ]);
    assertStringIncludes(dry.out, "3 and a backward per step");
    assertEquals(none.code, 1);
    assertStringIncludes(none.err, "none is longer than 50 tokens");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
