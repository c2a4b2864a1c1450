import { assert, assertEquals, assertThrows } from "@std/assert";
import { parse } from "csv-parse/sync";
import { type CsvRecord, CsvRecords, readCsv } from "../../../tasks/data/csv.ts";
import { randomNumbers } from "../../support/random_llama.ts";

/** The cells of a text by the library alone, at once; undefined where it refuses it. */
function byLibrary(text: string, delimiter: string): string[][] | undefined {
  try {
    const options = { relax_column_count: true, skip_empty_lines: true, bom: false };
    const ends = { record_delimiter: ["\r\n", "\n", "\r"], delimiter };
    // A cell of an empty text in quotes is an empty line to us.
    return parse(text, { ...options, ...ends })
      .filter((cells: string[]) => cells.length > 1 || cells[0] !== "");
  } catch {
    return undefined;
  }
}

Deno.test("tables in pieces are cut, or refused, as csv-parse does with the whole text", () => {
  const next = randomNumbers(12);
  const parts = [
    "a",
    "é ",
    ",",
    ",",
    ";",
    '"',
    '""',
    '","',
    ',"',
    '",',
    '"\n"',
    "\n",
    "\r\n",
    "\r",
  ];
  const counts = { cut: 0, quoted: 0, refused: 0 };
  for (let i = 0; i < 6000; i++) {
    const length = 1 + Math.floor(next() * next() * 24);
    const text = Array.from({ length }, () => parts[Math.floor(next() * parts.length)]).join("");
    const separator = i % 4 === 0 ? ";" : ",";
    const wanted = byLibrary(text, separator);
    const read = (pieces: readonly string[]): CsvRecord[] => {
      const records = new CsvRecords("a.csv", separator);
      return [...pieces.flatMap((piece) => records.push(piece)), ...records.end()];
    };
    const middle = Math.floor(length * next());
    for (const pieces of [[text], [text.slice(0, middle), text.slice(middle)]]) {
      if (wanted === undefined) {
        assertThrows(() => read(pieces), SyntaxError, "quote in", JSON.stringify(text));
      } else {
        assertEquals(read(pieces).map(({ cells }) => cells), wanted, JSON.stringify(text));
      }
    }
    if (wanted === undefined) counts.refused++;
    else counts[text.includes('"') ? "quoted" : "cut"]++;
  }
  assert(Math.min(...Object.values(counts)) > 500, JSON.stringify(counts));
});

Deno.test("a record is told by the line that it begins on, a quote out of place by its own", () => {
  const text = 'a,b\r\n"two\r\nlines",1\n\n"three\rlines\n""of""\n",2\rlast,3';
  assertEquals(readCsv(text, "a.csv").map(({ number }) => number), [1, 2, 5, 9]);
  for (
    const [damaged, message] of [
      [
        'a,b\n"two\r\nlines"x,1\n',
        'line 3: misplaced quote in "lines\\"x,1": Invalid Closing Quote',
      ],
      ['a,b\r"two\n",1\rx"y,2\n', 'line 4: misplaced quote in "x\\"y,2": Invalid Opening Quote'],
      ['a,b\n\n\n"two\nlines,1\n', 'line 4: unclosed quote in "\\"two"'],
    ]
  ) {
    assertThrows(() => readCsv(damaged, "a.csv"), SyntaxError, `Cannot read a.csv, ${message}`);
  }
});
