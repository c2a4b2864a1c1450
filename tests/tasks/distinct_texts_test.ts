import { assertEquals, assertThrows } from "@std/assert";
import { tokenizerFromJson } from "../../models/mod.ts";
import { overlapOf } from "../../tasks/distinct_texts.ts";
import { readTask, renderExample, taskFromConfig, tokeniseExample } from "../../tasks/mod.ts";

const prompt = { name: "t", prompt: "{text} It was" };

Deno.test("two labels with the same words are refused by their names, white space aside", () => {
  const config = (labels: Record<string, string>) => ({
    name: "t",
    format: "csv",
    file: "a.csv",
    template: "{text}",
    labels,
  });
  for (const [one, other] of [[" good", " good"], [" good", " good "], ["good", "\tgood"]]) {
    const labels = { no: " bad", yes: one, sure: other };
    assertThrows(
      () => taskFromConfig(config(labels)),
      RangeError,
      `labels "yes" and "sure" are both ${JSON.stringify(other)}`,
    );
    assertThrows(
      () => renderExample({ ...prompt, labels }, { text: "x", label: "no" }),
      RangeError,
      'labels "yes" and "sure"',
    );
  }
  assertEquals(taskFromConfig(config({ a: " good", b: " Good" })).template.labels, {
    a: " good",
    b: " Good",
  });
});

Deno.test("candidates of a row that are equal are refused with the row's line", () => {
  const task = taskFromConfig({
    name: "choice",
    format: "jsonl",
    file: "a.jsonl",
    template: "{text}",
    candidates: [" {a}", " {b}", " {c}"],
  });
  const rows =
    '{"text":"x","a":"1","b":"2","c":"3","label":0}\n{"text":"y","a":"1","b":"2","c":"1","label":0}';
  assertThrows(
    () => readTask(task, rows),
    RangeError,
    'candidates 0 and 2 are both " 1", so they cannot be told apart (line 2 of choice)',
  );
});

Deno.test("candidates with the same tokens are refused where the texts differ", () => {
  const tokenizer = tokenizerFromJson({
    normalizer: { type: "Lowercase" },
    model: { type: "BPE", vocab: { a: 0, b: 1, c: 2 }, merges: [] },
  });
  assertThrows(
    () => tokeniseExample(tokenizer, { prompt: "c", candidates: ["a", "b", "B"], label: 0 }),
    RangeError,
    'candidates "b" and "B" have the same tokens',
  );
});

Deno.test("of lists, the first two that are equal, else one that begins another", () => {
  assertEquals(overlapOf([[1], [2, 3], [1, 2]]), { pair: [0, 2], same: false });
  assertEquals(overlapOf([[1, 2], [1], [3], [1, 2]]), { pair: [0, 3], same: true });
  assertEquals(overlapOf([[12], [1, 2], [2, 1]]), undefined);
  assertEquals(overlapOf([]), undefined);
});
