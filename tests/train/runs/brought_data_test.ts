/**
 * Data as people bring them for fine-tuning: recognised, laid out, cut, counted; hostile rows are typed errors with their line.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import {
  type Example,
  lossParts,
  packBatch,
  type Tokenizer,
  tokenizerFromJson,
} from "../../../models/mod.ts";
import { readExamples, recogniseForm, supervisedExample } from "../../../tasks/mod.ts";
import {
  configToYaml,
  decideRun,
  decideSteps,
  parseTrainConfig,
  recogniseTask,
  taskExamples,
} from "../../../train/mod.ts";
import { withAbsolutePaths } from "../../../train/config/paths.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { withFiles } from "../../models/quantised_folder.ts";

/** A token a letter, one that ends a turn, and a template without marks. */
const letters = [..." abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;?!\n<>|_"];
const special = ["<s>", "</s>"];
const vocab = Object.fromEntries([...special, ...letters].map((it, id) => [it, id]));
const template =
  "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token if m.role == 'assistant' else '' }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";
const tokenizerOf = (chatTemplate?: string) =>
  tokenizerFromJson({
    model: { type: "BPE", vocab, merges: [], unk_token: "?" },
    added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
    decoder: { type: "Fuse" },
  }, {
    ...{
      bos_token: "<s>",
      eos_token: "</s>",
      tokenizer_class: "LlamaTokenizer",
      add_bos_token: true,
    },
    ...(chatTemplate ? { chat_template: chatTemplate } : {}),
  });
const tokenizer = tokenizerOf(template);

const configOf = (folder: string, file: string, more = "") =>
  parseTrainConfig(`model: a.gguf\ndata: {folder: ${folder}, train: ${file}}\n${more}`, "t.yaml");
const jsonl = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).join("\n");
const chat = (i: number) => ({
  messages: [
    { role: "user", content: `q ${i}` },
    { role: "assistant", content: `a ${i}` },
    { role: "user", content: "and" },
    { role: "assistant", content: `b ${i}` },
  ],
});

/** What the loss is of, in text. */
const answers = ({ prompt, candidates: [own], scored }: Example) =>
  (scored ?? [[prompt.length === 0 ? 1 : 0, own.length]])
    .map(([first, end]) => tokenizer.decode(own.slice(first, end), { skipSpecial: false }));

Deno.test("brought: every form is recognised, laid out, and noted by name", async () => {
  const rows = (row: (i: number) => unknown) => jsonl(Array.from({ length: 20 }, (_, i) => row(i)));
  const files = {
    "chat.jsonl": rows(chat),
    "share.json": `[${
      Array.from({ length: 20 }, (_, i) =>
        JSON.stringify({
          conversations: [{ from: "human", value: `q ${i}` }, { from: "gpt", value: `a ${i}` }],
        })).join(",\n")
    }]`,
    "alpaca.jsonl": rows((i) => ({ instruction: `do ${i}`, input: "", output: `done ${i}` })),
    "pairs.csv": `prompt,completion\n${
      Array.from({ length: 20 }, (_, i) => `q ${i}, a ${i}`).join("\n")
    }\n`,
    "text.jsonl": rows((i) => ({ text: `a text ${i}`, source: "web" })),
  };
  await withFiles(files, async (folder) => {
    const cases: [keyof typeof files, string | undefined, string[] | undefined, string][] = [
      [
        "chat.jsonl",
        "chat",
        ["a 0</s>", "b 0</s>"],
        "rendered with the model's chat template; the loss covers the assistant's messages",
      ],
      ["share.json", "chat", ["a 0</s>"], 'rows of share.json have the field "conversations"'],
      [
        "alpaca.jsonl",
        "instruction",
        ["done 0</s>"],
        'have the fields "instruction", "input", "output"',
      ],
      ["pairs.csv", "completion", [" a 0</s>"], "the loss covers completions"],
      ["text.jsonl", undefined, undefined, ""],
    ];
    for (const [file, name, wanted, note] of cases) {
      const config = configOf(folder, file, "max_length: 1000");
      const { config: named } = await recogniseTask(config);
      assertEquals(named.task.name, name);
      const found = await taskExamples(config, tokenizer);
      assertEquals(found.objective, "language-modelling");
      assertEquals([found.train.examples.length, found.validation.examples.length], [18, 2]);
      const all = [...found.train.examples, ...found.validation.examples];
      assertEquals(all.every(({ prompt, candidates: [own] }) => (prompt[0] ?? own[0]) === 0), true);
      if (wanted) {
        assert(all.some((it) => JSON.stringify(answers(it)) === JSON.stringify(wanted)), file);
        // The BOS token is there once, whoever brings it.
        assert(
          all.every((it) =>
            [...it.prompt, ...it.candidates[0]].filter((id) => id === 0).length === 1
          ),
        );
        const spoken = found.train.examples.flatMap(answers).join("").replaceAll("</s>", "");
        assertEquals(found.train.characters, spoken.length);
      }
      assertStringIncludes((found.notes ?? []).join("\n"), note);
      // The recognised configuration is what a run's folder keeps.
      const kept = parseTrainConfig(configToYaml(named), "kept.yaml");
      assertEquals((await taskExamples(kept, tokenizer)).train, found.train);
    }
  });
});

Deno.test("brought: the loss on answers, on the last, on all; weights and system prompts", async () => {
  const system = { messages: [{ role: "system", content: "be kind" }, ...chat(1).messages] };
  const weighted = structuredClone(chat(2)) as { messages: Record<string, unknown>[] };
  weighted.messages[1].weight = 0;
  await withFiles({ "a.jsonl": jsonl([system, weighted]) }, async (folder) => {
    const scored = async (task: string) => {
      const { train } = await taskExamples(
        configOf(folder, "a.jsonl", `max_length: 1000\ntask: {${task}}`),
        tokenizer,
      );
      return train.examples.map(answers).toSorted();
    };
    assertEquals(await scored("name: chat"), [["a 1</s>", "b 1</s>"], ["b 2</s>"]]);
    assertEquals(await scored("loss: last"), [["b 1</s>"], ["b 2</s>"]]);
    const [one, two] = await scored("loss: all");
    assertEquals(one, [
      "<system>be kind\n<user>q 1\n<assistant>a 1</s>\n<user>and\n<assistant>b 1</s>\n",
    ]);
    assertEquals(two, ["<user>q 2\n<assistant>a 2</s>\n<user>and\n<assistant>b 2</s>\n"]);
    assertEquals(await scored("chat_template: chatml, loss: last"), [["b 1<|im_end|>"], [
      "b 2<|im_end|>",
    ]]);
  });
});

Deno.test("brought: what is too long is cut and counted, what has no answer left is left out", async () => {
  const long = {
    messages: [{ role: "user", content: "x".repeat(90) }, { role: "assistant", content: "no" }],
  };
  const first = { conversations: [{ from: "gpt", value: "hello" }, ...chat(7).messages] };
  await withFiles({
    "a.jsonl": jsonl([chat(1), chat(2), long]),
    "b.jsonl": jsonl([{
      messages: first.conversations.map((it) =>
        "from" in it ? { role: "assistant", content: it.value } : it
      ),
    }]),
  }, async (folder) => {
    const found = await taskExamples(configOf(folder, "a.jsonl", "max_length: 30"), tokenizer);
    assertEquals(found.train.examples.map(answers).toSorted(), [["a 1</s>"], ["a 2</s>"]]);
    const notes = (found.notes ?? []).join("\n");
    assertStringIncludes(
      notes,
      '"a.jsonl": 3 of 3 conversations are longer than max_length 30 and were cut (longest: 113 tokens)',
    );
    assertStringIncludes(
      notes,
      "1 of 3 conversations is left out, because no scored part of an answer is within max_length 30",
    );
    const other = await taskExamples(configOf(folder, "b.jsonl", "max_length: 100"), tokenizer);
    assertStringIncludes(
      (other.notes ?? []).join("\n"),
      "1 of 1 conversations begins with an assistant's message, which is left out",
    );
    assertEquals(other.train.examples.map(answers), [["a 7</s>", "b 7</s>"]]);
  });
});

Deno.test("brought: what is not certain, not laid out, or not for the task is refused by name", async () => {
  const files = {
    "both.jsonl": jsonl([{ instruction: "a", output: "b", text: "c" }]),
    "labelled.jsonl": jsonl([{ text: "a", label: 1 }]),
    "chat.jsonl": jsonl([chat(1)]),
    "bad.jsonl": jsonl([chat(1), { messages: [{ role: "user", content: "a" }] }]),
    "pairs.jsonl": jsonl([{ prompt: "a", completion: "b" }]),
    "turns.jinja":
      "{% for m in messages %}{{ m.content }}{% if loop.last %}!{% endif %}{% endfor %}",
  };
  await withFiles(files, async (folder) => {
    const refused = async (
      file: string,
      task: string,
      kind: typeof RangeError | typeof TypeError,
      message: string,
      by = tokenizer,
    ) => {
      const config = configOf(folder, file, `task: {${task}}`);
      await assertRejects(() => taskExamples(config, by), kind, message);
    };
    await refused("both.jsonl", "", RangeError, "task instruction");
    await refused("labelled.jsonl", "", RangeError, "task language-modelling");
    await refused("chat.jsonl", "", RangeError, "the model has no chat template", tokenizerOf());
    await refused(
      "chat.jsonl",
      `chat_template: ${folder}/turns.jinja`,
      RangeError,
      "Cannot tell which tokens belong to the assistant in message 2",
    );
    await refused(
      "chat.jsonl",
      `chat_template: ${folder}/turns.jinja`,
      RangeError,
      "(line 1 of chat.jsonl)",
    );
    await refused("bad.jsonl", "", RangeError, "it has no assistant message");
    await refused("bad.jsonl", "", RangeError, "(line 2 of bad.jsonl)");
    await refused("pairs.jsonl", "name: chat", TypeError, 'none of the fields "messages"');
    await refused(
      "pairs.jsonl",
      "name: completion, chat_template: chatml",
      RangeError,
      "Cannot use task.chat_template with task completion",
    );
    await refused(
      "pairs.jsonl",
      "name: sst2, loss: all",
      RangeError,
      "Cannot use task.loss with task sst2: it applies only to chat, instruction, completion",
    );
    // What is named is not asked of the fields.
    const config = configOf(folder, "labelled.jsonl", "task: language-modelling");
    assertEquals((await taskExamples(config, tokenizer)).train.examples.length, 1);
  });
});

Deno.test("brought: steps, evaluations and what is held out follow from the data's size", () => {
  const sets = (train: number, held: number) => {
    const set = (count: number) => ({
      examples: Array.from({ length: count }, () => ({ prompt: [1], candidates: [[2]], label: 0 })),
    });
    return { train: set(train), validation: set(held) };
  };
  const decided = (train: number, held: number, yaml = "", ...given: string[]) => {
    const config = parseTrainConfig(`model: a.gguf\n${yaml}`, "t.yaml");
    const { config: own, decisions } = decideSteps(config, sets(train, held), {
      given: new Set(given),
    });
    return [own.steps, own.evaluateEvery, ...decisions.map(({ key }) => key)];
  };
  assertEquals(decided(54, 6), [100, 10, "data.validation", "steps", "evaluate_every"]);
  assertEquals(decided(900, 100), [171, 18, "data.validation", "steps", "evaluate_every"]);
  assertEquals(decided(90_000, 500), [1000, 100, "data.validation", "steps", "evaluate_every"]);
  assertEquals(decided(900, 100, "steps: 7", "steps", "data.validation"), [7, 1, "evaluate_every"]);
  assertEquals(decided(900, 100, "evaluate_every: 50\nepochs: 1", "evaluate_every", "epochs"), [
    1000,
    50,
    "data.validation",
  ]);
});

Deno.test("brought: 5,000 mutated lines are read, or refused by a typed error", async () => {
  const random = randomNumbers(3);
  const below = (n: number) => Math.floor(random() * n);
  const pieces = [
    ...['"role"', '"user"', '"wizard"', "null", "[]", "{}", "[null]", "-1", "1e999", "true"],
    ...['""', '"\\ud800"', '"\\u0000"', '"weight":0,', '"messages":', "\u2028", "{%", "]", "}"],
  ];
  const values: unknown[] = [
    ...[null, "", " ", 0, -1, 1.5, true, [], {}, [null], [[]], "wizard", "\ud800", "\u0000", "gpt"],
    ...["{% generation %}", "constructor", "__proto__", { type: "image" }, [{
      type: "text",
      text: "x",
    }]],
    ...[
      "x".repeat(300),
      [{ role: "user", content: "a" }],
      { role: "assistant", content: "b" },
      2 ** 60,
    ],
  ];
  const keys = [
    "role",
    "content",
    "from",
    "value",
    "weight",
    "tool_calls",
    "tools",
    "system",
    "messages",
    "text",
    "label",
    "prompt",
    "completion",
    "output",
    "constructor",
  ];
  const bases = [
    ...["chat", "chat", "instruction", "completion"] as const,
  ].map((form, i) => ({
    form,
    row: [
      chat(1),
      { conversations: [{ from: "human", value: "a" }, { from: "gpt", value: "b" }] },
      { instruction: "a", input: "c", output: "b" },
      { prompt: "a", completion: "b" },
    ][i],
  }));
  /** Changes something somewhere within a value. */
  const change = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null || below(4) === 0) {
      return values[below(values.length)];
    }
    const copy = structuredClone(value) as Record<string, unknown>;
    const names = Object.keys(copy);
    const name = names[below(names.length)];
    const kind = below(6);
    if (kind === 0) delete copy[name];
    else if (kind === 1 && !Array.isArray(copy)) {
      copy[keys[below(keys.length)]] = values[below(values.length)];
    } else if (name !== undefined) copy[name] = change(copy[name]);
    return Array.isArray(copy) ? copy.filter((it) => it !== undefined) : copy;
  };
  const cut = (line: string): string => {
    const parts = line.match(/"[^"]*"|[^"]/g) ?? [];
    const at = below(parts.length);
    const kind = below(3);
    if (kind === 0) parts.splice(at, 1 + below(3));
    else if (kind === 1) parts[at] = pieces[below(pieces.length)];
    else parts.splice(at, 0, pieces[below(pieces.length)]);
    return parts.join("");
  };
  let [read, refused] = [0, 0];
  const lines: string[] = [];
  for (let i = 0; i < 5000; i++) {
    const { form, row } = bases[i % bases.length];
    const changed = below(3) === 0 ? row : change(row);
    const written = JSON.stringify(changed) ?? "";
    const line = changed === row ? cut(written) : written;
    if (lines.length < 60) lines.push(line);
    try {
      for (const one of readExamples(line, "jsonl")) {
        const found = i % 2 === 0 ? form : recogniseForm([one])?.form ?? form;
        if (found === "text") continue;
        const loss = lossParts[below(3)];
        const example = supervisedExample(tokenizer, one, { form: found, loss, maximumLength: 64 });
        if (example) packBatch([example], "language-modelling", 64);
      }
      read++;
    } catch (error) {
      const typed = error instanceof RangeError || error instanceof TypeError ||
        error instanceof SyntaxError;
      assert(typed && error.message.startsWith("Cannot "), `${line}\n${error}`);
      refused++;
    }
  }
  assert(read > 1000 && refused > 1500, `${read} read, ${refused} refused`);
  // From a file, the error says where.
  await withFiles({}, async (folder) => {
    for (const line of lines) {
      await Deno.writeTextFile(join(folder, "m.jsonl"), `\n${line}\n`);
      try {
        await taskExamples(configOf(folder, "m.jsonl", "max_length: 64"), tokenizer);
      } catch (error) {
        assert(error instanceof Error);
        assertStringIncludes(error.message, "m.jsonl", line);
      }
    }
  });
});

Deno.test("brought: a chat template's file counts from the configuration's, its name from nowhere", async () => {
  await withFiles({ "a.jsonl": jsonl([chat(1)]), "own.jinja": template }, async (folder) => {
    const yaml = (named: string) =>
      `model: m.gguf\ndata: {train: a.jsonl}\ntask: {name: chat, chat_template: ${named}}\nmax_length: 500`;
    const own = parseTrainConfig(yaml("own.jinja"), "t.yaml", { folder });
    assertEquals(own.task.chatTemplate, join(folder, "own.jinja"));
    assertEquals((await taskExamples(own, tokenizerOf())).train.examples.map(answers), [[
      "a 1</s>",
      "b 1</s>",
    ]]);
    assertEquals(withAbsolutePaths(own).task.chatTemplate, join(folder, "own.jinja"));
    const named = parseTrainConfig(yaml("ChatML"), "t.yaml", { folder });
    assertEquals(named.task.chatTemplate, "ChatML");
    assertEquals(withAbsolutePaths(named).task.chatTemplate, "ChatML");
    const { notes = [] } = await taskExamples(named, tokenizerOf());
    assertStringIncludes(notes.join(), '"<|im_end|>" after an answer is not a token of the model');
  });
});

Deno.test("brought: a model's template, its absence and its weights decide what nothing says", async () => {
  const files = { "a.jsonl": jsonl([chat(1), chat(2)]), "b.txt": "a text of some words" };
  await withFiles(files, async (folder) => {
    const decided = async (file: string, by: Tokenizer, ...given: string[]) => {
      const source = { config: { context: 4096 }, tensors: new Map(), tokenizer: by };
      const { config, decisions } = await decideRun(
        configOf(folder, file),
        // Nothing else of a source is looked at.
        source as unknown as Parameters<typeof decideRun>[1],
        { given: new Set(["data.train", "data.folder", "output", ...given]) },
      );
      return [config, Object.fromEntries(decisions.map(({ key, value }) => [key, value]))] as const;
    };
    const usual = { "optimiser.name": "qzoPlus", "max_length": "1024", "quantize.format": "Q4_0" };
    const [own, said] = await decided("a.jsonl", tokenizer);
    assertEquals(said, { "task.name": "chat", ...usual });
    assertEquals([own.maxLength, own.quantize.format, own.optimiser.name], [
      1024,
      "Q4_0",
      "qzoPlus",
    ]);
    assertEquals((await decided("a.jsonl", tokenizerOf()))[1], {
      ...{ "task.name": "chat", "task.chat_template": "vicuna" },
      ...usual,
    });
    // One that drops what was thought in earlier answers: the last can be told, and all of them would be refused.
    const forgets = template.replace(
      "{{ m.content }}",
      "{{ 'thought ' if m.role == 'assistant' and loop.last else '' }}{{ m.content }}",
    );
    const [last, why] = await decided("a.jsonl", tokenizerOf(forgets));
    assertEquals(why, { "task.name": "chat", "task.loss": "last", ...usual });
    const { train } = await taskExamples({ ...last, maxLength: 500 }, tokenizerOf(forgets));
    assertEquals(train.examples.map(answers).toSorted(), [["thought b 1</s>"], [
      "thought b 2</s>",
    ]]);
    await assertRejects(
      () => taskExamples(configOf(folder, "a.jsonl", "max_length: 500"), tokenizerOf(forgets)),
      RangeError,
      "Cannot tell which tokens belong to the assistant",
    );
    assertEquals(
      (await decided(
        "b.txt",
        tokenizer,
        "optimiser.learning_rate",
        "max_length",
        "trainables.kinds",
      ))[1],
      {
        "task.name": "language-modelling",
      },
    );
  });
});
