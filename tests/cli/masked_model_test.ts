// A model that predicts masked tokens through all commands: a task with a mask, plain text, quantising, what it cannot do.
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { join } from "@std/path";
import { openModelSource } from "../../models/mod.ts";
import { readLedger } from "../../optim/mod.ts";
import { encodeHeader } from "../../optim/ledger/ledger_header.ts";
import { smallRoberta, writeRobertaFolder } from "../models/architectures/small_roberta.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";

const special = ["<s>", "<pad>", "</s>", "<unk>"];
const letters = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i));
const tokens = [...special, "\u0120", ...letters, "<mask>"];
const shape = {
  ...smallRoberta,
  ...{ hidden: 32, heads: 2, feedForward: 64, layers: 1, vocabulary: tokens.length },
};

/** A tiny RoBERTa with a tokenizer of bytes, a task with a mask and a text. */
async function writeTiny(folder: string): Promise<{ model: string; task: string; text: string }> {
  const model = join(folder, "model");
  await writeRobertaFolder(model, shape, { seed: 5 });
  const added = [...special, "<mask>"].map((content) => ({
    ...{ id: tokens.indexOf(content), content, special: true, lstrip: content === "<mask>" },
    ...{ single_word: false, rstrip: false, normalized: false },
  }));
  const write = (name: string, json: unknown) =>
    Deno.writeTextFile(join(model, name), JSON.stringify(json));
  await write("tokenizer.json", {
    version: "1.0",
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0] },
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [],
      unk_token: "<unk>",
    },
  });
  await write("tokenizer_config.json", {
    ...{ tokenizer_class: "RobertaTokenizer", bos_token: "<s>", eos_token: "</s>" },
    ...{ mask_token: "<mask>", pad_token: "<pad>", unk_token: "<unk>" },
  });
  const random = randomNumbers(7);
  const rows = (count: number): string =>
    Array.from({ length: count }, () => {
      const label = random() < 0.5 ? 0 : 1;
      return JSON.stringify({ text: `${label ? "ab" : "cd"}${Math.floor(random() * 10)}`, label });
    }).join("\n");
  await Deno.writeTextFile(join(folder, "train.jsonl"), rows(24));
  await Deno.writeTextFile(join(folder, "dev.jsonl"), rows(8));
  const lines = Array.from(
    { length: 60 },
    () => Array.from({ length: 20 }, () => letters[Math.floor(random() * 60)]).join(""),
  );
  await Deno.writeTextFile(join(folder, "text.txt"), lines.join("\n"));
  const common = `model: ${model}\nbatch_size: 4\nsteps: 4\nevaluate_every: 2\nmax_length: 32\n`;
  const [task, text] = [join(folder, "task.yaml"), join(folder, "text.yaml")];
  await Deno.writeTextFile(
    task,
    `${common}quantize: { format: int4_g32 }
task: { name: tiny, template: "{text} is{mask}.", labels: { "0": "x", "1": "y" } }
data: { folder: ${folder}, train: train.jsonl, validation: dev.jsonl }
output: ${join(folder, "run")}
`,
  );
  await Deno.writeTextFile(
    text,
    `${common}quantize: { format: Q4_0 }
data: { folder: ${folder}, train: text.txt }
output: ${join(folder, "text-run")}
`,
  );
  return { model, task, text };
}

async function qzo(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, out: terminal.printed, err: terminal.noted };
}

async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await qzo(...args);
  assertEquals(code, 0, err);
  return out;
}

const lossOf = async (...args: string[]): Promise<number> =>
  JSON.parse(await done("evaluate", ...args, "--json")).loss;

Deno.test("a model of masked tokens: finetune, resume, replay, export, evaluate, quantize, inspect; generate is refused", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = (name: string) => join(folder, name);
    const { model, task, text } = await writeTiny(folder);

    const plan = await done("finetune", task, "--dry-run");
    assertStringIncludes(plan, "is<mask>.</s>");
    assertStringIncludes(plan, 'written "');

    await done("finetune", task, "--steps", "2");
    await done("finetune", path("run"), "--resume", "--steps", "4");
    const ledger = readLedger(await Deno.readFile(path("run/run.ledger")));
    assertEquals(ledger.records.length, 4);
    assert([...ledger.records].some(({ coefficients }) => coefficients.some((it) => it !== 0)));
    const replayed = await done("replay", path("run"), "--step", "last");
    assertStringIncludes(replayed, "device and host agree");
    await done("export", path("run"), "--output", path("tuned"), "--step", "last");
    using tuned = await openModelSource(path("tuned"));
    assertEquals(tuned.config.architecture, "roberta");
    assertEquals(tuned.tokenizer!.mask, tokens.length - 1);
    const after = await lossOf(path("run"), "--step", "last");
    const written = await lossOf(task, "--model", path("tuned"));
    assertAlmostEquals(after, written, 2e-3);

    const printed = await done("evaluate", text);
    assertStringIncludes(printed, "nats per masked token");
    assert(!printed.includes("perplexity"), printed);
    await done("finetune", text, "--steps", "2");
    const one = await lossOf(text);
    assertEquals(await lossOf(text, "--seed", "5"), one);

    const quantized = await done(
      ...["quantize", model, "--output", path("small"), "--format", "int4_g32", "--method", "gptq"],
      ...["--calibration", path("text.txt"), "--calibration-length", "24"],
    );
    assertStringIncludes(quantized, "int4_g32");
    const inspected = await done("inspect", path("small"));
    assertStringIncludes(inspected, "roberta");
    const refused = [
      [["generate", model, "--prompt", "ab"], "predicts masked tokens"],
      [["evaluate", task, "--model", "demo/model.gguf"], "not masked ones"],
      [
        ["quantize", model, "--output", path("x.gguf"), "--format", "Q4_0"],
        "no head for masked tokens",
      ],
    ] as const;
    for (const [args, message] of refused) {
      const { code, err } = await qzo(...args);
      assertEquals(code, 1, args.join(" "));
      assertStringIncludes(err, message);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("masks of a text are other ones in each epoch, also for a run that goes on; runs from before keep theirs", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { text } = await writeTiny(folder);
    // 60 lines of 20 letters are 42 windows, 4 of them held out: 10 steps an epoch.
    const train = (output: string, ...more: string[]) =>
      done("finetune", text, "--output", join(folder, output), "--evaluate-every", "0", ...more);
    const ledgerOf = async (output: string) =>
      readLedger(await Deno.readFile(join(folder, output, "run.ledger")));
    const movesOf = async (output: string) =>
      [...(await ledgerOf(output)).records].map(({ coefficients }) => coefficients[0]);

    await train("whole", "--steps", "14");
    await train("parts", "--steps", "12");
    await done("finetune", join(folder, "parts"), "--resume", "--steps", "14");
    const whole = await movesOf("whole");
    assertEquals(await movesOf("parts"), whole);

    // A ledger that says nothing of masks, as runs had it before.
    await train("before", "--steps", "0");
    const { header } = await ledgerOf("before");
    const { masks, ...data } = header.data as Record<string, never>;
    assertEquals(masks, "each epoch");
    await Deno.writeFile(
      join(folder, "before/run.ledger"),
      encodeHeader({ ...header, data }).bytes,
    );
    await done("finetune", join(folder, "before"), "--resume", "--steps", "14");
    const before = await movesOf("before");
    assertEquals(before.slice(0, 10), whole.slice(0, 10));
    assertNotEquals(before.slice(10), whole.slice(10));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
