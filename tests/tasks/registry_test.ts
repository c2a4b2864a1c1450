import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { loadTask, readDataFile } from "../../tasks/files.ts";
import { builtInTask, builtInTasks } from "../../tasks/registry.ts";
import { readTask, type Split } from "../../tasks/task.ts";
import { exists, sharedData } from "../support/shared_data.ts";

/** Rows of README.md beside the data; MultiRC has a row for every answer. */
const rows: [string, Split, number][] = [
  ["sst2", "train", 6920],
  ["sst2", "dev", 872],
  ["sst2", "test", 1821],
  ["trec", "train", 5452],
  ["trec", "test", 500],
  ["rte", "train", 2490],
  ["rte", "dev", 277],
  ["cb", "train", 250],
  ["cb", "dev", 56],
  ["copa", "train", 32],
  ["copa", "dev", 100],
  ["boolq", "train", 32],
  ["boolq", "dev", 32],
  ["winogrande", "dev", 1267],
];

for (const [name, split, count] of rows) {
  const folder = sharedData(`tasks/${name}`);
  const there = exists(folder);
  Deno.test({
    name: `${name} has ${count} ${split} examples${
      there ? "" : " (skipped, because ../shared/data is missing)"
    }`,
    ignore: !there,
    async fn() {
      const examples = await loadTask(builtInTask(name), split, folder);
      assertEquals(examples.length, count);
      for (const { prompt, candidates, label } of examples) {
        assert(label >= 0 && label < candidates.length);
        assert(prompt === prompt.trimStart() && !prompt.endsWith(" "), JSON.stringify(prompt));
        assertEquals(new Set(candidates).size, candidates.length);
      }
      // No label is without examples.
      assertEquals(
        new Set(examples.map((example) => example.label)).size,
        examples[0].candidates.length,
      );
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
  },
});

/** A row as its file has it, and what the published template makes of it. */
const rendered: Record<string, [string, string, string]> = {
  sst2: ["1 a stirring film\n", "a stirring film It was", " great"],
  sst5: ["3 a fair film\n", "a fair film It was", " good"],
  trec: ["NUM:date When was it ?\n", "When was it ? Type:", " Number"],
  rte: [
    '{"premise":"A man sleeps.","hypothesis":"He rests.","label":"entailment"}',
    'A man sleeps.\nDoes this mean that "He rests." is true? Yes or No?\n',
    "Yes",
  ],
  cb: [
    '{"premise":"He may sleep.","hypothesis":"he sleeps","label":"neutral"}',
    'Suppose He may sleep. Can we infer that "he sleeps"? Yes, No, or Maybe?\n',
    "Maybe",
  ],
  boolq: [
    '{"question":"is it real","passage":"It is real.","label":true}',
    "It is real. is it real?",
    " Yes",
  ],
  copa: [
    '{"premise":"The man slid the razor across his chin.","choice1":"His stubble grew.","choice2":"I saw it.","question":"effect","label":1}',
    "The man slid the razor across his chin so",
    " I saw it.",
  ],
  multirc: [
    '{"passage":{"text":"A day.","questions":[{"question":"When?","answers":[{"text":"Now","label":0}]}]}}',
    'A day.\nQuestion: When?\nI found this answer "Now". Is that correct? Yes or No?\n',
    "No",
  ],
  winogrande: [
    '{"context_options":["The cup did not fit the box because the cup","The cup did not fit the box because the box"],"continuation":"was small.","gold":1}',
    "The cup did not fit the box because the",
    " box was small.",
  ],
};

Deno.test("every built-in task renders as its template says", () => {
  assertEquals(Object.keys(rendered), builtInTasks.map((task) => task.name));
  for (const [name, [text, prompt, answer]] of Object.entries(rendered)) {
    const [example] = readTask(builtInTask(name), text);
    assertEquals([example.prompt, example.candidates[example.label]], [prompt, answer], name);
  }
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
