import { assert, assertEquals, assertThrows } from "@std/assert";
import { demonstrationsFor, withDemonstrations } from "../../tasks/demonstrations.ts";
import { builtInTask } from "../../tasks/registry.ts";
import { readTask, taskFor } from "../../tasks/task.ts";

Deno.test("demonstrations are different examples, never the one that asks, and each asks for others", () => {
  const seen = new Set<string>();
  for (let index = 0; index < 50; index++) {
    const chosen = demonstrationsFor(index, 20, { count: 6, seed: 3, but: index % 20 });
    assertEquals(new Set(chosen).size, 6);
    assert(chosen.every((one) => one >= 0 && one < 20 && one !== index % 20));
    assertEquals(demonstrationsFor(index, 20, { count: 6, seed: 3, but: index % 20 }), chosen);
    seen.add(chosen.join());
  }
  assertEquals(seen.size, 50);
  assertEquals(demonstrationsFor(0, 5, { count: 9 }).toSorted(), [0, 1, 2, 3, 4]);
  assertEquals(demonstrationsFor(0, 5, { count: 9, but: 2 }).toSorted(), [0, 1, 3, 4]);
  assert(
    demonstrationsFor(0, 100, { count: 5 }).join() !==
      demonstrationsFor(0, 100, { count: 5, seed: 1 }).join(),
  );
  assertThrows(() => demonstrationsFor(-1, 5, { count: 1 }), RangeError, "index -1");
  assertThrows(() => demonstrationsFor(0, 5, { count: 1.5 }), RangeError, "count 1.5");
});

Deno.test("every example is shown about as often", () => {
  const counts = new Array<number>(10).fill(0);
  for (let index = 0; index < 2000; index++) {
    for (const one of demonstrationsFor(index, 10, { count: 3 })) counts[one]++;
  }
  // 600 each with a standard deviation of 20.5.
  for (const count of counts) assert(Math.abs(count - 600) < 100, counts.join());
});

Deno.test("demonstrations are laid out as MeZO does it", () => {
  const rte = builtInTask("rte");
  const [shown, asked] = readTask(
    rte,
    [
      '{"premise": " A.", "hypothesis": "B.", "label": "entailment"}',
      '{"premise": "C.", "hypothesis": "D.", "label": "not_entailment"}',
    ].join("\n"),
  );
  const made = withDemonstrations(asked, [shown, asked]);
  assertEquals(
    made.prompt,
    'A.\nDoes this mean that "B." is true? Yes or No?\nYes\n\nC.\nDoes this mean that "D." is true? Yes or No?\nNo\n\nC.\nDoes this mean that "D." is true? Yes or No?\n',
  );
  assertEquals([made.candidates, made.label], [asked.candidates, asked.label]);
  assertEquals(withDemonstrations(asked, []), asked);
});

Deno.test("demonstrations of a prompt with a mask have their words in its place, and the text behind it", () => {
  const sst2 = taskFor(builtInTask("sst2"), "all");
  const [shown, asked] = readTask(sst2, "0 a bore\n1 a stirring film\n");
  const { prompt, after } = withDemonstrations(asked, [shown]);
  assertEquals([prompt, after], ["a bore It was terrible.\n\na stirring film It was", "."]);
});
