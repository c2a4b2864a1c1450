import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { readTask } from "../../../tasks/mod.ts";
import { parseTrainConfig, type TrainConfig } from "../../../train/config/mod.ts";
import { formatOfSplit, formatOfTaskFile, taskOfConfig } from "../../../train/config/task.ts";

function config(yaml: string): TrainConfig {
  return parseTrainConfig(`model: a.gguf\n${yaml}`, "t.yaml");
}

Deno.test("config task: a described task reads its data", () => {
  const task = taskOfConfig(config(`
task:
  template: "{sentence} It was{label}"
  labels: [" bad", " good"]
data: {train: a.tsv, validation: b.tsv}
`));
  assertEquals(task?.files, { train: "a.tsv", dev: "b.tsv" });
  assertEquals(task && readTask(task, "sentence\tlabel\nFine.\t1\n"), [
    { prompt: "Fine. It was", candidates: [" bad", " good"], label: 1 },
  ]);
});

Deno.test("config task: language modelling by name, or when nothing is said", () => {
  assertEquals(taskOfConfig(config("data: {train: a.txt}")), undefined);
  assertEquals(taskOfConfig(config("task: language-modelling")), undefined);
  assertEquals(formatOfSplit(config("data: {train: a.TXT}"), "a.TXT"), "paragraphs");
  assertEquals(formatOfSplit(config("task: {format: lines}"), "a.txt"), "lines");
});

Deno.test("a section written as one text is its main key", () => {
  const short = config("task: sst2\ndata: files\noptimiser: qzo\nquantize: Q4_0\ndevice: nvidia");
  assertEquals(
    short,
    config(
      "task: {name: sst2}\ndata: {folder: files}\noptimiser: {name: qzo}\nquantize: {format: Q4_0}\ndevice: {adapter: nvidia}",
    ),
  );
  const elsewhere = parseTrainConfig("model: a.gguf\ndata: files", "t.yaml", { folder: "there" });
  assertEquals(elsewhere.data.folder, join("there", "files"));
  assertThrows(() => config("quantize: 4"), TypeError, "Cannot use quantize: 4");
});

Deno.test("config task: what is missing is said", () => {
  assertThrows(() => taskOfConfig(config("task: sst3")), RangeError, "sst3");
  assertThrows(
    () => taskOfConfig(config("task: {template: '{a}', labels: [x, y]}\ndata: {train: a.bin}")),
    RangeError,
    'Cannot tell the format of "a.bin"',
  );
  assertThrows(
    () => taskOfConfig(config("task: {template: '{a}'}\ndata: {train: a.tsv}")),
    TypeError,
    "labels or candidates",
  );
});

Deno.test("config task: other prompts of a built-in task, in any case", () => {
  const harness = taskOfConfig(config("task: SST2/Harness\ndata: {train: a.train}"));
  assertEquals(harness?.name, "sst2/harness");
  assertEquals(harness?.files.train, "a.train");
  assertThrows(() => taskOfConfig(config("task: sst2/mezo")), RangeError, "sst2, sst2/harness");
});

Deno.test("config task: a file's extension is believed, else the form is the task's", () => {
  const formatOf = (yaml: string, file: string) => {
    const read = config(yaml);
    return formatOfTaskFile(read, taskOfConfig(read)!, file);
  };
  assertEquals(formatOf("task: sst2", "stsa.binary.dev"), "labelled");
  assertEquals(formatOf("task: sst2", "train.jsonl"), "jsonl");
  // Lines with a label are called so as well; a table of GLUE's is asked for.
  assertEquals(formatOf("task: sst2", "train.tsv"), "labelled");
  assertEquals(formatOf("task: {name: sst2, format: tsv}", "train.tsv"), "tsv");
  assertEquals(formatOf("task: rte", "train.tsv.gz"), "tsv");
  assertEquals(formatOf("task: trec", "train.txt"), "labelled");
  assertEquals(formatOf("task: squad", "dev.json"), "members");
  assertEquals(formatOf("task: squad", "dev.jsonl"), "jsonl");
  assertEquals(formatOf("task: {name: squad, format: json}", "dev.jsonl"), "json");
});

Deno.test("config task: an answer to be written, and a candidate for each item of a list", () => {
  const written = taskOfConfig(config(`
task: {template: "Q: {q}\\nA:", answer: " {as}\\n"}
data: {train: a.jsonl}
`))!;
  const [example] = readTask(written, '{"q": "Why?", "as": ["So.", "Thus."]}');
  assertEquals(example, {
    prompt: "Q: Why?\nA:",
    candidates: [" So.\n"],
    label: 0,
    reference: { answers: ["So.", "Thus."] },
  });
  assertThrows(() => readTask(written, '{"q": "Why?", "as": []}'), RangeError, "only white space");
  const chosen = taskOfConfig(config(`
task: {template: "{q}", candidates: [" {choices.text}"], label_field: gold}
data: {train: a.jsonl}
`))!;
  assertEquals(
    readTask(chosen, '{"q": "Why?", "choices": {"text": ["x", "y", "z"]}, "gold": 2}')[0],
    { prompt: "Why?", candidates: [" x", " y", " z"], label: 2 },
  );
  assertThrows(
    () => taskOfConfig(config("task: {template: '{a}', labels: [x, y], answer: ' {b}'}")),
    RangeError,
    "Cannot tell the format",
  );
  assertThrows(
    () =>
      taskOfConfig(
        config("task: {template: '{a}', labels: [x, y], answer: ' {b}', format: jsonl}"),
      ),
    TypeError,
    "an answer",
  );
});
