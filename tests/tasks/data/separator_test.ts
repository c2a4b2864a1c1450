import { assert, assertEquals, assertThrows } from "@std/assert";
import { readExamples } from "../../../tasks/data/read_examples.ts";
import { rowReader } from "../../../tasks/data/row_reader.ts";
import { taskFromConfig } from "../../../tasks/task.ts";
import { processorTime } from "../../support/processor_time.ts";

const rows = [{ text: "a, b; c", label: "1" }, { text: "d | e", label: "0" }];

/** The rows as a table. */
function table(separator: string, end = "\n"): string {
  const cell = (text: string): string => `"${text}"`;
  const body = rows.map(({ text, label }) => `${cell(text)}${separator}${label}`);
  return [`text${separator}label`, ...body].join(end) + end;
}

Deno.test("separators of csv are told apart, whatever cells in quotes hold", () => {
  for (const separator of [",", ";", "\t", "|"]) {
    for (const end of ["\n", "\r\n"]) {
      const text = table(separator, end);
      assertEquals(readExamples(text, "csv"), rows, separator);
      assertEquals(readExamples(`\uFEFF${text}`, "csv"), rows, separator);
      assertEquals(readExamples(`sep=${separator}${end}${text}`, "csv"), rows, separator);
      assertEquals(readExamples(text, "csv", { separator }), rows, separator);
      const body = text.slice(text.indexOf("\n") + 1);
      assertEquals(readExamples(body, "csv", { columns: ["text", "label"] }), rows, separator);
    }
  }
  assertEquals(readExamples(table("\t"), "csv", { separator: "tab" }), rows);
  assertEquals(readExamples("a:b\n1:2\n", "csv", { separator: ":" }), [{ a: "1", b: "2" }]);
  assertEquals(readExamples("a;b\n1;2\n", "tsv", { separator: ";" }), [{ a: "1", b: "2" }]);
});

Deno.test("of several separators in the names the one that fits the records is taken, or none", () => {
  assertEquals(readExamples("a;b,c\n1,2\n3;4,5\n", "csv"), [
    { "a;b": "1", c: "2" },
    { "a;b": "3;4", c: "5" },
  ]);
  const columns = ["text", "label"];
  assertEquals(readExamples("Well, yes;1\nNo; 0\n", "csv", { columns }), [
    { text: "Well, yes", label: "1" },
    { text: "No", label: " 0" },
  ]);
  // One column has none, so a comma is text's only where quotes say it.
  assertEquals(readExamples("text\na; b\n", "csv"), [{ text: "a; b" }]);
  assertEquals(readExamples("a; b\n", "csv", { columns: ["text"] }), [{ text: "a; b" }]);
  assertThrows(
    () => readExamples("a;b,c\n1;2,3\n", "csv", { name: "a.csv" }),
    SyntaxError,
    'Cannot read a.csv, line 1: "," and ";" could each be the separator between its cells: set task.separator',
  );
  assertThrows(
    () => readExamples("text,label\nx,1\n", "tsv", { name: "a.tsv" }),
    SyntaxError,
    'Cannot read a.tsv, line 1: it names the columns and has no tabs, but ","',
  );
});

Deno.test("a separator is one character, and for tables", () => {
  for (const separator of ["", ";;", '"', "\n", "\r"]) {
    assertThrows(() => readExamples("", "csv", { separator }), RangeError, "one character");
  }
  assertThrows(
    () => readExamples("", "jsonl", { separator: ";" }),
    RangeError,
    "only applies to csv and tsv",
  );
  const task = { file: "a", template: "{a}", labels: { x: "1", y: "2" }, separator: ";" };
  assertEquals(taskFromConfig({ ...task, format: "tsv" }).separator, ";");
  assertThrows(
    () => taskFromConfig({ ...task, format: "lines" }),
    RangeError,
    "only applies to csv and tsv",
  );
});

Deno.test("the separator is the same however the text comes, lines are counted, a long first record is waited for", () => {
  const long = "x".repeat(200_000);
  const text = `sep=;\n"te\nxt";label\n${table(";").slice(11)}"${long}";1\n`;
  const read = (length: number) => {
    const reader = rowReader("csv", {})!;
    const found = [];
    for (let at = 0; at < text.length; at += length) {
      found.push(...reader.push(text.slice(at, at + length)));
    }
    return [...found, ...reader.end()];
  };
  const whole = read(text.length);
  assertEquals(whole.map(({ line }) => line), [4, 5, 6]);
  for (const length of [7, 1000, 65_536]) assertEquals(read(length), whole);
  const columns = ["text", "label"];
  const [row] = readExamples(`"${long}";1\n`, "csv", { columns });
  assertEquals([String(row.text).length, row.label], [200_000, "1"]);
  const start = processorTime();
  readExamples(`"${"x;".repeat(10_000_000)}";1\n`, "csv", { columns });
  assert(processorTime() - start < 10_000);
});
