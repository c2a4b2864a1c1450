// Tables and lines that are damaged, very large, or grow in a cell or in columns: rows or an error with the line, in time that goes with the size.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { type ExampleFormat, readExamples } from "../../tasks/data/read_examples.ts";
import { mutatedText, random } from "../models/tokenizers/tokenizer_mutate.ts";
import { processorTime } from "../support/processor_time.ts";

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
