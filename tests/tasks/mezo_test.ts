/**
 * Tasks against the code of MeZO and ZO-LLM themselves, which tests/support/vectors/mezo_vectors.py ran: prompts, candidates, the right one, the prompts of
 * RoBERTa with their label words, and the F1 of written answers. Of that code only what it made of these rows is kept.
 */
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { exactMatch, normaliseAnswer, tokenF1 } from "../../tasks/metrics/answers.ts";
import { builtInTask } from "../../tasks/registry.ts";
import { readTask, taskFor } from "../../tasks/task.ts";
import vectors from "../fixtures/mezo_vectors.json" with { type: "json" };

Deno.test("prompts and candidates are those that MeZO's and ZO-LLM's own code makes of the same rows", () => {
  const tried = new Set<string>();
  for (const { task, file, prompt, full, right } of vectors.causal) {
    const [example, ...more] = readTask(builtInTask(task), file);
    assertEquals(more, [], task);
    assertEquals(example.prompt, prompt, task);
    const texts = example.candidates.map((candidate) => example.prompt + candidate);
    // Classes have an order of their own in each code.
    assertEquals(texts.toSorted(), full.toSorted(), task);
    assertEquals(texts[example.label], full[right], task);
    tried.add(task);
  }
  assertEquals(
    [...tried],
    [
      ...["sst2", "rte", "cb", "boolq", "wic", "wsc", "multirc", "copa", "record", "squad", "drop"],
      ...["sst2/bare", "rte/bare", "copa/bare", "boolq/zo-llm", "winogrande"],
    ],
  );
});

Deno.test("prompts of masked models are those that MeZO's own code tokenises, with its label words", () => {
  for (const { task, file, prompt, after, words } of vectors.masked) {
    const own = taskFor(builtInTask(task), "all");
    const [example] = readTask(own, file);
    assertEquals([example.prompt, example.after], [prompt, after], task);
    // Its words stand behind a space.
    assertEquals(
      new Set(example.candidates),
      new Set(words.map(([, word]) => ` ${word}`)),
      task,
    );
  }
  assert(vectors.masked.length >= 8);
});

Deno.test("answers are scored as MeZO's own code scores them", () => {
  for (const { text, answers, f1, exact, normalised } of vectors.answers) {
    assertEquals(normaliseAnswer(text), normalised, text);
    assertAlmostEquals(tokenF1(text, answers), f1, 1e-12, text);
    assertEquals(exactMatch(text, answers), exact, text);
  }
});
