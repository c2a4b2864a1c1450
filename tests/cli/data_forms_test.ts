/**
 * The same examples in every form that people bring them, through the command started in their folder: one loss.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { gzipSync } from "node:zlib";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";
import { writeTinyTask } from "./tiny_model.ts";

const main = new URL("../../cli/main.ts", import.meta.url).href;

Deno.test("separators, nested fields, booleans and gz give one loss; notes hold with them", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeTinyTask(folder);
    const rows = Array.from({ length: 10 }, (_, i) => ({ text: `ab, c; d${i}`, good: i % 3 > 0 }));
    const lines = (made: (row: typeof rows[number]) => unknown) =>
      rows.map((row) => JSON.stringify(made(row))).join("\n");
    const table = (separator: string, python = false) =>
      [
        `text${separator}good`,
        ...rows.map(({ text, good }) =>
          `"${text}"${separator}${python ? (good ? "True" : "False") : Number(good)}`
        ),
      ].join("\r\n");
    const nested = lines(({ text, good }) => ({ input: { text }, output: [{ good }] }));
    const files: Record<string, string | Uint8Array> = {
      "plain.jsonl": lines((row) => row),
      "semicolon.csv": table(";"),
      "python.csv": table(",", true),
      "tab.csv": table("\t"),
      "dollar.csv": table("$"),
      "packed.CSV.gz": gzipSync(table(";", true)),
      "nested.jsonl.gz": gzipSync(nested),
      "array.json.gz": gzipSync(JSON.stringify(rows)),
      "one.csv.gz": gzipSync(table(";").replaceAll(/[01]\r?(\n|$)/g, "1$1").replaceAll(/1$/g, "1")),
      "cut.csv.gz": gzipSync(table(";")).slice(0, -9),
    };
    for (const [file, content] of Object.entries(files)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(join(folder, file), new Uint8Array(bytes));
    }
    const flags = (file: string, ...more: string[]) => [
      ...["evaluate", "--json", "--model", "model.gguf", "--data.train", file],
      ...["--data.validation", file, "--task.labels", '{"0": "x", "1": "y"}'],
      ...more,
    ];
    const flat = ["--task.template", "{text} It is{good}", "--task.label-field", "good"];
    const deep = [
      "--task.template",
      "{input.text} It is{output.0.good}",
      "--task.label-field",
      "output.0.good",
    ];
    const inside = async (args: string[]) => {
      const terminal = capture();
      const code = await runCli(
        args.map((arg) => arg === "model.gguf" || arg in files ? join(folder, arg) : arg),
        { terminal },
      );
      return { code, ...terminal };
    };
    const lossOf = async (args: string[]): Promise<number> => {
      const { code, printed, noted } = await inside(args);
      assertEquals(code, 0, noted);
      return JSON.parse(printed).loss;
    };
    const loss = await lossOf(flags("plain.jsonl", ...flat));
    for (const file of ["semicolon.csv", "python.csv", "tab.csv", "array.json.gz"]) {
      assertEquals(await lossOf(flags(file, ...flat)), loss, file);
    }
    assertEquals(await lossOf(flags("dollar.csv", ...flat, "--task.separator", "$")), loss);
    assertEquals(await lossOf(flags("nested.jsonl.gz", ...deep)), loss);

    // Behind the model, without flags: all rows of the file, not the tenth that a fine-tune would hold out.
    const labels = ["--task.labels", '{"0": "x", "1": "y"}'];
    const behind = ["evaluate", "model.gguf", "plain.jsonl", ...labels, ...flat];
    const judged = await inside([...behind, "--json"]);
    assertEquals(judged.code, 0, judged.noted);
    const { loss: ofAll, examples, file } = JSON.parse(judged.printed);
    assertEquals([ofAll, examples, file], [loss, 10, join(folder, "plain.jsonl")]);
    assertStringIncludes((await inside(behind)).printed, "10 examples of");
    assertEquals(
      JSON.parse((await inside([...behind, "--json", "--split", "validation"])).printed).examples,
      1,
    );

    // As typed in the data's folder.
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", main, ...flags("packed.CSV.gz", ...flat)],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)).loss, loss);

    const one = await inside(flags("one.csv.gz", ...flat, "--max-length", "8"));
    assertStringIncludes(one.noted, "all 10 validation examples have the same answer");
    assertStringIncludes(one.noted, "longer than max_length 8");
    assertStringIncludes((await inside(flags("cut.csv.gz", ...flat))).noted, "damaged or cut");
    assertStringIncludes(
      (await inside(flags("plain.jsonl", ...flat, "--task.separator", ";"))).noted,
      "a separator is for csv or tsv, the format is jsonl",
    );
    assertStringIncludes(
      (await inside(
        flags(
          "plain.jsonl",
          "--task.template",
          "{good}{text} It is{label}",
          "--task.label-field",
          "good",
        ),
      )).noted,
      "{good} of the template is not at its end",
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
