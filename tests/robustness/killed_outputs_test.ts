/**
 * Exports and quantising are killed without warning, at any moment: no half file ever stands under a final name, and the same command
 * again gives the same bytes and leaves nothing else behind. Moments are random by a seed that is printed; QZO_KILLS says how many.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { runCli } from "../../cli/main.ts";
import { isPart } from "../../models/checkpoints/disk/file_parts.ts";
import { capture } from "../cli/capture.ts";
import { killSeed, killsOr } from "../support/kills.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../support/gguf_writer.ts";
import { permuteHeads, randomLlama, randomNumbers } from "../support/random_llama.ts";
import { writeSplitBase } from "../support/split_base.ts";

const kills = killsOr(8);

/** About 1 MB, so that writing takes a while. */
const shape: LlamaShape = {
  ...{ hidden: 64, layers: 3, feedForward: 256, heads: 4, kvHeads: 2, vocabulary: 272 },
  ...{ epsilon: 1e-5, ropeBase: 10000, rope: "norm" },
};

/** A command whose `--output` is a file or a folder of this name, in a folder of its own. */
interface Case {
  readonly args: readonly string[];
  readonly output: string;
  /** The file that makes the output a model, where that is not the output itself. */
  readonly whole?: string;
  /** Another command that wrote there before; then the case's own has `--force`. */
  readonly before?: readonly string[];
}

async function cli(...args: string[]): Promise<void> {
  const terminal = capture();
  assertEquals(await runCli(args, { terminal }), 0, terminal.noted);
}

/** Writes models, data and short runs; returns what is to be killed. */
async function prepare(folder: string): Promise<Case[]> {
  const model = join(folder, "model.gguf");
  const weights = permuteHeads(shape, randomLlama(shape, { seed: 5, tied: true }));
  await Deno.writeFile(model, ggufBytes(llamaMetadata(shape, 64), llamaF32Tensors(shape, weights)));
  const { paths: [split] } = await writeSplitBase(folder);
  const packed = join(folder, "packed");
  await cli("quantize", model, "--format", "int4_g32", "--output", packed);
  const rows = Array.from({ length: 12 }, (_, i) => ({ text: `ab${i % 7}`, label: i % 2 }));
  await Deno.writeTextFile(
    join(folder, "train.jsonl"),
    rows.map((row) => JSON.stringify(row)).join("\n"),
  );
  const run = async (name: string, base: string, more = "") => {
    const config = join(folder, `${name}.yaml`);
    await Deno.writeTextFile(
      config,
      `model: ${base}
${more}task: { name: tiny, template: "{text}{label}", labels: { "0": "x", "1": "y" } }
data: { folder: ${folder}, train: train.jsonl, validation: train.jsonl }
batch_size: 4
steps: 4
evaluate_every: 0
`,
    );
    const run = join(folder, name);
    await cli("finetune", config, "--output", run);
    return run;
  };
  const [ofGguf, ofSplit, ofFolder] = [
    await run("of-gguf", model, "quantize: { format: Q4_0 }\n"),
    await run("of-split", split),
    await run("of-folder", packed),
  ];
  const first = "tuned-00001-of-00002.gguf";
  return [
    { args: ["quantize", model, "--format", "Q4_0"], output: "small.gguf" },
    {
      args: ["quantize", model, "--format", "int4_g32"],
      output: "small",
      whole: "small/config.json",
    },
    { args: ["export", ofGguf], output: "tuned.gguf" },
    { args: ["export", ofGguf], output: "adapter.safetensors" },
    { args: ["export", ofSplit], output: first, whole: first },
    { args: ["export", ofFolder], output: "tuned", whole: "tuned/config.json" },
    {
      args: ["export", ofSplit],
      before: ["export", ofSplit, "--step", "1"],
      output: first,
      whole: first,
    },
    {
      args: ["export", ofFolder],
      before: ["export", ofFolder, "--step", "1"],
      output: "tuned",
      whole: "tuned/config.json",
    },
  ];
}

/** Every file below a folder by its path, but those in the making. */
async function filesIn(folder: string, parts = false): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const visit = async (path: string, prefix: string) => {
    for await (const { name, isDirectory } of Deno.readDir(path)) {
      if (isPart(name) && !parts) continue;
      if (isDirectory) await visit(join(path, name), `${prefix}${name}/`);
      else files.set(`${prefix}${name}`, await Deno.readFile(join(path, name)));
    }
  };
  await visit(folder, "");
  return files;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** When to kill: so many milliseconds after the child is ready, or after its first file in the making is there. */
interface Moment {
  readonly after: "ready" | "part";
  readonly share: number;
}

interface Took {
  readonly ready: number;
  readonly part: number;
}

/** Runs a command in a child and kills it, if it is told when. Resolves with the milliseconds that it took, counted from either event. */
async function inChild(args: readonly string[], folder: string, at?: Moment & Took): Promise<Took> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check"],
      ...[fromFileUrl(import.meta.resolve("./write_child.ts")), ...args],
    ],
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const errors = new Response(child.stderr).text();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let said = ""; !said.includes("ready");) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The child never got ready: ${await errors}`);
    said += value;
  }
  const ready = performance.now();
  let ended = false;
  const drained = (async () => {
    while (!(await reader.read()).done);
    ended = true;
  })();
  const sleep = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));
  const hasPart = () => [...Deno.readDirSync(folder)].some(({ name }) => isPart(name));
  let part = ready;
  if (!at || at.after === "part") {
    // A folder that is there gets its parts inside.
    while (!ended && !hasPart() && !(await inner(folder))) await sleep(0);
    part = performance.now();
  }
  if (at) {
    await Promise.race([sleep(at.share * at[at.after]), drained]);
    try {
      child.kill("SIGKILL");
    } catch {
      // It had ended already.
    }
  }
  await drained;
  const { success } = await child.status;
  const said = await errors;
  if (!at) assert(success, said);
  const now = performance.now();
  return { ready: now - ready, part: now - part };
}

async function inner(folder: string): Promise<boolean> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (!isDirectory) continue;
    for await (const entry of Deno.readDir(join(folder, name))) if (isPart(entry.name)) return true;
  }
  return false;
}

Deno.test({
  name:
    `export and quantize killed at ${kills} random moments (QZO_KILLS, seed ${killSeed}): no half files, and the same bytes again`,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const cases = await prepare(folder);
      const random = randomNumbers(killSeed);
      const times = new Map<Case, Took>();
      const [expected, older] = [
        new Map<Case, Map<string, Uint8Array>>(),
        new Map<Case, Map<string, Uint8Array>>(),
      ];
      const counts = { nothing: 0, parts: 0, whole: 0 };
      for (let kill = 0; kill < kills; kill++) {
        const it = cases[kill % cases.length];
        const place = join(folder, `killed-${kill}`);
        await Deno.mkdir(place);
        const output = ["--output", join(place, it.output)];
        const command = [...it.args, ...output, ...it.before ? ["--force"] : []];
        if (it.before) await cli(...it.before, ...output);
        if (!times.has(it)) {
          const unbroken = join(folder, `unbroken-${kill}`);
          await Deno.mkdir(unbroken);
          times.set(
            it,
            await inChild([...it.args, "--output", join(unbroken, it.output)], unbroken),
          );
          expected.set(it, await filesIn(unbroken));
          if (it.before) older.set(it, await filesIn(place));
        }
        const moment: Moment = {
          after: random() < 0.3 ? "ready" : "part",
          share: 1.05 * random(),
        };
        await inChild(command, place, { ...times.get(it)!, ...moment });
        const where = `kill ${kill} of ${command.join(" ")}, at ${JSON.stringify(moment)}`;
        const wanted = expected.get(it)!;
        const found = await filesIn(place);
        const before = older.get(it) ?? new Map<string, Uint8Array>();
        for (const [name, bytes] of found) {
          const known = [wanted.get(name), before.get(name)];
          assert(known.some((one) => sameBytes(one, bytes)), `${where}: half of ${name}`);
        }
        if (it.whole && found.has(it.whole)) {
          const whole = [wanted, before].some((set) =>
            [...set].every(([name, bytes]) => sameBytes(found.get(name), bytes))
          );
          assert(whole, `${where}: ${[...found.keys()].join(", ")} of two models`);
        }
        const all = await filesIn(place, true);
        const done = [...wanted].every(([name, bytes]) => sameBytes(found.get(name), bytes));
        counts[done ? "whole" : all.size > found.size ? "parts" : "nothing"]++;
        // What is whole is refused again without --force, as it should be.
        if (!done) await cli(...command);
        const again = await filesIn(place, !done);
        assertEquals([...again.keys()].sort(), [...wanted.keys()].sort(), where);
        for (const [name, bytes] of wanted) assert(sameBytes(again.get(name), bytes), where);
        await Deno.remove(place, { recursive: true });
      }
      console.log(
        `killed before anything was written ${counts.nothing} times, within writing ${counts.parts}, after it ${counts.whole}`,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
