/**
 * Examples of a configuration: where files lie, what limits choose, what is noted, what is refused, and that reading can be stopped.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import { tokenizerFromJson } from "../../../models/mod.ts";
import { splitExamples, subsample } from "../../../tasks/mod.ts";
import { type ExamplesProgress, parseTrainConfig, taskExamples } from "../../../train/mod.ts";
import { withFiles } from "../../models/quantised_folder.ts";

/** A token a letter, so that tokens can be counted. */
const alphabet = [
  ..." abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;?!\n\u00e9",
];
const vocab = Object.fromEntries(alphabet.map((letter, id) => [letter, id]));
const tokenizer = tokenizerFromJson({
  model: { type: "BPE", vocab, merges: [] },
  decoder: { type: "Fuse" },
});
const spelled = (ids: readonly number[]): string => ids.map((id) => alphabet[id]).join("");

/** Runs with files in a folder. */
const mood = `task: {template: "{text} is{label}", labels: {"0": " bad", "1": " good"}}`;
const examplesOf = (yaml: string, options = {}) =>
  taskExamples(parseTrainConfig(`model: a.gguf\n${yaml}`, "t.yaml"), tokenizer, options);
const jsonl = (rows: readonly unknown[]): string =>
  rows.map((row) => JSON.stringify(row)).join("\n");
const moods = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ text: `row ${from + i}`, label: (from + i) % 2 }));

Deno.test("examples: absolute paths and file URLs in every key, with a folder set or not", async () => {
  await withFiles(
    { "a.jsonl": jsonl(moods(4)), "b.jsonl": jsonl(moods(2, 10)) },
    async (folder) => {
      const [a, b] = [join(folder, "a.jsonl"), join(folder, "b.jsonl")];
      const wanted = await examplesOf(
        `${mood}\ndata: {folder: ${folder}, train: a.jsonl, validation: b.jsonl, test: b.jsonl}`,
      );
      assertEquals([wanted.train.examples.length, wanted.test?.examples.length], [4, 2]);
      for (const extra of ["", "folder: some/where, ", `folder: ${folder}, `]) {
        const given = await examplesOf(
          `${mood}\ndata: {${extra}train: ${a}, validation: ${b}, test: "${toFileUrl(b)}"}`,
        );
        assertEquals(given.train, wanted.train);
        assertEquals(given.validation, wanted.validation);
        assertEquals(given.test, wanted.test);
      }
      // A built-in task's own files, whose names say nothing.
      await Deno.writeTextFile(join(folder, "stsa.binary.train"), "1 fine\n0 poor\n1 great\n");
      await Deno.writeTextFile(join(folder, "stsa.binary.dev"), "0 sad\n1 glad\n");
      await Deno.writeTextFile(join(folder, "stsa.binary.test"), "0 dull\n");
      const own = await examplesOf(`task: sst2\ndata: {folder: ${folder}}`);
      assertEquals(
        [own.train, own.validation, own.test].map((set) => set?.examples.length),
        [3, 2, 1],
      );
      // A built-in task and language modelling find theirs the same way.
      const rows = join(folder, "rows.tsv");
      await Deno.writeTextFile(rows, "1 fine\n0 poor\n");
      const sst2 = await examplesOf(
        `task: sst2\ndata: {train: ${rows}, validation: ${rows}, test: ${rows}}`,
      );
      assertEquals(sst2.train.examples.length, 2);
      const text = await examplesOf(
        `task: language-modelling\ndata: {folder: nowhere, train: ${a}, validation: ${b}}`,
      );
      assertEquals(text.train.examples.map(({ candidates: [ids] }) => spelled(ids))[3], "row 3");
    },
  );
});

Deno.test("examples: each file is read by its own form and encoding", async () => {
  const wide = (text: string, littleEndian: boolean) => {
    const view = new DataView(new ArrayBuffer(2 * text.length));
    for (let i = 0; i < text.length; i++) view.setUint16(2 * i, text.charCodeAt(i), littleEndian);
    return new Uint8Array(view.buffer);
  };
  const csv = 'text,label\r\n"caf\u00e9, row 1",1\r\nrow 2,0\r\n';
  const files = {
    "a.json": JSON.stringify(
      [{ text: "caf\u00e9, row 1", label: 1 }, { text: "row 2", label: 0 }],
      null,
      1,
    ),
    "a.ndjson": jsonl([{ text: "caf\u00e9, row 1", label: 1 }, { text: "row 2", label: 0 }]),
    "a.csv": csv,
    "be.csv": wide(`\uFEFF${csv}`, false),
    "le.csv": wide(`\uFEFF${csv}`, true),
    "latin.csv": Uint8Array.from(csv, (letter) => letter.charCodeAt(0)),
  };
  await withFiles(files, async (folder) => {
    const read = async (train: string, validation: string, more = "") =>
      await examplesOf(
        `${mood}\ndata: {folder: ${folder}, train: ${train}, validation: ${validation}${more}}`,
      );
    const wanted = (await read("a.csv", "a.csv")).train;
    assertEquals(spelled(wanted.examples[0].prompt), "caf\u00e9, row 1 is");
    for (const [train, validation] of [["a.json", "be.csv"], ["le.csv", "a.ndjson"]]) {
      const found = await read(train, validation);
      assertEquals([found.train, found.validation], [wanted, wanted], train);
    }
    const latin = await read("latin.csv", "latin.csv", ", encoding: latin1");
    assertEquals([latin.train, latin.validation], [wanted, wanted]);
    await assertRejects(
      () => read("latin.csv", "a.csv"),
      SyntaxError,
      "byte 0xe9 at offset 16 (line 2)",
    );
    await assertRejects(() => read("be.csv", "a.csv", ", encoding: latin1"), SyntaxError, "UTF-16");
  });
});

Deno.test("examples: a limit takes the sample of the seed, as it does of a list", async () => {
  const text = (examples: readonly { readonly prompt: readonly number[] }[]) =>
    examples.map(({ prompt }) => spelled(prompt).replace(" is", ""));
  await withFiles(
    { "a.jsonl": jsonl(moods(50)), "b.jsonl": jsonl(moods(9, 100)) },
    async (folder) => {
      const all = moods(50).map((row) => row.text);
      const limited = await examplesOf(
        `${mood}\nseed: 3\ndata: {folder: ${folder}, train: a.jsonl, validation: b.jsonl, train_limit: 7, validation_limit: 4}`,
      );
      assertEquals(text(limited.train.examples), subsample(all, 7, 3));
      assertEquals(
        text(limited.validation.examples),
        subsample(moods(9, 100).map((row) => row.text), 4, 0),
      );
      // Without a validation file a tenth is held out first.
      const held = await examplesOf(
        `${mood}\nseed: 3\ndata: {folder: ${folder}, train: a.jsonl, train_limit: 7}`,
      );
      const parts = splitExamples(all, { train: 45, dev: 5, seed: 0 });
      assertEquals(text(held.validation.examples), parts.dev);
      assertEquals(text(held.train.examples), subsample(parts.train, 7, 3));
      assertEquals(held.notes, undefined);
    },
  );
});

Deno.test("examples: what was cut, dropped, blank or there twice is counted", async () => {
  const documents = ["x".repeat(300), "short", "", "y", "z".repeat(64), "w".repeat(65)];
  const files = {
    "documents.jsonl": jsonl(documents.map((text) => ({ text }))),
    "one.jsonl": jsonl([{ text: "u".repeat(938) }]),
    "rows.jsonl": jsonl([...moods(20), { text: " ", label: 1 }, {
      text: "long ".repeat(20),
      label: 0,
    }]),
    "dev.jsonl": jsonl([...moods(3), ...moods(3, 90)]),
    "good.jsonl": jsonl(moods(8).map((row) => ({ ...row, label: 1 }))),
  };
  await withFiles(files, async (folder) => {
    const notes = async (yaml: string, options = {}) =>
      (await examplesOf(yaml.replace("{", `{folder: ${folder}, `), options)).notes ?? [];
    const modelling = (train: string, more = "") =>
      `data: {train: ${train}, validation: one.jsonl}\ntask: language-modelling\nmax_length: 64${more}`;
    assertEquals(await notes(modelling("documents.jsonl")), [
      '"documents.jsonl": 2 of 6 documents are longer than max_length 64 and were cut (longest: 300 tokens)',
      '"documents.jsonl": 2 of 6 documents are shorter than 2 tokens and left out',
      '"one.jsonl": 1 of 1 documents is longer than max_length 64 and was cut (longest: 938 tokens)',
    ]);
    assertEquals(
      (await notes(modelling("documents.jsonl"), { maxPositions: 32 }))[0].includes(
        "longer than the model's 32 positions",
      ),
      true,
    );
    const twice = await notes(modelling("one.jsonl"));
    assertEquals(twice, [
      '"one.jsonl": 1 of 1 documents is longer than max_length 64 and was cut (longest: 938 tokens)',
      "1 of 1 validation examples is in the training data too: examples that were memorised count as correct there",
    ]);
    assertEquals(
      await notes(
        `data: {train: rows.jsonl, validation: dev.jsonl, test: dev.jsonl, train_limit: 1000}\n${mood}\nmax_length: 40`,
      ),
      [
        'data.train_limit 1000 is more than the 22 examples of "rows.jsonl"',
        '"rows.jsonl": 1 of 22 examples is longer than max_length 40 and lost the beginning of its prompt (longest: 108 tokens)',
        '"rows.jsonl": 1 of 22 examples is without text in "text"',
        "3 of 6 validation examples are in the training data too: examples that were memorised count as correct there",
        "3 of 6 test examples are in the training data too: examples that were memorised count as correct there",
      ],
    );
    assertEquals(await notes(`data: {train: good.jsonl, validation: dev.jsonl}\n${mood}`), [
      'all 8 training examples have the same answer, " good": there is nothing to distinguish',
      "3 of 6 validation examples are in the training data too: examples that were memorised count as correct there",
    ]);
    const prefix = mood.replace(" bad", " goodness");
    assertEquals(
      await notes(`data: {train: rows.jsonl, validation: dev.jsonl}\n${prefix}\nmax_length: 200`),
      [
        '"rows.jsonl": 1 of 22 examples is without text in "text"',
        '"rows.jsonl": the answer " good" is the beginning of " goodness": their scores are for texts of different lengths',
        '"dev.jsonl": the answer " good" is the beginning of " goodness": their scores are for texts of different lengths',
        "3 of 6 validation examples are in the training data too: examples that were memorised count as correct there",
      ],
    );
  });
});

Deno.test("examples: what cannot be is refused with file, line and fields", async () => {
  const files = {
    "rows.jsonl": jsonl(moods(4)),
    "empty.jsonl": "\n\n",
    "empty.txt": "",
    "head.csv": "text,label\n",
    "other.jsonl": `${jsonl(moods(2))}\n\n{"body": "x", "label": 1}`,
    "whole.json": JSON.stringify({ version: 1, data: moods(3) }),
    "columns.jsonl": JSON.stringify({ text: ["a", "b"], label: [0, 1] }),
  };
  await withFiles(files, async (folder) => {
    const refused = async (
      yaml: string,
      kind: new (message: string) => Error,
      ...words: string[]
    ) => {
      const error = await assertRejects(
        () => examplesOf(yaml.replace("{", `{folder: ${folder}, `)),
        kind,
      );
      for (const word of words) assert(error.message.includes(word), error.message);
    };
    const both = (file: string) => `data: {train: ${file}, validation: ${file}}\n`;
    await refused(both("empty.jsonl") + mood, RangeError, '"empty.jsonl": it has no examples');
    await refused(both("head.csv") + mood, RangeError, '"head.csv": it has no examples');
    await refused(both("empty.txt"), RangeError, '"empty.txt": it has no examples');
    await refused(both("empty.jsonl"), RangeError, '"empty.jsonl": it has no examples');
    await refused(
      `data: {train: rows.jsonl, validation: empty.jsonl}\n${mood}`,
      RangeError,
      '"empty.jsonl": it has no examples',
    );
    await refused(
      both("other.jsonl") + mood,
      RangeError,
      'unknown field "text"',
      '"body", "label"',
      "(line 4 of other.jsonl)",
    );
    await refused(
      both("other.jsonl"),
      TypeError,
      'needs a field "text"',
      'the row has "body", "label"',
      "(line 4 of other.jsonl)",
    );
    await refused(both("whole.json") + mood, RangeError, '"data" is a list of 3 objects', "jq");
    await refused(both("whole.json"), TypeError, '"data" is a list of 3 objects');
    await refused(both("columns.jsonl"), TypeError, 'field "text" is an array', "(line 1 of");
    await refused(
      `${both("rows.jsonl")}${mood}\nmax_length: 3`,
      RangeError,
      "longest candidate has 5 tokens",
      "(line 1 of rows.jsonl)",
    );
    await refused(
      `data: {train: rows.jsonl, test_limit: 4}\n${mood}`,
      RangeError,
      "data.test_limit 4: data.test names no file",
    );
    await refused(both("rows.jsonl") + "task: {labels: [a, b]}", RangeError, "task.labels");
    await refused(
      both("rows.jsonl") + "task: {name: sst2, label_field: x}",
      RangeError,
      "task.label_field",
    );
    await refused(
      both("rows.jsonl") + "task: {columns: [a, b]}",
      RangeError,
      "task.columns",
      "jsonl",
    );
    await refused(
      both("rows.jsonl") + mood.replace("task: {", "task: {columns: [text, label], "),
      RangeError,
      "columns",
    );
    await refused(both("none.jsonl") + mood, Deno.errors.NotFound, "none.jsonl");
  });
});

Deno.test("examples: progress is told, and the signal stops within a document and between rows", async () => {
  const files = {
    "rows.jsonl": jsonl(moods(40_000)),
    "long.jsonl": jsonl([{ text: "word and word. ".repeat(60_000) }]),
    "long.txt": "word and word. ".repeat(60_000),
  };
  await withFiles(files, async (folder) => {
    for (const file of Object.keys(files)) {
      const yaml = `data: {folder: ${folder}, train: ${file}, validation: ${file}}\n${
        file === "rows.jsonl" ? mood : "task: language-modelling"
      }`;
      const controller = new AbortController();
      const seen: ExamplesProgress[] = [];
      let aborted = Infinity;
      // By a timer, as a signal comes: it is served only where the work stands still.
      const abort = () => {
        aborted = performance.now();
        controller.abort();
      };
      await assertRejects(
        () =>
          examplesOf(yaml, {
            signal: controller.signal,
            onProgress: (progress: ExamplesProgress) => {
              if (seen.push(progress) === 1) setTimeout(abort, 0);
            },
          }),
        DOMException,
      );
      assert(performance.now() - aborted < 1000, file);
      assert(seen.length > 0 && seen.every((it) => it.file === file), file);
    }
  });
});
