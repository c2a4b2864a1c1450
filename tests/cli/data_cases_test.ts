/**
 * Data files as people bring them, through the commands, with losses that the same text in plain UTF-8, by relative path, has.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";
import { exists, sharedData } from "../support/shared_data.ts";
import { writeTinyTask } from "./tiny_model.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function qzo(...args: string[]): Promise<{ code: number; noted: string; printed: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, noted: terminal.noted, printed: terminal.printed };
}

/** The loss that `evaluate --json` prints. */
async function lossOf(...args: string[]): Promise<number> {
  const { code, noted, printed } = await qzo("evaluate", "--json", ...args);
  assertEquals(code, 0, noted);
  return JSON.parse(printed).loss;
}

const shared = exists(sharedData("models/tinystories-656k"));
const name = (what: string): string =>
  `${what}${shared ? "" : " (skipped, because ../shared/data is missing)"}`;
const stories = ["--model", sharedData("models/tinystories-656k"), "--max-length", "64"];
const modelling = [...stories, "--task", "language-modelling"];

/** The story that the cases' right values were measured on, with another tool's text of it. */
const story = (
  "Once upon a time there was a small dog named Max. Max liked to run in the park with his friend Lily. " +
  'One day they found a red ball under a big tree. "Look!" said Lily. "Can we play with it?" ' +
  "Max was happy and ran after the ball. The sun was hot and the sky was blue.\n" +
  "Then the ball fell into the water. Lily was sad, but a kind man came and helped them. " +
  'He gave the ball back and smiled. "Thank you," said Lily. They all went home and had soup. ' +
  "Mom said that they must be careful near the water. Max and Lily said yes, and then they went to bed.\n"
).repeat(3);

Deno.test({
  name: name("a story by absolute path, in UTF-16, as JSON: one loss"),
  ignore: !shared,
  fn: async () => {
    await inFolder(async (folder) => {
      const write = async (file: string, bytes: Uint8Array | string) => {
        const path = join(folder, file);
        await Deno.writeFile(
          path,
          typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes,
        );
        return path;
      };
      const wide = (littleEndian: boolean) => {
        const text = `\uFEFF${story}`;
        const view = new DataView(new ArrayBuffer(2 * text.length));
        for (let i = 0; i < text.length; i++) {
          view.setUint16(2 * i, text.charCodeAt(i), littleEndian);
        }
        return new Uint8Array(view.buffer);
      };
      const plain = await write("story.txt", story);
      const both = (path: string) => ["--data.train", path, "--data.validation", path];
      for (
        const path of [plain, await write("le.txt", wide(true)), await write("be.txt", wide(false))]
      ) {
        const loss = await lossOf(...modelling, ...both(path));
        assertEquals(loss.toFixed(4), "3.9213", path);
      }
      // By YAML, where a folder is set too.
      const yaml = await write(
        "run.yaml",
        `model: ${sharedData("models/tinystories-656k")}
task: language-modelling
data: { folder: /no/such, train: ${plain}, validation: ${plain} }
max_length: 64
`,
      );
      assertEquals((await lossOf(yaml)).toFixed(4), "3.9213");
      // A document of 938 tokens, of which a window is used: said, with the loss of that window.
      const document = await write("documents.jsonl", JSON.stringify({ text: story.repeat(3) }));
      const cut = await qzo(
        "evaluate",
        "--json",
        ...modelling,
        "--max-length",
        "256",
        ...both(document),
      );
      assertEquals(JSON.parse(cut.printed).loss.toFixed(4), "3.6313");
      assertStringIncludes(
        cut.noted,
        "1 of 1 documents is longer than max_length 256 and was cut (longest: 938 tokens)",
      );
    });
  },
});

Deno.test({
  name: name("rows as lines, as an array, pretty-printed: one loss; what cannot be read says why"),
  ignore: !shared,
  fn: async () => {
    await inFolder(async (folder) => {
      const rows = ["the cat sat", "a dog ran", "Tom was sad", "Lily had fun"].map((
        sentence,
        i,
      ) => ({
        sentence,
        label: i % 2,
      }));
      const files: Record<string, string> = {
        "rows.jsonl": rows.map((row) => JSON.stringify(row)).join("\n"),
        "pretty.jsonl": JSON.stringify(rows, null, 2),
        "array.json": JSON.stringify(rows),
        "marked.jsonl": `\uFEFF[\r\n${rows.map((row) => JSON.stringify(row)).join(",\r\n")}]`,
        "objects.json": rows.map((row) => JSON.stringify(row, null, 2)).join("\n"),
        "whole.json": JSON.stringify({ data: rows }),
      };
      for (const [file, text] of Object.entries(files)) {
        await Deno.writeTextFile(join(folder, file), text);
      }
      const task = (file: string, labels = '{"0": " bad", "1": " good"}') => [
        ...stories,
        ...["--data", folder, "--data.train", file, "--data.validation", file],
        ...["--task.template", "{sentence} It was{label}", "--task.labels", labels],
      ];
      const loss = await lossOf(...task("rows.jsonl"));
      for (const file of ["pretty.jsonl", "array.json", "marked.jsonl"]) {
        assertEquals(await lossOf(...task(file)), loss, file);
      }
      const refused = async (args: string[], ...words: string[]) => {
        const { code, noted } = await qzo("evaluate", ...args);
        assertEquals(code, 1);
        for (const word of words) assertStringIncludes(noted, word);
      };
      await refused(task("objects.json"), "objects.json, line 1", "An object a line is wanted");
      await refused(task("whole.json"), '"data" is a list of 4 objects');
      await refused(
        task("rows.jsonl", '{"0": " good", "1": " good"}'),
        'labels "0" and "1" are both " good"',
      );
    });
  },
});

Deno.test("one broken byte is named with its offset, and Latin-1 is read when it is said", async () => {
  await inFolder(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const train = join(folder, "train.jsonl");
    const split = ["--split", "train"];
    const bytes = await Deno.readFile(train);
    await Deno.writeFile(train, new Uint8Array([...bytes, 0xc3]));
    const bad = await qzo("evaluate", config, ...split);
    assertEquals(bad.code, 1);
    assertMatch(bad.noted, new RegExp(`byte 0xc3 at offset ${bytes.length} \\(line 24\\)`));
    const broken = await qzo("evaluate", config, ...split, "--data.encoding", "iso-8859-15");
    assertStringIncludes(broken.noted, "latin1");
    const latin = new TextDecoder().decode(bytes).replace(/"(ab|cd)/, '"\u00e9');
    await Deno.writeFile(train, Uint8Array.from(latin, (letter) => letter.charCodeAt(0)));
    assertStringIncludes(
      (await qzo("evaluate", config, ...split)).noted,
      "byte 0xe9 at offset 9 (line 1)",
    );
    const read = await qzo("evaluate", config, ...split, "--data.encoding", "latin1");
    assertEquals(read.code, 0, read.noted);
  });
});

Deno.test("a comma too many, and a name that no tensor has, keep nothing in silence", async () => {
  await inFolder(async (folder) => {
    const { model } = await writeTinyTask(folder);
    const output = join(folder, "small.gguf");
    const keeping = (keep: string) =>
      qzo("quantize", model, "--format", "Q4_0", "--keep", keep, "--output", output);
    for (const keep of ["ffn_down,", "ffn_down,,attn_q", ","]) {
      assertStringIncludes((await keeping(keep)).noted, "between its commas is empty");
    }
    assertStringIncludes((await keeping("ffn_down,atn_q")).noted, 'did you mean "attn_q"?');
    assert(!exists(output));
    assertEquals((await keeping("ffn_down, attn_q")).code, 0);
  });
});

Deno.test({
  name: "Ctrl-C is answered within a second while text is tokenised",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await inFolder(async (folder) => {
      await writeTinyTask(folder);
      // Minutes of work: one document without an end of line.
      const text = "Once upon a time there was a small dog. ".repeat(400_000);
      await Deno.writeTextFile(join(folder, "long.txt"), text);
      const main = new URL("../../cli/main.ts", import.meta.url).href;
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-A", "--no-check", main, "evaluate"],
          ...["--model", join(folder, "model.gguf"), "--task", "language-modelling"],
          ...["--data", folder, "--data.train", "long.txt", "--data.validation", "long.txt"],
        ],
        stdout: "null",
        stderr: "piped",
        env: { NO_COLOR: "1" },
      }).spawn();
      // Its first line says that it reads.
      const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
      let noted = "";
      while (!noted.includes("Reading long.txt")) {
        const { value, done } = await reader.read();
        assert(!done, noted);
        noted += value;
      }
      const begun = performance.now();
      child.kill("SIGINT");
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        noted += read.value;
      }
      const { code } = await child.status;
      assertEquals(code, 130, noted);
      assert(performance.now() - begun < 1000, `${performance.now() - begun} ms`);
    });
  },
});
