import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { RIGHTS } from "../../cli/invocation.ts";
import { readLedger } from "../../optim/mod.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";
import { killSeed, killsOr } from "../support/kills.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { writeTinyTask } from "./tiny_model.ts";

const main = fromFileUrl(new URL("../../cli/main.ts", import.meta.url));

function qzo(...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...RIGHTS.split(" "), "--no-check", main, ...args],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  });
}

async function output(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await qzo(...args).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** A command in this process: what it prints; fails the test when it fails. */
async function printed(...args: string[]): Promise<string> {
  const terminal = capture();
  assertEquals(await runCli(args, { terminal }), 0, terminal.noted);
  return terminal.printed;
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function records(path: string): Promise<[readonly number[], readonly number[]][]> {
  return [...readLedger(await Deno.readFile(path)).records]
    .map(({ coefficients, state }) => [coefficients, state]);
}

Deno.test("qzo: finetune, resume, evaluate, replay, export, inspect, generate", async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const [run, whole] = [join(folder, "run"), join(folder, "whole")];

    const first = await output("finetune", config, "--steps", "4");
    assertEquals(first.code, 0, first.err);
    assertStringIncludes(first.out, "held-out before");
    for (const name of ["run.ledger", "metrics.jsonl", "curve.svg", "config.yaml"]) {
      assert((await Deno.stat(join(run, name))).isFile, name);
    }
    const again = await output("finetune", config);
    assertEquals(again.code, 1);
    assertStringIncludes(again.err, "--resume");
    assertEquals(again.err.trimEnd().split("\n").length, 1);

    // A torn tail is cut, and the resumed run reaches the bits of the unbroken one.
    await Deno.writeFile(join(run, "run.ledger"), new Uint8Array([1, 2, 3]), { append: true });
    await printed("finetune", run, "--resume", "--steps", "7", "--export");
    await printed("finetune", config, "--steps", "7", "--output", whole);
    assertEquals(
      await records(join(run, "run.ledger")),
      await records(join(whole, "run.ledger")),
    );
    const events = async (path: string) =>
      (await Deno.readTextFile(join(path, "metrics.jsonl"))).trimEnd().split("\n")
        .map((line) => JSON.parse(line))
        .map(({ type, step, loss }) => `${type} ${step} ${loss}`);
    // The run of four steps was also evaluated at its end.
    assertEquals(
      (await events(run)).filter((it) => !it.startsWith("evaluation 4 ")),
      await events(whole),
    );

    const replayed = JSON.parse(await printed("replay", run, "--step", "last", "--json"));
    assertEquals([replayed.agree, replayed.steps], [true, 7]);
    const other = JSON.parse(await printed("replay", whole, "--step", "last", "--json"));
    assertEquals(replayed.sha256, other.sha256);

    const base = JSON.parse(await printed("evaluate", run, "--base", "--json"));
    const best = JSON.parse(await printed("evaluate", run, "--step", "best", "--json"));
    assert(best.accuracy.correct >= base.accuracy.correct);
    assertEquals([base.examples, base.accuracy.count], [8, 8]);

    const tuned = join(run, "tuned.gguf");
    assertStringIncludes(await printed("inspect", tuned), "Q4_0: 7 tensors");
    const exported = await printed(
      "export",
      run,
      "--output",
      join(folder, "again.gguf"),
      "--evaluate",
    );
    // Folding into f16 costs next to nothing, and says what it cost.
    assertMatch(exported, /changed +[\d,]+ stored values\n.*swallowed +[\d,]+ offsets/);
    const [before, after] = ["before", "after"].map((when) =>
      Number(new RegExp(`${when} folding +held-out loss ([\\d.]+)`).exec(exported)?.[1])
    );
    assertAlmostEquals(after, before, 1e-2);
    assertEquals(await Deno.readFile(join(folder, "again.gguf")), await Deno.readFile(tuned));

    const plan = JSON.parse(await printed("inspect", config, "--json", "--batch-size", "1"));
    assertEquals(plan.memory.batch, 1);
    const ledger = await printed("inspect", join(run, "run.ledger"));
    assertStringIncludes(ledger, "blk.0.attn_q.weight");

    const text = await printed("generate", run, "--prompt", "ab", "--max-tokens", "3");
    assert(text.startsWith("ab"));

    const refused = capture();
    const arguments_ = ["finetune", run, "--resume", "--batch-size", "3"];
    assertEquals(await runCli(arguments_, { terminal: refused }), 1);
    assertStringIncludes(refused.noted, "batchSize 4, not 3");
  });
});

Deno.test("qzo quantize: the file has the wanted formats and loads", async () => {
  await inFolder(async (folder) => {
    const { model } = await writeTinyTask(folder);
    const path = join(folder, "small.gguf");
    const report = await printed("quantize", model, "--format", "Q8_0", "--output", path);
    assertStringIncludes(report, "matrix");
    const { formats } = JSON.parse(await printed("inspect", path, "--json"));
    assertEquals(formats.Q8_0.tensors, 7);
    assertEquals(formats.F16.tensors, 1);
  });
});

Deno.test("qzo quantize --method gptq: errors by tensor, perplexity before and after", async () => {
  await inFolder(async (folder) => {
    const { model } = await writeTinyTask(folder);
    const text = join(folder, "text.txt");
    const rows = join(folder, "rows.jsonl");
    const random = randomNumbers(3);
    const lines = Array.from(
      { length: 40 },
      () => Array.from({ length: 30 }, () => "abcdefgh ijkl"[Math.floor(random() * 13)]).join(""),
    );
    await Deno.writeTextFile(text, lines.join("\n"));
    await Deno.writeTextFile(rows, lines.map((text) => JSON.stringify({ text })).join("\n"));
    const calibrated = ["quantize", model, "--method", "gptq", "--calibration"];
    const small = join(folder, "small");
    const bits = ["--bits", "3", "--group", "32", "--calibration-length", "32"];
    const report = await printed(...calibrated, text, ...bits, "--output", small);
    assertMatch(report, /^blk\.0\.ffn_down\.weight +int3_g32 +[\d.]+e-1 +[\d.]+e-[12]$/m);
    assertMatch(report, /^perplexity +[\d.]+ before, [\d.]+ after, \d+ held-out windows$/m);
    assertMatch(report, /^calibrated +gptq, \d+ windows$/m);
    const { formats } = JSON.parse(await printed("inspect", small, "--json"));
    assertEquals([formats.int3_g32.tensors, formats.F16.tensors], [7, 1]);

    const file = join(folder, "small.gguf");
    const more = ["--format", "Q4_0", "--calibration-windows", "3", "--damping", "0.1"];
    const other = await printed(...calibrated, rows, ...more, "--evaluate", text, "--output", file);
    assertMatch(other, /^calibrated +gptq, 3 windows$/m);
    const written = JSON.parse(await printed("inspect", file, "--json"));
    assertEquals(written.formats.Q4_0.tensors, 7);

    const inOrder = join(folder, "in_order");
    await printed(...calibrated, text, ...bits, "--act-order", "no", "--output", inOrder);
    const weights = (path: string) => Deno.readFile(join(path, "model.safetensors"));
    assertNotEquals(await weights(small), await weights(inOrder));

    const plain = ["quantize", model, "--format", "Q4_0", "--evaluate", text];
    const nearest = await printed(...plain, "--output", join(folder, "nearest.gguf"));
    assertMatch(nearest, /^perplexity +[\d.]+ before, [\d.]+ after/m);
    assert(!nearest.includes("calibrated"));

    const refused = async (...args: string[]) => {
      const terminal = capture();
      const output = ["--output", join(folder, "never")];
      assertEquals(await runCli(["quantize", model, ...output, ...args], { terminal }), 1);
      return terminal.noted;
    };
    assertStringIncludes(await refused("--bits", "4", "--method", "gptq"), "--calibration");
    assertStringIncludes(await refused("--bits", "4", "--format", "Q4_0"), "says both");
    assertStringIncludes(await refused("--bits", "5"), "int5_g128");
    assertStringIncludes(await refused("--bits", "4", "--act-order", "on"), "yes or no");
    assertStringIncludes(await refused("--format", "Q4_0", "--method", "gtpq"), "gptq?");
    assertStringIncludes(
      await refused(
        "--format",
        "Q4_0",
        "--method",
        "gptq",
        "--calibration",
        text,
        "--damping=-1",
      ),
      'damping "-1"',
    );
  });
});

Deno.test("qzo finetune: Ctrl-C leaves a valid ledger and says how to resume", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const run = join(folder, "run");
    const child = qzo("finetune", config, "--steps", "1000000", "--evaluate-every", "0").spawn();
    const ledger = join(run, "run.ledger");
    const head = await until(() => sizeOf(ledger));
    await until(async () => (await sizeOf(ledger) ?? 0) > (head ?? 0) || undefined);
    child.kill("SIGINT");
    const { code, stderr } = await child.output();
    const err = new TextDecoder().decode(stderr);
    assertEquals(code, 130, err);
    assertStringIncludes(err, `finetune ${run} --resume`);
    const { records, tornBytes } = readLedger(await Deno.readFile(ledger));
    assert(records.length > 0);
    assertEquals(tornBytes, 0);
    const metrics = (await Deno.readTextFile(join(run, "metrics.jsonl"))).trimEnd().split("\n");
    assertEquals(JSON.parse(metrics[metrics.length - 1]).step, records.length);
  });
});

const kills = killsOr(5);

Deno.test(
  `qzo finetune: killed at ${kills} random moments (QZO_KILLS, seed ${killSeed}), it reaches the bits of an unbroken run`,
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await inFolder(async (folder) => {
      const { config } = await writeTinyTask(folder);
      const ledger = join(folder, "run", "run.ledger");
      const endless = ["--steps", "1000000", "--evaluate-every", "0"];
      const random = randomNumbers(killSeed);
      let size = 0;
      for (let kill = 0; kill < kills; kill++) {
        const child = qzo("finetune", config, ...endless, ...(kill > 0 ? ["--resume"] : []))
          .spawn();
        size = await until(async () => {
          const now = await sizeOf(ledger) ?? 0;
          return now > size ? now : undefined;
        });
        await new Promise((resolve) => setTimeout(resolve, 600 * random()));
        child.kill("SIGKILL");
        await child.output();
      }
      const broken = await records(ledger);
      const whole = join(folder, "whole");
      const steps = ["--steps", String(broken.length), "--evaluate-every", "0"];
      await printed("finetune", config, ...steps, "--output", whole);
      assert(broken.length > kills);
      assertEquals(await records(join(whole, "run.ledger")), broken);
    });
  },
);

async function sizeOf(path: string): Promise<number | undefined> {
  return await Deno.stat(path).then(({ size }) => size, () => undefined);
}

/** Asks until there is an answer, for a minute at most. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (let i = 0; i < 1200; i++) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("nothing came within a minute");
}
