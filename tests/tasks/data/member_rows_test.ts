/**
 * Objects within one object, as SQuAD and DROP come.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { readExamples } from "../../../tasks/data/read_examples.ts";
import { rowReader } from "../../../tasks/data/row_reader.ts";
import { mutatedText, random } from "../../models/tokenizers/tokenizer_mutate.ts";

const rows = [
  { text: 'a "quoted" \\ [{', more: { list: [1, [2, {}]], none: null } },
  { text: "}] é\u2028\u{1f600}", more: {} },
  { text: "" },
];

Deno.test("members that are objects and items of lists are rows, in pieces of any length", () => {
  const texts = [
    { version: "1.1", data: rows },
    { a: rows[0], "b}": rows[1], c: rows[2] },
    { n: -1.5e3, t: true, x: null, data: rows.slice(0, 2), more: ["x", 1, [{ no: 1 }], rows[2]] },
  ].flatMap((value) => [
    JSON.stringify(value),
    JSON.stringify(value, null, 2),
    `\uFEFF\n${JSON.stringify(value, null, "\t").replaceAll("\n", "\r\n")}\n\n`,
  ]);
  // Where there is no object around all.
  texts.push(` \n${JSON.stringify(rows)}`);
  for (const text of texts) {
    assertEquals(readExamples(text, "members"), rows, text);
    for (let at = 1; at < text.length; at++) {
      const reader = rowReader("members", {})!;
      const found: unknown[] = [];
      for (const piece of [text.slice(0, at), text.slice(at)]) {
        for (const { row } of reader.push(piece)) found.push(row);
      }
      for (const { row } of reader.end()) found.push(row);
      assertEquals(found, rows);
    }
  }
  assertEquals(readExamples("{}", "members"), []);
  assertEquals(readExamples(' {"data": [], "x": {}} ', "members"), [{}]);
  assertEquals(readExamples("", "members"), []);
});

Deno.test("rows know the line that they begin on, and what is no such object says where", () => {
  const lines = (text: string): number[] => {
    const reader = rowReader("members", {})!;
    return [...reader.push(text), ...reader.end()].map(({ line }) => line);
  };
  assertEquals(lines('\n{"data": [\n  {"a": 1},\n\n  {\n"a": 2},{"a":3}\n]}'), [3, 5, 6]);
  const bad: [string, string][] = [
    ['{"a": {"b": 1}', "line 1: the object is not closed by }: the file is truncated"],
    ['{"a": {"b":\n 1', "line 1: the item that begins there does not end"],
    ['{"a": {"b": 1}}\n{}', "line 2: there is something after the object"],
    ['{"a" {}}', "line 1: unexpected {}}"],
    ['{"a": {} "b": {}}', 'line 1: a comma is missing before "b"'],
    ['{"a": {},}', "line 1: unexpected }"],
    ['{"a": [{},]}', "line 1: unexpected ]}"],
    ['{"a": {"b": 1, "b": 2}}', 'the key "b" occurs twice'],
    ["{a: {}}", "line 1: unexpected a: {}}"],
  ];
  for (const [text, message] of bad) {
    assertThrows(
      () => readExamples(text, "members", { name: "x.json" }),
      SyntaxError,
      message,
      text,
    );
  }
});

Deno.test("400 damaged files parse or give a SyntaxError with a line", () => {
  const next = random(23);
  const text = JSON.stringify({ version: "1", data: rows, more: rows[0] }, null, 1);
  let refused = 0;
  for (let i = 0; i < 400; i++) {
    const damaged = mutatedText(text, next);
    try {
      assert(readExamples(damaged, "members").length <= damaged.length);
    } catch (error) {
      assert(
        error instanceof SyntaxError && /line \d+: /.test(error.message),
        `${JSON.stringify(damaged)}: ${error}`,
      );
      refused++;
    }
  }
  assert(refused > 100, String(refused));
});
