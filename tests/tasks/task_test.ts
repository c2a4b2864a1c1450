import { assert, assertEquals, assertThrows } from "@std/assert";
import { parse } from "@std/yaml";
import { readTask, taskFromConfig } from "../../tasks/task.ts";
import { mutated, random } from "../models/tokenizers/tokenizer_mutate.ts";

const yaml = `
name: mood
format: tsv
files: { train: a.tsv, dev: b.tsv }
columns: [label, text]
template: "{text} I feel{label}"
labels: { "0": " ill", "1": " fine" }
`;

Deno.test("a task from YAML", () => {
  const task = taskFromConfig(parse(yaml));
  assertEquals(task.files, { train: "a.tsv", dev: "b.tsv" });
  assertEquals(readTask(task, "1\tSun.\n"), [
    { prompt: "Sun. I feel", candidates: [" ill", " fine"], label: 1 },
  ]);
});

Deno.test("choices of each row, and a label field of another name", () => {
  const task = taskFromConfig({
    file: "x.jsonl",
    format: "jsonl",
    template: "{a}:",
    candidates: [" {b}", " {c}"],
    labelField: "gold",
  });
  assertEquals(readTask(task, '{"a":1,"b":2,"c":3,"gold":0}'), [
    { prompt: "1:", candidates: [" 2", " 3"], label: 0 },
  ]);
});

Deno.test("what is missing or unknown is named", () => {
  const good = { file: "x", format: "tsv", template: "{a}{label}", labels: { x: " x", y: " y" } };
  const refused = (
    change: Record<string, unknown>,
    type: typeof TypeError | typeof RangeError,
    message: string,
  ) => assertThrows(() => taskFromConfig({ ...good, ...change }), type, message);
  refused({ formatt: "tsv" }, RangeError, '"formatt"; expected one of name');
  refused({ format: "xml" }, RangeError, "jsonl, tsv");
  refused({ file: undefined }, TypeError, "file is");
  refused({ files: { training: "x" } }, RangeError, '"training"');
  refused({ template: "{label} {a}" }, RangeError, "not at the end");
  refused({ candidates: ["a", "b"] }, TypeError, "either labels or candidates");
  refused({ labels: { x: 1 } }, TypeError, "x is number");
  refused({ columns: "a" }, TypeError, "columns");
  assertThrows(() => taskFromConfig(null), TypeError);
});

Deno.test("500 damaged configurations load or give a typed error", () => {
  const next = random(23);
  let refused = 0;
  for (let i = 0; i < 500; i++) {
    try {
      readTask(taskFromConfig(mutated(parse(yaml), next)), "1\tSun.\n");
    } catch (error) {
      const typed = error instanceof TypeError || error instanceof RangeError ||
        error instanceof SyntaxError;
      assert(typed && error.message.startsWith("Cannot "), `mutation ${i}: ${error}`);
      refused++;
    }
  }
  assert(refused > 200);
});
