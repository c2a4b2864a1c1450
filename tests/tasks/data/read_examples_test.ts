import { assert, assertEquals, assertThrows } from "@std/assert";
import { type ExampleFormat, readExamples } from "../../../tasks/data/read_examples.ts";
import { rowReader } from "../../../tasks/data/row_reader.ts";
import { random } from "../../models/tokenizers/tokenizer_mutate.ts";

Deno.test("each form gives its rows, whatever the line ends, with or without a last one", () => {
  const rows = [{ a: "1", b: "x y" }, { a: "2", b: "z" }];
  for (const end of ["\n", "\r\n"]) {
    for (const last of ["", end, end + end]) {
      assertEquals(readExamples(["a\tb", "1\tx y", "2\tz"].join(end) + last, "tsv"), rows);
      assertEquals(readExamples(["a,b", "1,x y", "2,z"].join(end) + last, "csv"), rows);
      assertEquals(
        readExamples(rows.map((row) => JSON.stringify(row)).join(end) + last, "jsonl"),
        rows,
      );
    }
  }
  assertEquals(readExamples("\uFEFF1\tx", "tsv", { columns: ["a", "b"] }), [{ a: "1", b: "x" }]);
  assertEquals(readExamples("one\n\ntwo\n", "lines"), [{ text: "one" }, { text: "two" }]);
  assertEquals(readExamples("one\ntwo\n \nthree\n", "paragraphs"), [{ text: "one\ntwo" }, {
    text: "three",
  }]);
  assertEquals(readExamples("NUM:date When ? \n", "labelled"), [{
    label: "NUM:date",
    text: "When ?",
  }]);
  assertEquals(readExamples("", "tsv"), []);
});

Deno.test("csv cells in quotes hold commas, quotes and line ends", () => {
  const text = 'a,b\n"x, ""y""","two\nlines"\n,\n"",last\n';
  assertEquals(readExamples(text, "csv"), [
    { a: 'x, "y"', b: "two\nlines" },
    { a: "", b: "" },
    { a: "", b: "last" },
  ]);
});

Deno.test("what is not of the form is a SyntaxError with its line", () => {
  const bad: [ExampleFormat, string, string][] = [
    ["jsonl", '{"a":1}\n\n{"a":\n', "line 3"],
    ["jsonl", "[1]\n", "line 1: not an object"],
    ["tsv", "a\tb\n1\t2\n1\t2\t3\n", "line 3: 3 cells, expected 2"],
    ["tsv", "a\ta\n1\t2\n", "two columns"],
    ["csv", 'a,b\n"x\ny",1\nz\n', "line 4: 1 cells"],
    ["csv", 'a,b\n1,x"y\n', "line 2: misplaced"],
    ["csv", 'a,b\n1,"x\n', "unclosed quote"],
    ["labelled", "1 good\nbad\n", "line 2"],
  ];
  for (const [format, text, message] of bad) {
    assertThrows(() => readExamples(text, format, { name: "x.txt" }), SyntaxError, message);
  }
  assertThrows(() => readExamples("", "xml" as ExampleFormat), RangeError, "jsonl");
});

Deno.test("every form gives the same rows and lines in pieces of any length", () => {
  const texts: [ExampleFormat, string][] = [
    ["csv", 'a,b\r\n"x, ""y""","two\r\nlines"\r\n\r\n,\n"",last\n1,2'],
    ["csv", "a,b\n1,2\n3,4\n"],
    ["tsv", '\uFEFFa\tb\r\n1\t"2\n\n3\t4'],
    ["labelled", "1 one \u0085 line\n\n0 two\u2028still\r\n"],
    ["lines", "one\r\n \ntwo"],
    ["paragraphs", "\n\none\r\nmore\n \t\ntwo\n\n\n"],
  ];
  const next = random(8);
  for (const [format, text] of texts) {
    const all = rowReader(format, {})!;
    const wanted = [...all.push(text), ...all.end()];
    assert(wanted.length > 1 && new Set(wanted.map(({ line }) => line)).size === wanted.length);
    for (let i = 0; i < 50; i++) {
      const reader = rowReader(format, {})!;
      const found = [];
      for (let at = 0; at < text.length;) {
        const end = at + 1 + Math.floor(next() * 6);
        found.push(...reader.push(text.slice(at, end)));
        at = end;
      }
      found.push(...reader.end());
      assertEquals(found, wanted, format);
    }
  }
});

Deno.test("a table of old Macs is read, lines of such are refused by name", () => {
  assertEquals(readExamples("a,b\r1,2\r", "csv"), [{ a: "1", b: "2" }]);
  assertThrows(() => readExamples("one\rtwo\rthree", "lines"), SyntaxError, "carriage returns");
});
