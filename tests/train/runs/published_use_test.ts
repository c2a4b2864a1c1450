/**
 * Tasks as the papers use them: sizes, what is held out, the objective of training, and demonstrations before what is judged.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { Example } from "../../../models/batch.ts";
import { tokenizerFromJson } from "../../../models/mod.ts";
import { parseTrainConfig, taskExamples, type TaskExamplesOptions } from "../../../train/mod.ts";
import { judgedBy } from "../../../train/runs/task_examples.ts";

/** A token a letter. */
const alphabet = [
  ...' abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;?!"-\n',
];
const tokenizer = tokenizerFromJson({
  model: {
    type: "BPE",
    vocab: Object.fromEntries(alphabet.map((letter, id) => [letter, id])),
    merges: [],
  },
  decoder: { type: "Fuse" },
});
const spelled = (ids: readonly number[]): string => ids.map((id) => alphabet[id]).join("");
const promptsOf = (examples: readonly Example[]) => examples.map(({ prompt }) => spelled(prompt));

async function withFiles(
  files: Readonly<Record<string, string>>,
  use: (
    examplesOf: (yaml: string, options?: TaskExamplesOptions) => ReturnType<typeof taskExamples>,
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, name), content);
    }
    await use((yaml, options) =>
      taskExamples(
        parseTrainConfig(`model: a.gguf\n${yaml}`, "t.yaml", { folder }),
        tokenizer,
        options,
      )
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const films = (count: number, name: string) =>
  Array.from({ length: count }, (_, i) => `${i % 2} ${name} ${i}`).join("\n");
const sst2 = {
  "stsa.binary.train": films(700, "row"),
  "stsa.binary.dev": films(20, "dev"),
  "stsa.binary.test": films(30, "test"),
};

Deno.test("MeZO's sizes: held out of the training file, the validation file is the test", async () => {
  await withFiles(sst2, async (examplesOf) => {
    const yaml = "task: {name: sst2, protocol: mezo}\ndata: {folder: .}";
    const one = await examplesOf(yaml);
    assertEquals(
      [one.train, one.validation, one.test].map((set) => set?.examples.length),
      [200, 500, 20],
    );
    const [train, held, test] = [one.train, one.validation, one.test!]
      .map(({ examples }) => promptsOf(examples));
    assertEquals(new Set([...train, ...held]).size, 700);
    assert(test.every((prompt) => prompt.startsWith("dev ")));
    assertEquals(one.notes, [
      'task.protocol mezo: 200 examples are trained on, 500 are held out of the training file, 20 of "stsa.binary.dev" are the test',
    ]);
    // The same examples whatever the seed of the run.
    const other = await examplesOf(`${yaml}\nseed: 7`);
    assertEquals(other.train, one.train);
    const few = await examplesOf(
      "task: {name: sst2, protocol: mezo}\ndata: {folder: ., train_limit: 50, validation_limit: 10, test_limit: 5}",
    );
    assertEquals(
      [few.train, few.validation, few.test].map((set) => set?.examples.length),
      [50, 10, 5],
    );
    // A test file that is named is the test.
    const named = await examplesOf(
      "task: {name: sst2, protocol: mezo}\ndata: {folder: ., test: stsa.binary.test}",
    );
    assertEquals(named.test?.examples.length, 30);
    const alone = await examplesOf(yaml, { splits: ["test"] });
    assertEquals(alone.test, one.test);
    assertEquals(alone.train.examples, []);
    await assertRejects(
      () => examplesOf("task: language-modelling\ndata: {train: x.txt}\n"),
      Deno.errors.NotFound,
    );
    await assertRejects(
      () =>
        examplesOf(
          "task: {name: language-modelling, protocol: mezo}\ndata: {train: stsa.binary.train}",
        ),
      RangeError,
      "task.protocol mezo for language-modelling",
    );
  });
});

Deno.test("small sets hold fewer out; one that is too small is refused", async () => {
  const pairs = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      JSON.stringify({
        premise: `A ${i}.`,
        hypothesis: "b",
        label: ["entailment", "contradiction", "neutral"][i % 3],
      })).join("\n");
  await withFiles({ "train.jsonl": pairs(250), "val.jsonl": pairs(56) }, async (examplesOf) => {
    const cb = await examplesOf("task: {name: cb, protocol: mezo}\ndata: {folder: .}");
    assertEquals([cb.train.examples.length, cb.validation.examples.length], [150, 100]);
    assertEquals(cb.test?.examples.length, 56);
    assertEquals(cb.objective, "classification");
    await assertRejects(
      () =>
        examplesOf("task: {name: cb, protocol: mezo}\ndata: {folder: ., validation_limit: 250}"),
      RangeError,
      'Cannot hold 250 examples out of "train.jsonl"',
    );
  });
});

const choices = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      premise: `It fell ${i}.`,
      choice1: "It broke.",
      choice2: "She sang aloud.",
      question: i % 2 ? "cause" : "effect",
      label: i % 2,
    })).join("\n");

Deno.test("COPA learns the right choice's tokens as published, and is judged by choosing", async () => {
  await withFiles({ "train.jsonl": choices(400), "val.jsonl": choices(9) }, async (examplesOf) => {
    const found = await examplesOf("task: {name: copa, protocol: mezo}\ndata: {folder: .}");
    assertEquals([found.objective, judgedBy(found)], ["language-modelling", "classification"]);
    assertEquals(found.train.examples.length, 300);
    for (const { prompt, candidates, label } of found.train.examples) {
      assertEquals([candidates.length, label], [1, 0]);
      const wanted = spelled(prompt).endsWith("because") ? " she sang aloud." : " it broke.";
      assertEquals(spelled(candidates[0]), wanted);
    }
    for (const { candidates } of [...found.validation.examples, ...found.test!.examples]) {
      assertEquals(candidates.map(spelled), [" it broke.", " she sang aloud."]);
    }
    // To look at training examples is to judge them.
    const looked = await examplesOf("task: {name: copa, protocol: mezo}\ndata: {folder: .}", {
      judging: true,
    });
    assertEquals(looked.objective, "classification");
    assertEquals(looked.train.examples[0].candidates.length, 2);
    const own = await examplesOf(
      "task: {name: copa, protocol: mezo, objective: classification}\ndata: {folder: .}",
    );
    assertEquals([own.objective, own.judged], ["classification", undefined]);
    // Without the protocol it is as it was.
    const usual = await examplesOf("task: copa\ndata: {folder: .}");
    assertEquals([usual.objective, usual.judged], ["classification", undefined]);
    const asked = await examplesOf(
      "task: {name: copa, objective: language-modelling}\ndata: {folder: .}",
    );
    assertEquals([asked.objective, judgedBy(asked)], ["language-modelling", "classification"]);
    await assertRejects(
      () => examplesOf("task: {objective: classification}\ndata: {train: val.jsonl}"),
      RangeError,
      "text alone has no candidates",
    );
  });
});

const reading = JSON.stringify({
  data: [{
    title: "T",
    paragraphs: Array.from({ length: 30 }, (_, i) => ({
      context: `It is ${i}.`,
      qas: [{ question: "What?", answers: [{ text: `${i}` }, { text: `It is ${i}` }] }],
    })),
  }],
});

Deno.test("written answers: the first is learned with its line feed, all are kept to compare with", async () => {
  await withFiles(
    { "train-v1.1.json": reading, "dev-v1.1.json": reading },
    async (examplesOf) => {
      const { objective, validation, train, notes } = await examplesOf(
        "task: squad\ndata: {folder: .}",
      );
      assertEquals(objective, "language-modelling");
      const [{ prompt, candidates, label }] = validation.examples;
      assertEquals(spelled(prompt), "Title: T\nContext: It is 0.\nQuestion: What?\nAnswer:");
      assertEquals([candidates.map(spelled), label], [[" 0\n"], 0]);
      assertEquals(validation.references?.[3], { answers: ["3", "It is 3"] });
      assertEquals(train.references?.length, 30);
      // One "answer" each is no class, and these files are the same.
      assertEquals(notes?.length, 1);
      assertStringIncludes(notes![0], "in the training data too");
      // Room for an answer is left behind a prompt that is cut.
      const cut = await examplesOf("task: squad\ndata: {folder: .}\nmax_length: 80");
      assertEquals(cut.validation.examples[0].prompt.length, 40);
      await assertRejects(
        () => examplesOf("task: {name: squad, objective: classification}\ndata: {folder: .}"),
        RangeError,
        "its answers are free text",
      );
    },
  );
});

Deno.test("demonstrations are of the training examples, in the model's context, and lose their beginning", async () => {
  await withFiles(sst2, async (examplesOf) => {
    const options = { judging: true, splits: ["validation"], maxPositions: 160 } as const;
    const yaml = "task: sst2\ndata: {folder: ., validation_limit: 12}\nmax_length: 20";
    const { validation, notes } = await examplesOf(yaml, { ...options, shots: { count: 3 } });
    assertEquals(notes, undefined);
    for (const prompt of promptsOf(validation.examples)) {
      const parts = prompt.split("\n\n");
      assertEquals(parts.length, 4, prompt);
      assert(/^dev \d+ It was$/.test(parts[3]), prompt);
      for (const part of parts.slice(0, 3)) {
        const [, number, word] = /^row (\d+) It was (\w+)$/.exec(part)!;
        assertEquals(word, Number(number) % 2 ? "great" : "terrible");
      }
      assertEquals(new Set(parts.slice(0, 3)).size, 3);
    }
    assertEquals(new Set(promptsOf(validation.examples)).size, 12);
    const same = await examplesOf(yaml, { ...options, shots: { count: 2, same: true } });
    const shown = promptsOf(same.validation.examples).map((it) => it.split("\n\n").slice(0, 2));
    assertEquals(new Set(shown.map((it) => it.join())).size, 1);
    const many = await examplesOf(yaml, { ...options, shots: { count: 16 } });
    assertEquals(many.notes, [
      '"stsa.binary.dev": 12 of 12 examples are longer than the model\'s 160 positions and lost the first of their demonstrations (longest: ' +
      `${/longest: (\d+)/.exec(many.notes![0])?.[1]} tokens)`,
    ]);
    for (const prompt of promptsOf(many.validation.examples)) {
      assert(/dev \d+ It was$/.test(prompt), prompt);
    }
    // Of what is held out of the training file none is shown, and a training example is not shown before itself.
    const held = await examplesOf(
      "task: {name: sst2, protocol: mezo}\ndata: {folder: ., train_limit: 5}",
      { judging: true, splits: ["train", "validation"], maxPositions: 400, shots: { count: 4 } },
    );
    const trained = new Set(
      promptsOf(held.train.examples).map((prompt) => prompt.split("\n\n").at(-1)),
    );
    assertEquals(trained.size, 5);
    const seen = new Set<string>();
    for (const prompt of promptsOf(held.validation.examples)) {
      for (const part of prompt.split("\n\n").slice(0, -1)) {
        seen.add(part.replace(/ \w+$/, ""));
      }
    }
    assertEquals(seen, trained);
    for (const prompt of promptsOf(held.train.examples)) {
      assertEquals(new Set(prompt.split("\n\n").map((it) => /row \d+/.exec(it)?.[0])).size, 5);
    }
    await assertRejects(
      () => examplesOf(yaml, { ...options, shots: { count: 700 } }),
      RangeError,
      'Cannot show 700 demonstrations: "stsa.binary.train" has 700 examples',
    );
    await assertRejects(
      () =>
        examplesOf("task: {format: lines}\ndata: {train: stsa.binary.train}", {
          shots: { count: 1 },
        }),
      RangeError,
      "Cannot show demonstrations",
    );
  });
});
