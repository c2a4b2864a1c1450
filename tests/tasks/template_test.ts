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
  assertThrows(() => renderExample(template, row), RangeError, '"maybe", known are "no", "yes"');
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
