/**
 * JSON of every form that data sets come in: what is read, and what is said of the rest.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { readExamples } from "../../../tasks/data/read_examples.ts";
import { rowReader } from "../../../tasks/data/row_reader.ts";
import { random } from "../../models/tokenizers/tokenizer_mutate.ts";
import { processorTime } from "../../support/processor_time.ts";

const rows = [
  { text: 'a "quoted" \\ [{', label: 0, more: { list: [1, [2, {}]], none: null } },
  { text: "}] é\u2028\u{1f600}", label: 1, more: {} },
  { text: "", label: 1, more: { deep: [[["]"]]] } },
];

Deno.test("an array is read like lines: on one line, pretty-printed, with a mark, in pieces of any length", () => {
  const texts = [
    JSON.stringify(rows),
    JSON.stringify(rows, null, 2),
    JSON.stringify(rows, null, "\t").replaceAll("\n", "\r\n"),
    `\uFEFF\n \t[ ${rows.map((row) => JSON.stringify(row)).join(" ,\n\n")} ]\n\n`,
    rows.map((row) => JSON.stringify(row)).join("\n"),
    `\n\n${rows.map((row) => ` ${JSON.stringify(row)} `).join("\r\n\r\n")}`,
  ];
  const next = random(9);
  for (const text of texts) {
    for (const format of ["json", "jsonl"] as const) {
      assertEquals(readExamples(text, format), rows);
      const reader = rowReader(format, {})!;
      const found: unknown[] = [];
      for (let at = 0; at < text.length;) {
        const end = at + 1 + Math.floor(next() * 9);
        for (const { row } of reader.push(text.slice(at, end))) found.push(row);
        at = end;
      }
      for (const { row } of reader.end()) found.push(row);
      assertEquals(found, rows);
    }
  }
  assertEquals(readExamples("[]", "json"), []);
  assertEquals(readExamples(" \n\n", "json"), []);
});

Deno.test("rows know the line that they begin on", () => {
  const lines = (text: string): number[] => {
    const reader = rowReader("json", {})!;
    return [...reader.push(text), ...reader.end()].map(({ line }) => line);
  };
  assertEquals(lines('\n[\n  {"a": 1},\n\n  {\n"a": 2},{"a":3}\n]'), [3, 5, 6]);
  assertEquals(lines('\n\n{"a": 1}\n\n{"a": 2}'), [3, 5]);
});

Deno.test("what is no row says what it is, with its line", () => {
  const refused = (text: string, ...words: string[]) => {
    for (const word of words) {
      assertThrows(() => readExamples(text, "jsonl", { name: "x.jsonl" }), SyntaxError, word);
    }
  };
  const pretty = rows.map((row) => JSON.stringify(row, null, 2)).join("\n");
  refused(pretty, "x.jsonl, line 1: the object does not end on this line", "jq -c .");
  refused(
    '{"a": 1}\n{"a": "x',
    "line 2: the object does not end on this line: the file is truncated",
  );
  refused('{"a": 1},\n{"a": 2}\n', "line 1: there is a comma after the object");
  refused('{"a": 1}{"a": 2}\n', 'line 1: there is something after the object: {"a": 2}');
  refused('{"a": 1}\n{"a": NaN}\n', "line 2: NaN and Infinity are not JSON");
  refused("{'a': 1}\n", "double quotes", "Python");
  refused('"a"\n', 'line 1: not an object: "a"');
  refused("text that is none\n", "line 1");
  refused('[\n{"a": 1},\n[1]\n]', "line 3: not an object: [1]");
  refused('[{"a": 1},\n]', "line 2: there is a comma after the last item");
  refused('[{"a": 1}\n{"a": 2}]', 'line 2: a comma is missing before {"a": 2}');
  refused('[{"a": 1}]\n[{"a": 2}]', "line 2: there is something after the array");
  refused('[{"a": 1},\n{"a": 2}\n', "the array is not closed");
  refused('[{"a": 1},\n{"a": [2}\n', "line 2: the item that begins there does not end");
  refused("[\n\n{'a': 1}]", "line 3", "double quotes");
});

Deno.test("nothing that a row says is lost: long integers, numbers beyond all, keys that are there twice", () => {
  const [row] = readExamples(
    '{"id": 1152921504606846976, "n": -9007199254740993, "ok": 9007199254740991, "x": 1e3, "t": "1e400"}',
    "jsonl",
  );
  assertEquals(row, {
    id: "1152921504606846976",
    n: "-9007199254740993",
    ok: 9007199254740991,
    x: 1000,
    t: "1e400",
  });
  const refused = (text: string, word: string) =>
    assertThrows(() => readExamples(text, "jsonl"), SyntaxError, word);
  refused('{"a": 1}\n{"a": 1e400}', 'line 2: 1e400 under "a" is beyond the largest number');
  refused('{"a": -1e999}', "beyond");
  refused('{"a": 1, "b": {"a": 2}, "a": 3}', 'line 1: the key "a" occurs twice');
  refused('{"b": {"a": [{"c": 1, "\\u0063" : 2}]}}', 'the key "c" occurs twice');
  refused('[{"x": 1},\n{"x": 1, "x": 1}]', "line 2");
  // The same key in objects side by side, and texts that look like keys.
  const fine = '{"a": {"k": 1}, "b": {"k": "\\"k\\":", "l": ["k", "k"]}, "k": "k"}';
  assertEquals(readExamples(fine, "jsonl"), [JSON.parse(fine)]);
});

Deno.test("hostile shapes take no quadratic time and no stack", () => {
  const start = processorTime();
  const deep = "[".repeat(100_000);
  assertThrows(() => readExamples(`{"a":${deep}`, "jsonl"), RangeError, "64 deep");
  assertThrows(() => readExamples(`[{"a":${deep}`, "jsonl"), SyntaxError);
  assertThrows(() => readExamples("[".repeat(300_000), "json"), SyntaxError);
  assertThrows(() => readExamples(`{"a":"${"\\\\".repeat(300_000)}`, "jsonl"), SyntaxError);
  assertEquals(readExamples("\n".repeat(1_000_000), "jsonl").length, 0);
  const many = `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":${i}`).join()}}`;
  assertEquals(Object.keys(readExamples(many, "jsonl")[0]).length, 50_000);
  assert(processorTime() - start < 5000);
});

Deno.test("half a character is refused with its line, a whole pair is read", () => {
  const row = String.raw`{"a": "x\ud83d\ude00", "b": {"c": ["\ud83d"]}}`;
  const error = assertThrows(() => readExamples(`{"a": 1}\n${row}`, "jsonl"), SyntaxError);
  assert(error.message.includes("line 2") && error.message.includes("surrogate"), error.message);
  assertEquals(readExamples(String.raw`{"a": "\ud83d\ude00"}`, "jsonl"), [{ a: "\u{1f600}" }]);
});
