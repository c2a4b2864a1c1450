import { assertEquals, assertThrows } from "@std/assert";
import { renderExample, templateFields } from "../../tasks/template.ts";

const labels = { no: " No", yes: " Yes" };

Deno.test("fields, spaces within braces and doubled braces", () => {
  const template = { name: "t", prompt: "{{{a}}} { b }?", labels };
  assertEquals(renderExample(template, { a: "x", b: 2, label: "yes" }), {
    prompt: "{x} 2?",
    candidates: [" No", " Yes"],
    label: 1,
  });
  assertEquals(templateFields("{{x}} {a} {b}"), ["a", "b"]);
  // What a field holds is text, never a template.
  assertEquals(
    renderExample({ name: "t", prompt: "{a}", labels }, { a: "{b}", label: "no" }).prompt,
    "{b}",
  );
});

Deno.test("booleans and numbers of the file are labels by their spelling", () => {
  const template = { name: "t", prompt: "x", labels: { true: " Yes", false: " No" } };
  assertEquals(renderExample(template, { label: false }).label, 1);
  const choices = { name: "t", prompt: "x", labelField: "gold", candidates: [" {a}", " {b}"] };
  assertEquals(renderExample(choices, { a: "A", b: "B", gold: 1 }), {
    prompt: "x",
    candidates: [" A", " B"],
    label: 1,
  });
});

Deno.test("unknown fields and labels are errors that name the known ones", () => {
  const template = { name: "t", prompt: "{sentense}", labels };
  assertThrows(
    () => renderExample(template, { sentence: "x", label: "no" }),
    RangeError,
    '"sentence", "label"',
  );
  const row = { sentense: "x", label: "maybe" };
  assertThrows(
    () => renderExample(template, row),
    RangeError,
    '"maybe"; expected one of "no", "yes"',
  );
  assertThrows(
    () => renderExample(template, { sentense: ["x"], label: "no" }),
    TypeError,
    "an array",
  );
  assertThrows(() => renderExample(template, { sentense: "x" }), RangeError, '"label"');
  assertThrows(
    () => renderExample({ name: "t", prompt: "{toString}", labels }, { label: "no" }),
    RangeError,
  );
});

Deno.test("templates without sense are refused", () => {
  const row = { label: "0", a: "" };
  assertThrows(() => renderExample({ name: "t", prompt: "{a", labels }, row), SyntaxError, "brace");
  assertThrows(() => renderExample({ name: "t", prompt: "x" }, row), TypeError, "either");
  assertThrows(
    () => renderExample({ name: "t", prompt: "x", candidates: ["{a}", "b"] }, row),
    RangeError,
    "empty",
  );
  assertThrows(
    () => renderExample({ name: "t", prompt: "x", candidates: ["b"] }, row),
    RangeError,
    "1 candidates",
  );
  const two = { name: "t", prompt: "x", candidates: ["b", "c"] };
  for (const label of ["2", "-1", "1.0", "", " 1"]) {
    assertThrows(() => renderExample(two, { label }), RangeError, "not an index");
  }
});

Deno.test("dots lead to fields within fields and to items of lists; a field of that very name comes first", () => {
  const template = {
    name: "x",
    prompt: "{input.text}|{tags.1}|{a.b}",
    labels: { "0": "no", "1": "yes" },
  };
  const row = { input: { text: "hi" }, tags: ["p", 7], "a.b": "own", a: { b: "inner" } };
  const render = (more: object, answer = "out.0.label") =>
    renderExample({ ...template, labelField: answer }, { ...row, ...more });
  assertEquals(render({ out: [{ label: 1 }] }), {
    prompt: "hi|7|own",
    candidates: ["no", "yes"],
    label: 1,
  });
  const refused = (more: object, error: ErrorConstructor, message: string) =>
    assertThrows(() => render(more), error, message);
  refused({ out: [{ lable: 1 }] }, RangeError, 'unknown field "out.0.label", "out.0" has "lable"');
  refused({ out: [] }, RangeError, '"out" is a list of 0 items, counted from 0');
  refused({ out: ["x"] }, RangeError, '"out.0" is a string and has no fields');
  refused({ out: null }, RangeError, '"out" is null and has no fields');
  refused({ input: {} }, RangeError, '"input" has none');
  // Nothing but what the file has.
  refused({ out: [], input: { constructor: 1 } }, RangeError, '"input" has "constructor"');
  assertThrows(
    () => renderExample({ ...template, labelField: "tags.length" }, row),
    RangeError,
    '"tags" is a list of 2',
  );
  assertThrows(
    () => renderExample({ ...template, prompt: "{input}" }, { ...row, label: 1 }),
    TypeError,
    'name fields within it with dots: "input.text"',
  );
});

Deno.test("true and false are labels of that name in any case, else 1 and 0", () => {
  const labelOf = (labels: Record<string, string>, label: unknown) =>
    renderExample({ name: "x", prompt: "", labels }, { label }).label;
  for (
    const [no, yes] of [[false, true], ["false", "true"], ["False", "True"], ["FALSE", "TRUE"]]
  ) {
    for (
      const labels of [
        { false: "n", true: "y" },
        { False: "n", True: "y" },
        { "0": "n", "1": "y" },
      ] as Record<string, string>[]
    ) {
      const values = Object.values(labels);
      assertEquals(values[labelOf(labels, no)], "n");
      assertEquals(values[labelOf(labels, yes)], "y");
    }
  }
  assertThrows(() => labelOf({ no: "n", yes: "y" }, true), RangeError, 'unknown label "true"');
  assertThrows(
    () => labelOf({ true: "a", True: "b", x: "c" }, "TRUE"),
    RangeError,
    "unknown label",
  );
});

Deno.test("a table by its columns is told as such", () => {
  const template = { name: "t", prompt: "{text}", labels: { "0": " a", "1": " b" } };
  for (const row of [{ text: ["x", "y"], label: [0, 1] }, { text: { 0: "x" }, label: { 0: 1 } }]) {
    assertThrows(() => renderExample(template, row), TypeError, "columns, not a row");
  }
  const nested = { text: { sentence: "x" }, label: 0 };
  assertThrows(() => renderExample(template, nested), TypeError, "text.sentence");
});
