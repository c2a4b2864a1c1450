import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { cloneRepository, shell } from "../support/clone.ts";
import { root } from "../../scripts/package_copy.ts";
import { writeFolder } from "../models/architectures/written_folder.ts";
import type { LlamaShape } from "../reference/llama.ts";
import { randomLlama } from "../support/random_llama.ts";
import { writeTinyTask } from "./tiny_model.ts";

const windows = Deno.build.os === "windows";
const denoFolder = join(Deno.execPath(), "..");
const path = `${denoFolder}:${Deno.env.get("PATH")}`;

/** The fenced block of README that begins with a line. */
async function readmeLines(first: string): Promise<string> {
  const text = await Deno.readTextFile(join(root, "README.md"));
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, lines]) => lines);
  const found = blocks.filter((lines) => lines.startsWith(first));
  assertEquals(found.length, 1, first);
  return found[0];
}

Deno.test({
  name: "elsewhere: run.sh and the task read and write where they were called",
  ignore: windows,
  fn: async () => {
    await using clone = await cloneRepository();
    const here = join(clone.folder, "my models", "small");
    await Deno.mkdir(here, { recursive: true });
    await writeTinyTask(here);
    await Deno.mkdir(join(clone.folder, "my models", "link"));
    await Deno.symlink("../../qzo/run.sh", join(clone.folder, "my models", "link", "p"));
    await Deno.symlink("p", join(clone.folder, "my models", "link", "q"));
    for (
      const [i, start] of [
        "sh ../../qzo/run.sh qzo",
        "../link/q qzo", // a link to a link to it
        "deno task --config ../../qzo/deno.json qzo",
      ].entries()
    ) {
      const args = `quantize model.gguf --format Q8_0 --output small${i}.gguf`;
      const { code, err } = await shell(`${start} ${args}`, here, { PATH: path });
      assertEquals(code, 0, err);
      assertEquals((await Deno.stat(join(here, `small${i}.gguf`))).isFile, true);
    }
    assertEquals(await Deno.stat(join(clone.path, "small0.gguf")).catch(() => "none"), "none");
  },
});

Deno.test({
  name:
    "elsewhere: README's lines let a script of another folder import the clone, checked and run",
  ignore: windows,
  fn: async () => {
    await using clone = await cloneRepository();
    const project = join(clone.folder, "my-project");
    await Deno.mkdir(project);
    const { model } = await writeTinyTask(project);
    const before = { tasks: { go: "deno run a.ts" }, imports: { "b": "./b.ts" } };
    await Deno.writeTextFile(join(project, "deno.json"), JSON.stringify(before));
    const script = `import * as qzo from "@qzo/qzo";
import { builtInTask } from "@qzo/qzo/tasks";
using source = await qzo.openModelSource(${JSON.stringify(model)});
console.log(source.tensors.size > 3, builtInTask("sst2").name);
`;
    await Deno.writeTextFile(join(project, "script.ts"), script);
    const readme = await Deno.readTextFile(join(root, "README.md"));
    const [, example] = /^## A script\n\n```ts\n([\s\S]*?)^```/m.exec(readme) ?? [];
    await Deno.writeTextFile(join(project, "example.ts"), example);

    const lines = await readmeLines("sh run.sh link");
    const ran = await shell(lines, clone.path, { PATH: path });
    assertEquals([ran.code, ran.out.trimEnd().split("\n").at(-1)], [0, "true sst2"], ran.err);
    // Nothing is warned of at every start.
    assertEquals(/warn/i.test(ran.err), false, ran.err);
    const checked = await shell("deno check --quiet example.ts script.ts", project, { PATH: path });
    assertEquals(checked.code, 0, checked.err);

    const config = JSON.parse(await Deno.readTextFile(join(project, "deno.json")));
    assertEquals(config, {
      ...before,
      imports: { "b": "./b.ts", "@qzo/qzo": "jsr:@qzo/qzo@^0.1.0" },
      links: ["../qzo/.linked"],
    });
    assertStringIncludes(
      readme,
      '"imports": { "@qzo/qzo": "jsr:@qzo/qzo@^0.1.0" }, "links": ["../qzo/.linked"]',
    );
    // Again: nothing is there twice.
    await shell("sh ../qzo/run.sh link .", project, { PATH: path });
    assertEquals(JSON.parse(await Deno.readTextFile(join(project, "deno.json"))), config);

    await Deno.writeTextFile(join(project, "deno.jsonc"), "// mine\n{}");
    const refused = await shell("sh ../qzo/run.sh link .", project, { PATH: path });
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, '"links": ["../qzo/.linked"]');
  },
});

Deno.test({
  name: "elsewhere: README's lines install the command from a clone; it calls itself by its name",
  ignore: windows,
  fn: async () => {
    await using clone = await cloneRepository();
    const lines = await readmeLines("sh run.sh install");
    const target = join(clone.folder, "installed");
    const env = { DENO_INSTALL_ROOT: target, PATH: `${target}/bin:${path}` };
    const { code, out, err } = await shell(lines, clone.path, env);
    assertEquals(code, 0, err);
    assertStringIncludes(out, "qzo: fine-tunes quantised language models");
    assertEquals(out.includes("Add to PATH"), false, out);

    const here = join(clone.folder, "elsewhere");
    await Deno.mkdir(here);
    await writeTinyTask(here);
    const quantized = await shell(
      "qzo quantize model.gguf --format Q8_0 --output small.gguf",
      here,
      env,
    );
    assertEquals(quantized.code, 0, quantized.err);
    assertEquals((await Deno.stat(join(here, "small.gguf"))).isFile, true);
    const line = `qzo finetune tiny.yaml --output run ${ENDLESS}`;
    const noted = await stopped(line, here, join(here, "run"), env);
    assertMatch(noted, /^To resume: qzo finetune run --resume$/m);

    const other = await shell("sh ../qzo/run.sh install", here, { ...env, PATH: path });
    assertStringIncludes(other.out, `export PATH="${target}/bin:`);
  },
});

Deno.test({
  name: "elsewhere: README's lines for a model of one's own follow one another as they stand",
  ignore: windows,
  fn: async () => {
    await using clone = await cloneRepository();
    const shape: LlamaShape = {
      ...{ hidden: 64, layers: 2, feedForward: 128, heads: 4, kvHeads: 2, vocabulary: 272 },
      ...{ epsilon: 1e-5, ropeBase: 10000, rope: "neox" },
    };
    const weights = randomLlama(shape, { seed: 3, tied: true });
    await writeFolder(join(clone.path, "path/to/folder"), shape, weights, {
      max_position_embeddings: 64,
    });
    const write = (name: string, text: string) => Deno.writeTextFile(join(clone.path, name), text);
    await write("text.txt", "a film that goes on and on, and then it ends. ".repeat(80));
    const rows = (count: number, from: number) =>
      Array.from(
        { length: count },
        (_, i) =>
          JSON.stringify({ sentence: `${i % 2 ? "fine" : "dull"} ${from + i}`, label: i % 2 }),
      ).join("\n");
    await write("train.jsonl", rows(40, 0));
    await write("dev.jsonl", rows(16, 100));
    // A random model and few steps: what is learned is not looked at.
    const lines = (await readmeLines("# 1. Turn a 16-bit")).replace("--steps 1000", "--steps 8");
    const { code, out, err } = await shell(lines, clone.path, { PATH: path });
    assertEquals(code, 0, err + out);
    for (const name of ["model.gguf", "calibrated.gguf", "tuned.gguf", "runs/mine/curve.svg"]) {
      assertEquals((await Deno.stat(join(clone.path, name))).isFile, true, name);
    }
    assertMatch(out, /^perplexity +[\d.]+ before, [\d.]+ after/m);
    assertMatch(out, /^written +tuned\.gguf$/m);
  },
});

Deno.test({
  name:
    "elsewhere: the line that Ctrl-C leaves goes on with the run, as printed, however it was started",
  ignore: windows,
  fn: async () => {
    await using clone = await cloneRepository();
    const here = join(clone.folder, "it's here");
    await Deno.mkdir(here);
    await writeTinyTask(here);
    for (
      const [i, start] of [
        "sh ../qzo/run.sh qzo",
        "deno task --config ../qzo/deno.json qzo",
        "deno run --allow-read --allow-write --allow-env ../qzo/cli/main.ts",
      ].entries()
    ) {
      const folder = join(here, `run ${i}`);
      const env = { PATH: path };
      const first = `${start} finetune tiny.yaml --output 'run ${i}' ${ENDLESS} --export`;
      const noted = await stopped(first, here, folder, env);
      const [, hint] = /^To resume: (.*)$/m.exec(noted) ?? [];
      assertEquals(hint, `${start} finetune 'run ${i}' --resume --export`, noted);
      const again = await stopped(hint, here, folder, env);
      assertStringIncludes(again, hint);
    }
  },
});

const ENDLESS = "--steps 1000000 --evaluate-every 0";

/** Types a line, interrupts it by Ctrl-C once its run has grown, and returns what it said. */
async function stopped(
  line: string,
  cwd: string,
  run: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const inherited = Deno.env.toObject();
  for (const name of ["INIT_CWD", "QZO_COMMAND", "QZO_TASK"]) delete inherited[name];
  const size = async () => (await Deno.stat(join(run, "run.ledger")).catch(() => undefined))?.size;
  const before = await size();
  const child = new Deno.Command("sh", {
    args: ["-c", line],
    cwd,
    env: { ...inherited, NO_COLOR: "1", ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    detached: true, // a group of its own, as a terminal gives it
  }).spawn();
  const output = child.output();
  let over = false;
  void output.then(() => over = true);
  let begun = before;
  for (let i = 0; i < 2400 && !over; i++) {
    const now = await size();
    begun ??= now;
    if (now !== undefined && begun !== undefined && now > begun) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (!over) await new Deno.Command("kill", { args: ["-INT", "--", `-${child.pid}`] }).output();
  return new TextDecoder().decode((await output).stderr);
}
