/**
 * Tasks named `/harness` against lm-evaluation-harness itself, whose templates and functions tests/support/vectors/harness_vectors.py ran: the texts, and
 * which end of them is scored.
 */
import { assertEquals } from "@std/assert";
import { builtInTask, builtInTasks } from "../../tasks/registry.ts";
import { readTask } from "../../tasks/task.ts";
import vectors from "../fixtures/harness_vectors.json" with { type: "json" };

Deno.test("prompts and candidates are those that lm-evaluation-harness makes of the same rows", () => {
  const tried = new Set<string>();
  for (const { task, file, texts, scored, right } of vectors.cases) {
    tried.add(task);
    const [example, ...more] = readTask(builtInTask(task), file);
    assertEquals(more, [], task);
    if (scored.length === 0) {
      assertEquals(example.prompt, texts[0], task);
      continue;
    }
    const own = example.candidates.map((candidate, i) => ({
      text: example.prompt + candidate,
      scored: candidate.slice(example.leads?.[i].length ?? 0),
    }));
    const theirs = texts.map((text, i) => ({ text, scored: scored[i] }));
    const byText = (one: { text: string }, other: { text: string }) =>
      one.text < other.text ? -1 : 1;
    assertEquals(own.toSorted(byText), theirs.toSorted(byText), task);
    // Of MultiRC it takes the first choice, "yes", for label 0, which says no.
    const said = task === "multirc/harness" ? 1 - right : right;
    assertEquals(own[example.label].text, theirs[said].text, task);
  }
  const named = builtInTasks.map(({ name }) => name).filter((it) => it.endsWith("/harness"));
  // The harness has SQuAD of version 2 alone.
  assertEquals(tried, new Set(named.filter((it) => it !== "squad/harness")));
});
