/**
 * A model and a file of conversations, and nothing else: as it is typed in another folder, to the answer that is generated; what trains and what answers with the rights that users give.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { RIGHTS } from "../../../cli/invocation.ts";
import {
  chatEnds,
  chatTokens,
  generate,
  loadModel,
  openModelSource,
  quantizedSource,
} from "../../../models/mod.ts";
import { openLedger, parseTrainConfig, replayLedger } from "../../../train/mod.ts";
import type { LlamaShape } from "../../reference/llama.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../../support/gguf_writer.ts";
import { permuteHeads, randomLlama } from "../../support/random_llama.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { typed } from "../typed.ts";
import { printable } from "../../../show/printable.ts";

const main = fromFileUrl(new URL("../../../cli/main.ts", import.meta.url));

/** In the manner of ChatML, with the model's own tokens. */
const template =
  "{{ bos_token }}{% for m in messages %}{{ m.role[0] + ':' + m.content + (eos_token if m.role == 'assistant' else '|') }}{% endfor %}{% if add_generation_prompt %}{{ 'a:' }}{% endif %}";

async function writeModel(path: string, chatTemplate?: string): Promise<void> {
  const shape: LlamaShape = {
    ...{ hidden: 32, layers: 1, feedForward: 64, heads: 2, kvHeads: 1, vocabulary: 272 },
    ...{ epsilon: 1e-5, ropeBase: 10000, rope: "norm" },
  };
  const weights = permuteHeads(shape, randomLlama(shape, { seed: 5, tied: true }));
  const metadata = {
    ...llamaMetadata(shape, 96),
    ...(chatTemplate
      ? { "tokenizer.chat_template": { kind: "string", value: chatTemplate } as const }
      : {}),
  };
  await Deno.writeFile(path, ggufBytes(metadata, llamaF32Tensors(shape, weights)));
}

/** As a process; what needs none is {@linkcode typed}. */
async function qzo(cwd: string, args: readonly string[], input?: string) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...RIGHTS.split(" "), "--no-check", main, ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), noted: text.decode(stderr) };
}

const conversations = Array.from({ length: 40 }, (_, i) =>
  JSON.stringify({
    messages: [
      ...(i % 4 === 0 ? [{ role: "system", content: "be kind" }] : []),
      { role: "user", content: `q${i}` },
      { role: "assistant", content: `yes ${i % 3}` },
      ...(i % 2 ? [{ role: "user", content: "and?" }, { role: "assistant", content: "no" }] : []),
    ],
  })).join("\n");

Deno.test("finetune MODEL DATA decides the rest, says by which flags, and generate --chat answers from the run", async () => {
  await withTemp(async (folder) => {
    const here = join(folder, "work");
    await Deno.mkdir(join(folder, "models"));
    await Deno.mkdir(here);
    const path = join(folder, "models", "small.gguf");
    await writeModel(path, template);
    await Deno.writeTextFile(join(here, "my chats.jsonl"), conversations);
    const trained = await qzo(here, ["finetune", "../models/small.gguf", "my chats.jsonl"]);
    assertEquals(trained.code, 0, trained.noted);
    for (
      const line of [
        /^Decided automatically; each flag changes it:$/m,
        /^ {2}--task\.name chat +rows of my chats\.jsonl have the field "messages"$/m,
        /^ {2}--optimiser\.name qzoPlus +it needs no learning rate$/m,
        /^ {2}--max-length 96 +the model's positions$/m,
        /^ {2}--quantize\.format Q4_0 +nothing of the model is quantised$/m,
        /^ {2}--output runs\/my-chats +/m,
        /^ {2}--data\.validation split +4 of 40 examples are held out, chosen by seed 0$/m,
        /^ {2}--steps 100 +3 passes would be 9; at least 100$/m,
        /^ {2}--evaluate-every 10 +10 evaluations$/m,
        /^note: chat: laid out by the model's chat template; the loss is of what the assistant says$/m,
      ]
    ) assertMatch(trained.noted, line);
    assertMatch(trained.out, /^task +chat, 36 examples, 4 held out$/m);
    assertMatch(trained.out, /^held-out after +loss [\d.]+ +\([\d.]+ lower/m);
    const run = join(here, "runs", "my-chats");
    const config = parseTrainConfig(
      await Deno.readTextFile(join(run, "config.yaml")),
      "config.yaml",
    );
    assertEquals([config.task.name, config.optimiser.name, config.steps], ["chat", "qzoPlus", 100]);
    // As where it is named: its schedule follows from its name.
    assertEquals(config.optimiser.schedule.kind, "linear");

    // A run goes on from its folder, is evaluated by it, and a second one finds a folder that is free.
    const again = await typed(here, "finetune", "runs/my-chats", "--resume");
    assertEquals(again.code, 0, again.noted);
    const evaluated = await typed(folder, "evaluate", "work/runs/my-chats", "--json");
    assertEquals(evaluated.code, 0, evaluated.noted);
    assertEquals(JSON.parse(evaluated.out).examples, 4);
    assert(JSON.parse(evaluated.out).perplexity > 1);
    const dry = await typed(
      here,
      "finetune",
      "../models/small.gguf",
      "my chats.jsonl",
      "--dry-run",
    );
    assertStringIncludes(dry.noted, "--output runs/my-chats-2");
    assertMatch(dry.out, /^output +runs\/my-chats-2$/m);

    // What is generated is what a script generates.
    using gpu = await openSharedGpu();
    using source = await openModelSource(path);
    using model = await loadModel(gpu, await quantizedSource(source, { format: "Q4_0" }));
    using offsets = await replayLedger(model, await openLedger(join(run, "run.ledger")));
    const messages = [{ role: "system", content: "be kind" }, { role: "user", content: "q5" }];
    const { tokens: stopTokens, texts: stop } = chatEnds(model.tokenizer!);
    let wanted = "";
    const options = {
      offsets,
      stopTokens,
      stop,
      maxTokens: 12,
      temperature: 0.8,
      minP: 0.05,
      topK: 40,
      seed: 3,
      repetitionPenalty: 1.1,
    };
    for await (const { text } of generate(model, chatTokens(model.tokenizer!, messages), options)) {
      wanted += text;
    }
    const flags = [
      "--max-tokens",
      "12",
      "--temperature",
      "0.8",
      "--min-p",
      "0.05",
      "--top-k",
      "40",
      "--seed",
      "3",
      "--repetition-penalty",
      "1.1",
    ];
    const asked = await qzo(
      folder,
      [
        "generate",
        "work/runs/my-chats",
        "--step",
        "last",
        "--chat",
        "--system",
        "be kind",
        ...flags,
      ],
      "q5\n",
    );
    assertEquals(asked.code, 0, asked.noted);
    // A model that has learned little writes control characters, too.
    wanted = printable(wanted);
    assertEquals(asked.out, `${wanted}\n`);
    const said = await qzo(folder, [
      "chat",
      "work/runs/my-chats",
      "--step",
      "last",
      "--system",
      "be kind",
      ...flags,
    ], "q5");
    assertEquals(said.out, `${wanted}\n`);
  });
});

Deno.test("finetune MODEL DATA: instructions without a template, a task's folder, and what is not certain", async () => {
  await withTemp(async (folder) => {
    await writeModel(join(folder, "small.gguf"));
    const files = {
      "do.jsonl": Array.from(
        { length: 12 },
        (_, i) => JSON.stringify({ instruction: `do ${i}`, output: `ok ${i}` }),
      ).join("\n"),
      "chats.jsonl": conversations,
      "both.jsonl": JSON.stringify({ instruction: "a", output: "b", text: "c" }),
      "stsa.binary.train": Array.from({ length: 30 }, (_, i) => `${i % 2} film ${i}`).join("\n"),
      "story.txt": "once upon a time there was a film. ".repeat(30),
    };
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, name), text);
    }
    await Deno.mkdir(join(folder, "empty"));
    const dry = (...args: string[]) =>
      typed(folder, "finetune", "small.gguf", ...args, "--dry-run");
    const task = await dry(".");
    assertEquals(task.code, 0, task.noted);
    assertMatch(task.noted, /--task\.name sst2 +\. holds its file stsa\.binary\.train/);
    assertMatch(task.noted, /--data\.validation split +3 of 30 examples are held out/);
    const chats = await dry("chats.jsonl", "--max-length", "90");
    assertMatch(chats.noted, /--task\.chat-template vicuna +the model brings no chat template/);
    // Vicuna's own system prompt is more than this model's positions; ten conversations bring a shorter one.
    assertEquals(chats.code, 0, chats.noted);
    assertStringIncludes(
      chats.noted,
      "30 of 40 conversations are left out, as nothing of an answer",
    );
    const short = await dry(
      "chats.jsonl",
      "--task.chat-template",
      "chatml",
      "--task.loss",
      "last",
      "--steps",
      "5",
      "--output",
      "x",
    );
    assertEquals(short.code, 0, short.noted);
    assertStringIncludes(
      short.noted,
      "laid out by the chat template chatml; the loss is of the last thing the assistant says",
    );
    assert(!/--(steps|output|task\.chat-template) /.test(short.noted), short.noted);
    assertMatch(short.out, /^ {2}loss +of \d+ tokens: "(?:yes.{1,2}\d|no)<\|im_end\|>"$/m);
    assertMatch(short.out, /^steps +5 of \d+ examples/m);
    const text = await dry("story.txt");
    assertMatch(text.noted, /--task\.name language-modelling +the file is plain text/);
    for (
      const [args, message] of [
        [
          ["both.jsonl"],
          'task instruction (fields "instruction", "output"), or task language-modelling',
        ],
        [
          ["chats.jsonl", "--data.train", "do.jsonl"],
          '"chats.jsonl" and --data.train both name the data',
        ],
        [["chats.jsonl", "do.jsonl"], 'Too many arguments: "do.jsonl" after "chats.jsonl"'],
        [["none.jsonl"], "none.jsonl"],
        [
          ["empty"],
          'Cannot tell what to learn from the folder "empty": it holds the files of no built-in task',
        ],
        [["chats.jsonl", "--task.chat-template", "none.jinja"], "none.jinja"],
        [["chats.jsonl", "--task.loss", "answer"], "answers"],
      ] as const
    ) {
      const { code, noted } = await dry(...args);
      assertEquals(code, 1, noted);
      assertStringIncludes(noted, message);
    }
    const plain = await typed(folder, "generate", "small.gguf", "--prompt", "a", "--system", "b");
    assertStringIncludes(plain.noted, "Cannot use --system without --chat");
    const bare = await typed(folder, "generate", "small.gguf", "--chat", "--prompt", "a");
    assertStringIncludes(bare.noted, "it has no chat template. Name one with --chat-template");
    const named = await typed(
      folder,
      ...["generate", "small.gguf", "--chat", "--prompt", "a", "--chat-template", "llama2"],
      ...["--max-tokens", "3"],
    );
    assertEquals(named.code, 0, named.noted);
  });
});
