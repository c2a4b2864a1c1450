import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type ExampleFormat, readExamples } from "../../../tasks/data/read_examples.ts";
import { rowReader } from "../../../tasks/data/row_reader.ts";
import { mutatedText, random } from "../../models/tokenizers/tokenizer_mutate.ts";
import { processorTime } from "../../support/processor_time.ts";

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

Deno.test("1,200 damaged files parse or give a SyntaxError", () => {
  const next = random(17);
  const texts: [ExampleFormat, string][] = [
    ["jsonl", '{"sentence":"good, bad","label":1}\n{"sentence":"\\u00e9 \\"x\\"","label":0}\n'],
    ["tsv", "sentence\tlabel\ngood film\t1\nbad film\t0\n"],
    ["csv", 'sentence,label\n"good, very",1\n"a ""b""",0\n'],
    ["labelled", "1 good film\n0 bad film\n"],
  ];
  const counts = { parsed: 0, refused: 0 };
  for (let i = 0; i < 1200; i++) {
    const [format, text] = texts[i % texts.length];
    const damaged = mutatedText(text, next);
    try {
      assert(readExamples(damaged, format).length <= damaged.length);
      counts.parsed++;
    } catch (error) {
      const named = error instanceof SyntaxError &&
        /^Cannot read the data, line \d+: /.test(error.message);
      assert(named, `${format} ${JSON.stringify(damaged)}: ${error}`);
      counts.refused++;
    }
  }
  assert(counts.parsed > 200 && counts.refused > 300, JSON.stringify(counts));
});

Deno.test("a large damaged csv takes no quadratic time", () => {
  const start = processorTime();
  assertThrows(() => readExamples("a\n" + '"x""'.repeat(200_000), "csv"), SyntaxError);
  readExamples("a\n" + "x\n".repeat(200_000), "csv");
  assert(processorTime() - start < 2000);
});

Deno.test("csv: a cell of 20 MB, and a quote that is never closed in as much, by its line", () => {
  const long = "abc ".repeat(5_000_000);
  assertEquals(readExamples(`text,label\n"${long}",1\n`, "csv"), [{ text: long, label: "1" }]);
  const unclosed = `text,label\n"${"abc,1\n".repeat(3_300_000)}`;
  assertThrows(
    () => readExamples(unclosed, "csv", { name: "a.csv" }),
    SyntaxError,
    "Cannot read a.csv, line 2: unclosed quote",
  );
  const later = `text,label\nx,1\n\n"two\nlines",2\n"${"abc,1\n".repeat(100)}`;
  assertThrows(() => readExamples(later, "csv"), SyntaxError, "line 6: unclosed quote");
  assertThrows(
    () => readExamples('a,b\n"two\nlines",2\n1,"x"y\n', "csv"),
    SyntaxError,
    "line 4: misplaced quote",
  );
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

Deno.test("a table of too many columns is refused by its line, commas in a long quoted cell are none", () => {
  const row = (cells: number) => Array.from({ length: cells }, (_, i) => i).join();
  const most = 2 ** 16;
  assertEquals(Object.keys(readExamples(`${row(most)}\n${row(most)}\n`, "csv")[0]).length, most);
  const begun = processorTime();
  const wide = `a,b\n"x\ny",2\n${row(2_000_000)}\n`;
  const error = assertThrows(() => readExamples(wide, "csv"), SyntaxError, "than 65536 cells");
  assertStringIncludes(error.message, "line 4");
  assert(processorTime() - begun < 1000);
  assertEquals(readExamples("a,b\r" + "1,2\r".repeat(70_000), "csv").length, 70_000);
  const long = `a,b\n"${",".repeat(200_000)}",2\n`;
  assertEquals(readExamples(long, "csv"), [{ a: ",".repeat(200_000), b: "2" }]);
});
