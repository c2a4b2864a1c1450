import { assertEquals, assertThrows } from "@std/assert";
import { recogniseForm, type Row } from "../../../tasks/mod.ts";

const said = [{ role: "user", content: "a" }, { role: "assistant", content: "b" }];

Deno.test("forms are told by their fields", () => {
  const cases: [Row, string | undefined, string[]?][] = [
    [{ messages: said }, "chat", ["messages"]],
    [
      { id: 7, conversations: [{ from: "human", value: "a" }, { from: "gpt", value: "b" }] },
      "chat",
      ["conversations"],
    ],
    [{ prompt: said.slice(0, 1), completion: said.slice(1) }, "chat", ["prompt", "completion"]],
    [{ prompt: "a", prompt_id: "x", messages: said }, "chat"],
    [{ instruction: "a", input: "", output: "b" }, "instruction", [
      "instruction",
      "input",
      "output",
    ]],
    [{ instruction: "a", context: "c", response: "b", category: "qa" }, "instruction"],
    [{ question: "a", answer: "b" }, "instruction", ["question", "answer"]],
    [{ prompt: "a", completion: "b" }, "completion", ["prompt", "completion"]],
    [{ prompt: "a", response: "b" }, "completion"],
    [{ text: "a", source: "web" }, "text", ["text"]],
    [{ sentence: "a", label: 1 }, undefined],
    [{ instruction: 3, output: "b" }, undefined],
    [{ messages: "a" }, undefined],
  ];
  for (const [row, form, fields] of cases) {
    const found = recogniseForm([row, row]);
    assertEquals(found?.form, form, JSON.stringify(row));
    if (fields) assertEquals(found?.fields, fields);
  }
  assertEquals(recogniseForm([]), undefined);
  // All rows must agree.
  assertEquals(recogniseForm([{ messages: said }, { text: "a" }]), undefined);
});

Deno.test("what may be several things is an error that lists them", () => {
  const refuse = (row: Row, others: string[], ...messages: string[]) => {
    for (const message of messages) {
      assertThrows(() => recogniseForm([row], { name: '"a.jsonl"', others }), RangeError, message);
    }
  };
  refuse(
    { instruction: "a", output: "b", text: "a b" },
    [],
    'Cannot tell what to learn from "a.jsonl", whose rows have "instruction", "output", "text"',
    'task instruction (fields "instruction", "output"), or task language-modelling (fields "text")',
  );
  refuse({ prompt: "a", completion: "b", messages: said }, [], "task chat", "task completion");
  refuse(
    { text: "a", label: 1 },
    [],
    "task language-modelling",
    'task.template with the labels of "label"',
  );
  refuse({ premise: "a" }, ["cb", "rte"], "task cb (a built-in task), or task rte");
  refuse({ prompt: "a", chosen: "b", rejected: "c" }, [], "preference training is not supported");
  // A built-in task alone is no question, whatever its label is called.
  assertEquals(recogniseForm([{ premise: "a", label: 1 }], { others: ["rte"] }), undefined);
});
