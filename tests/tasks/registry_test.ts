import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { loadTask, readDataFile } from "../../tasks/files.ts";
import { builtInTask, builtInTasks } from "../../tasks/registry.ts";
import { readTask, type Split, taskFor } from "../../tasks/task.ts";
import { exists, sharedData } from "../support/shared_data.ts";

/** Examples of the files beside the repository, counted in README.md there or in the files; all classes occur. */
const rows: [string, Split, string, number][] = [
  ["sst2", "train", "stsa.binary.train", 6920],
  ["sst2", "dev", "stsa.binary.dev", 872],
  ["sst2", "test", "stsa.binary.test", 1821],
  ["sst5", "train", "stsa.fine.train", 8544],
  ["sst5", "dev", "stsa.fine.dev", 1101],
  ["sst5", "test", "stsa.fine.test", 2210],
  ["trec", "train", "train.txt", 5452],
  ["trec", "test", "test.txt", 500],
  ["rte", "train", "train.jsonl", 2490],
  ["rte", "dev", "val.jsonl", 277],
  ["cb", "train", "train.jsonl", 250],
  ["cb", "dev", "val.jsonl", 56],
  ["mnli", "train", "train.jsonl", 2000],
  ["mnli", "dev", "dev.jsonl", 1000],
  ["snli", "train", "train.jsonl", 2000],
  ["snli", "dev", "dev.jsonl", 1000],
  ["copa", "train", "train400.jsonl", 400],
  ["copa", "dev", "val.jsonl", 100],
  ["boolq", "train", "train.jsonl", 32],
  ["boolq", "dev", "dev32.jsonl", 32],
  ["wic", "train", "train.jsonl", 32],
  ["wsc", "train", "train.jsonl", 32],
  ["record", "train", "train.jsonl", 32],
  ["record", "dev", "dev32.jsonl", 32],
  ["squad", "dev", "xquad.en.json", 1190],
  ["drop", "dev", "contrast.json", 947],
  ["winogrande", "dev", "dev.jsonl", 1267],
];

for (const [name, split, file, count] of rows) {
  const folder = sharedData(`tasks/${name}`);
  const there = exists(folder);
  const sets = builtInTasks.filter((task) => task.name.split("/")[0] === name);
  Deno.test({
    name: `${name} has ${count} examples in ${file}, under each of its prompts${
      there ? "" : " (skipped, because ../shared/data is missing)"
    }`,
    ignore: !there,
    async fn() {
      for (const task of sets) {
        const format = file.endsWith(".jsonl") ? "jsonl" : task.format;
        const own = { ...task, format, files: { [split]: file } };
        const examples = await loadTask(own, split, folder);
        assertEquals(examples.length, count);
        for (const { prompt, candidates, label, reference, right } of examples) {
          assert(label >= 0 && label < candidates.length);
          assertEquals(prompt.trimEnd(), prompt.replace(/\n+$/, ""), JSON.stringify(prompt));
          assertEquals(new Set(candidates).size, candidates.length);
          if (name === "record") {
            assertEquals(reference?.texts?.length, candidates.length);
            // Found only with ends that are inclusive.
            for (const answer of reference?.answers ?? []) {
              assert(reference?.texts?.includes(answer), answer);
            }
            assertEquals(
              right?.map((index) => reference?.texts?.[index]),
              [...(reference?.answers ?? [])],
            );
          }
          if (task.template.answer !== undefined) {
            assertEquals(candidates.length, 1);
            assert((reference?.answers ?? []).includes(candidates[0].trim()));
          }
        }
        // No label is without examples; the 32 rows of WSC are all true, as FewGLUE has them.
        if (task.template.labels !== undefined && name !== "wsc") {
          assertEquals(
            new Set(examples.map((example) => example.label)).size,
            examples[0].candidates.length,
          );
        }
      }
    },
  });
}

const multirc = sharedData("tasks/multirc");
Deno.test({
  name: `multirc has an example for every answer${
    exists(multirc) ? "" : " (skipped, because ../shared/data is missing)"
  }`,
  ignore: !exists(multirc),
  async fn() {
    const examples = await loadTask(builtInTask("multirc"), "train", multirc);
    const text = await readDataFile(`${multirc}/train.jsonl`);
    assertEquals(examples.length, text.match(/"idx": \d+, "label": [01]/g)?.length);
    const questions = new Set(examples.map(({ reference }) => reference?.question));
    assertEquals(questions.size, text.match(/"question": /g)?.length);
  },
});

const passage =
  '{"passage":{"text":"A day.","questions":[{"question":"When?","answers":[{"text":"Now","label":0}]}]}}';
const pair = '{"premise":"He may sleep.","hypothesis":"he sleeps","label":"neutral"}';
const boolq = '{"question":"is it real","passage":"It -- It is real -- or not.","label":true}';
const copa =
  '{"premise":"The man slid the razor across his chin.","choice1":"His stubble grew.","choice2":"I saw it.","question":"effect","label":1}';
const wic =
  '{"word":"feel","sentence1":"\u{1f600} She felt ill.","sentence2":"I feel it.","start1":6,"end1":10,"start2":2,"end2":6,"label":false}';
const wsc =
  '{"text":"The cat , said Ann , was n\'t there because It slept.","target":{"span1_index":0,"span1_text":"the cat","span2_index":10,"span2_text":"It"},"label":true}';
const record = JSON.stringify({
  passage: {
    text: "Ann met Eve.\n@highlight\nAnn won\n@highlight\nEve lost",
    entities: [{ start: 8, end: 10 }, { start: 0, end: 2 }, { start: 24, end: 26 }],
  },
  qas: [{ query: "The loser, @placeholder, cried", answers: [{ start: 8, end: 10, text: "Eve" }] }],
});
const squad = JSON.stringify({
  version: "1.1",
  data: [{
    title: "Old_Town",
    paragraphs: [{
      context: "It is old.",
      qas: [{ question: " How is it? ", answers: [{ text: "old" }, { text: "It is old" }] }],
    }],
  }],
});
const drop = JSON.stringify({
  a_1: {
    passage: "Ann ran 10 yards.",
    qa_pairs: [
      { question: "How far?", answer: { number: "10", date: {}, spans: [] } },
    ],
  },
});

/** A row as its file has it, and what the published template makes of it. */
const rendered: Record<string, [string, string, string]> = {
  sst2: ["1 a stirring film\n", "a stirring film It was", " great"],
  "sst2/harness": [
    "1 a stirring film\n",
    "a stirring film\nQuestion: Is this sentence positive or negative?\nAnswer:",
    " positive",
  ],
  "sst2/bare": ["1 a stirring film\n", "a stirring film", " great"],
  sst5: ["3 a fair film\n", "a fair film It was", " good"],
  trec: ["NUM:date When was it ?\n", "When was it ? Type:", " Number"],
  rte: [
    '{"premise":"A man sleeps.","hypothesis":"He rests.","label":"entailment"}',
    'A man sleeps.\nDoes this mean that "He rests." is true? Yes or No?\n',
    "Yes",
  ],
  "rte/harness": [
    '{"premise":"A man sleeps.","hypothesis":"He rests.","label":"not_entailment"}',
    "A man sleeps.\nQuestion: He rests. True or False?\nAnswer:",
    " False",
  ],
  "rte/bare": [
    '{"premise":"A man sleeps.","hypothesis":"He rests.","label":"entailment"}',
    'A man sleeps.\n"He rests."\n',
    "Yes",
  ],
  cb: [pair, 'Suppose He may sleep. Can we infer that "he sleeps"? Yes, No, or Maybe?\n', "Maybe"],
  "cb/harness": [
    pair,
    "He may sleep.\nQuestion: he sleeps. True, False, or Neither?\nAnswer:",
    " Neither",
  ],
  mnli: [
    "gold_label\tsentence1\tsentence2\nneutral\tHe may sleep.\the sleeps\n",
    'He may sleep.\nDoes this mean that "he sleeps" is true? Yes, No, or Maybe?\n',
    "Maybe",
  ],
  "mnli/harness": [
    "gold_label\tsentence1\tsentence2\nneutral\tHe may sleep.\the sleeps\n",
    "He may sleep.\nQuestion: he sleeps. True, False or Neither?\nAnswer:",
    " Neither",
  ],
  snli: [
    '{"gold_label":"contradiction","sentence1":"He sleeps.","sentence2":"He runs."}',
    'He sleeps.\nDoes this mean that "He runs." is true? Yes, No, or Maybe?\n',
    "No",
  ],
  boolq: [boolq, "It is real -- or not. Is it real?\n", "Yes"],
  "boolq/zo-llm": [boolq, "It is real -- or not. Is it real?", " Yes"],
  "boolq/harness": [
    boolq,
    "It -- It is real -- or not.\nQuestion: is it real?\nAnswer:",
    " yes",
  ],
  wic: [
    wic,
    'Does the word "feel" have the same meaning in these two sentences? Yes, No?\n\u{1f600} She felt ill.\nI feel it.\n',
    "No",
  ],
  "wic/harness": [
    wic,
    "Sentence 1: \u{1f600} She felt ill.\nSentence 2: I feel it.\nQuestion: Is the word 'felt' used in the same way in the two sentences above?\nAnswer:",
    " no",
  ],
  wsc: [
    wsc,
    'The cat , said Ann , was n\'t there because It slept.\nIn the previous sentence, does the pronoun "it" refer to The cat? Yes or No?\n',
    "Yes",
  ],
  "wsc/harness": [
    wsc,
    'Passage: The cat, said Ann, wasn\'t there because *It* slept.\nQuestion: In the passage above, does the pronoun "*It*" refer to "*The cat*"?\nAnswer:',
    " yes",
  ],
  multirc: [
    passage,
    'A day.\nQuestion: When?\nI found this answer "Now". Is that correct? Yes or No?\n',
    "No",
  ],
  "multirc/harness": [
    passage,
    "A day.\nQuestion: When?\nAnswer:",
    " Now\nIs the answer correct? no",
  ],
  copa: [copa, "The man slid the razor across his chin so", " I saw it."],
  "copa/harness": [copa, "The man slid the razor across his chin therefore", "  i saw it."],
  "copa/bare": [copa, "The man slid the razor across his chin", " I saw it."],
  record: [record, "Ann met Eve.\n- Ann won\n- Eve lost\n-", " The loser, Eve, cried"],
  "record/harness": [
    record,
    "Ann met Eve.\n\n  - Ann won.\n  - Eve lost.\n",
    "   - The loser, Eve, cried",
  ],
  squad: [
    squad,
    "Title: Old_Town\nContext: It is old.\nQuestion: How is it?\nAnswer:",
    " old\n",
  ],
  "squad/harness": [
    squad,
    "Title: Old_Town\n\nBackground: It is old.\n\nQuestion: How is it?\n\nAnswer:",
    " old",
  ],
  drop: [drop, "Passage: Ann ran 10 yards.\nQuestion: How far?\nAnswer:", " 10\n"],
  "drop/harness": [drop, "Ann ran 10 yards. How far?", " 10"],
  winogrande: [
    '{"context_options":["The cup did not fit the box because the cup","The cup did not fit the box because the box"],"continuation":"was small.","gold":1}',
    "The cup did not fit the box because the",
    " box was small.",
  ],
  "winogrande/harness": [
    '{"sentence":"Ann met Eve so _.","option1":"Ann","option2":"Eve","answer":"2"}',
    "Ann met Eve so",
    " Eve .",
  ],
};

Deno.test("every built-in task renders as its template says", () => {
  assertEquals(Object.keys(rendered), builtInTasks.map((task) => task.name));
  for (const [name, [text, prompt, answer]] of Object.entries(rendered)) {
    const [example] = readTask(builtInTask(name), text);
    assertEquals([example.prompt, example.candidates[example.label]], [prompt, answer], name);
  }
});

/** The same rows for a model that predicts masked tokens: MeZO's prompts for RoBERTa, and what stands for their mask. */
const masked: Record<string, [string, string, string]> = {
  sst2: ["a stirring film It was", ".", " great"],
  sst5: ["a fair film It was", ".", " good"],
  trec: ["", ": When was it ?", " Number"],
  rte: ["A man sleeps?", ", he rests.", " Yes"],
  mnli: ["He may sleep?", ", he sleeps", " Maybe"],
  snli: ["He sleeps?", ", he runs.", " No"],
};

Deno.test("six tasks have MeZO's prompts for masked models, the others the same for all", () => {
  const own = builtInTasks.filter((task) => task.masked).map(({ name }) => name);
  assertEquals(own, Object.keys(masked).sort((a, b) => own.indexOf(a) - own.indexOf(b)));
  for (const [name, [prompt, after, answer]] of Object.entries(masked)) {
    const task = taskFor(builtInTask(name), "all");
    const [example] = readTask(task, rendered[name][0]);
    assertEquals(
      [example.prompt, example.after, example.candidates[example.label]],
      [prompt, after, answer],
      name,
    );
    // Classes are the same, in the same order.
    const { labels } = builtInTask(name).template;
    assertEquals(Object.keys(task.template.labels!), Object.keys(labels!));
    assertEquals(taskFor(builtInTask(name), "earlier"), builtInTask(name));
  }
  assertEquals(taskFor(builtInTask("copa"), "all"), builtInTask("copa"));
});

Deno.test("what metrics compare with", () => {
  const [query] = readTask(builtInTask("record"), record);
  assertEquals(query.reference, { answers: ["Eve"], texts: ["Ann", "Eve"] });
  assertEquals([query.right, query.label], [[1], 1]);
  const [question] = readTask(builtInTask("squad"), squad);
  assertEquals(question.reference, { answers: ["old", "It is old"] });
  const many = {
    passage: "x",
    qa_pairs: [{
      question: "Who and when?",
      answer: { number: "", date: {}, spans: ["Ann", "Eve"] },
      validated_answers: [
        { number: "", date: { day: "3", month: "May", year: "" }, spans: [] },
        { number: "", date: { day: "", month: "", year: "" }, spans: ["Eve"] },
      ],
    }],
  };
  const [checked] = readTask(builtInTask("drop"), JSON.stringify({ many }));
  assertEquals(checked.reference, {
    answers: ["3 May", "Eve"],
    spans: [["Ann", "Eve"], ["3 May"], ["Eve"]],
  });
});

Deno.test("data sets in other forms than the first: GLUE's tables, HF's rows, the original releases", () => {
  const sst2 = { ...builtInTask("sst2"), format: "tsv" } as const;
  assertEquals(
    readTask(sst2, "sentence\tlabel\na bore \t0\n")[0],
    { prompt: "a bore It was", candidates: [" terrible", " great"], label: 0 },
  );
  const rte = { ...builtInTask("rte"), format: "tsv" } as const;
  const glue = 'index\tsentence1\tsentence2\tlabel\n0\tA "b".\tC.\tnot_entailment\n';
  assertEquals(
    readTask(rte, glue)[0].prompt,
    'A "b".\nDoes this mean that "C." is true? Yes or No?\n',
  );
  const [released] = readTask(
    builtInTask("boolq"),
    '{"question":"is it?","title":"It","answer":false,"passage":"It -- is."}',
  );
  assertEquals(released.prompt, "It -- is. Is it?\n");
  assertEquals(released.candidates[released.label], "No");
  const flat = '{"title":"T","context":"C","question":"Q","answers":{"text":["a"]}}';
  assertEquals(
    readTask({ ...builtInTask("squad"), format: "jsonl" }, flat)[0].candidates,
    [" a\n"],
  );
  // Pairs without agreement, and questions without an answer.
  const none = '{"gold_label":"-","sentence1":"a","sentence2":"b"}';
  assertEquals(readTask(builtInTask("snli"), none), []);
  const open = flat.replace('["a"]', "[]");
  assertEquals(readTask({ ...builtInTask("squad"), format: "jsonl" }, open), []);
});

Deno.test("classes are told by name: a number is none, as each collection counts its own way", () => {
  for (const name of ["cb", "rte"]) {
    assertThrows(
      () => readTask(builtInTask(name), '{"premise":"a","hypothesis":"b","label":1}'),
      RangeError,
      'unknown label "1"; expected one of "entailment"',
    );
  }
  assertThrows(() => readTask(builtInTask("trec"), "4 Where ?\n"), RangeError, 'label "4"');
});

Deno.test("COPA asks for causes too, and WinoGrande reads its original form", () => {
  const [cause] = readTask(
    builtInTask("copa"),
    '{"premise":"It broke.","choice1":"The cat slept.","choice2":"The cat leapt.","question":"cause","label":1}',
  );
  assertEquals(cause, {
    prompt: "It broke because",
    candidates: [" the cat slept.", " the cat leapt."],
    label: 1,
  });
  const [blank] = readTask(
    builtInTask("winogrande"),
    '{"sentence":"Ann met Eve so _ smiled.","option1":"Ann","option2":"Eve","answer":"2"}',
  );
  assertEquals(blank, {
    prompt: "Ann met Eve so",
    candidates: [" Ann smiled.", " Eve smiled."],
    label: 1,
  });
});

Deno.test("WinoGrande of the harness scores what follows the options, in both forms of its files", () => {
  const harness = builtInTask("winogrande/harness");
  const expected = {
    prompt: "Ann met Eve so",
    candidates: [" Ann smiled.", " Eve smiled."],
    leads: [" Ann", " Eve"],
    label: 1,
  };
  for (
    const row of [
      '{"sentence":"Ann met Eve so _ smiled.","option1":"Ann","option2":"Eve","answer":"2"}',
      '{"context_options":["Ann met Eve so Ann","Ann met Eve so Eve"],"continuation":"smiled.","gold":1}',
    ]
  ) assertEquals(readTask(harness, row), [expected]);
  assertEquals(harness.score, "sum");
  assertThrows(
    () => readTask(harness, '{"sentence":"It was _","option1":"a","option2":"b","answer":"1"}'),
    RangeError,
    "nothing behind its candidates",
  );
});

Deno.test("an example that does not fit is named with its line", () => {
  const text =
    '{"premise":"a","hypothesis":"b","label":"entailment"}\n{"premise":"a","hypothesis":"b"}';
  assertThrows(
    () => readTask(builtInTask("rte"), text, "x.jsonl"),
    RangeError,
    "(line 2 of x.jsonl)",
  );
  assertThrows(() => readTask(builtInTask("copa"), '{"question":"why"}'), RangeError, '"why"');
  assertThrows(
    () => readTask(builtInTask("multirc"), '{"passage":{"text":"x"}}'),
    TypeError,
    "questions",
  );
  assertThrows(() => builtInTask("sst3"), RangeError, "sst2, sst5");
  assertThrows(
    () => builtInTask("boolq/gpt"),
    RangeError,
    "expected one of boolq, boolq/zo-llm, boolq/harness",
  );
  const strange = JSON.parse(record);
  strange.qas[0].answers[0].text = "Eva";
  assertThrows(() => readTask(builtInTask("record"), JSON.stringify(strange)), RangeError, '"Eva"');
});

Deno.test("TREC's file may be Latin-1, as it is given out, or converted; others may not", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // "sister city" with the one byte beyond ASCII of the original file.
    const line = [
      ...new TextEncoder().encode("LOC:city Which is a sister"),
      0xf0,
      ...[..." city ?"].map((c) => c.charCodeAt(0)),
      10,
    ];
    await Deno.writeFile(join(folder, "train.txt"), new Uint8Array(line));
    await Deno.writeTextFile(join(folder, "test.txt"), "LOC:city Which is a sister\u00f0 city ?\n");
    const trec = builtInTask("trec");
    const wanted = "Which is a sister\u00f0 city ? Type:";
    assertEquals((await loadTask(trec, "train", folder)).map(({ prompt }) => prompt), [wanted]);
    assertEquals((await loadTask(trec, "test", folder)).map(({ prompt }) => prompt), [wanted]);
    const sst2 = { ...builtInTask("sst2"), files: { train: "train.txt" } };
    await assertRejects(
      () => loadTask(sst2, "train", folder),
      SyntaxError,
      "byte 0xf0 at offset 26 (line 1)",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
