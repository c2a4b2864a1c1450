import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isAbsolute, join, relative } from "@std/path";
import { parseCommandArguments } from "../../cli/arguments.ts";
import { COMMANDS } from "../../cli/main.ts";
import { parseBenchmark, parseTrainConfig } from "../../train/mod.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";
import { writeTinyTask } from "./tiny_model.ts";

const own = new Set(COMMANDS.flatMap(({ options }) => Object.keys(options)));

function parse(name: string, ...args: string[]) {
  const command = COMMANDS.find((it) => it.name === name)!;
  return parseCommandArguments(args, command, own);
}

async function printed(...args: string[]): Promise<string> {
  const terminal = capture();
  assertEquals(await runCli(args, { terminal }), 0, terminal.noted);
  return terminal.printed;
}

async function refused(...args: string[]): Promise<string> {
  const terminal = capture();
  assertEquals(await runCli(args, { terminal }), 1, terminal.printed);
  return terminal.noted;
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A project whose YAML file names everything by paths that count from it: `project/config/tiny.yaml`. */
async function writeProject(folder: string): Promise<string> {
  for (const part of ["config", "data"]) await Deno.mkdir(join(folder, part));
  await writeTinyTask(join(folder, "data"));
  const path = join(folder, "config", "tiny.yaml");
  const yaml = `model: ../data/model.gguf
quantize: { format: Q4_0 }
task: { name: tiny, template: "{text}{label}", labels: { "0": "x", "1": "y" } }
data: { folder: ../data, train: train.jsonl, validation: dev.jsonl }
batch_size: 4
steps: 2
output: ../runs/a
`;
  await Deno.writeTextFile(path, yaml);
  return path;
}

Deno.test("paths: a configuration, its run, and the run's ledger are used from anywhere", async () => {
  await inFolder(async (folder) => {
    const file = await writeProject(folder);
    // The tests' own folder is another one, from which these paths lead up and down.
    const path = relative(Deno.cwd(), file);
    await printed("finetune", path);
    const run = relative(Deno.cwd(), join(folder, "runs", "a"));
    const saved = parseTrainConfig(await Deno.readTextFile(join(run, "config.yaml")), "saved");
    for (const it of [saved.model, saved.output, saved.data.folder]) {
      assertEquals(isAbsolute(it), true);
    }

    // As a process in a third folder.
    const other = join(folder, "other");
    await Deno.mkdir(other);
    const main = new URL("../../cli/main.ts", import.meta.url).href;
    const rights = ["--allow-read", "--allow-write", "--allow-env"];
    for (
      const args of [
        ["evaluate", "../runs/a"],
        ["evaluate", "../runs/a/run.ledger"],
        ["finetune", "../runs/a", "--resume", "--steps", "3"],
        ["replay", "../runs/a/run.ledger"],
        ["generate", "--ledger", "../runs/a", "--prompt", "ab", "--max-tokens", "2"],
        ["evaluate", "../config/tiny.yaml"],
      ]
    ) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-check", ...rights, main, ...args],
        cwd: other,
        env: { NO_COLOR: "1" },
      }).output();
      assertEquals(code, 0, `${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    }
  });
});

Deno.test("paths: what a file names counts from it, what is typed from the current folder", async () => {
  await inFolder(async (folder) => {
    const yaml = join(folder, "a.yaml");
    await Deno.writeTextFile(
      yaml,
      "model: m.gguf\nledger: l/run.ledger\noutput: out\ncalibration: /t.txt\ndata: {train: t.jsonl}\n",
    );
    const config = parse("finetune", yaml).config();
    assertEquals(config.model, join(folder, "m.gguf"));
    assertEquals(config.output, join(folder, "out"));
    assertEquals([config.data.folder, config.data.train], [folder, "t.jsonl"]);
    assertEquals(parse("replay", yaml).options.text("ledger"), join(folder, "l", "run.ledger"));
    assertEquals(parse("quantize", yaml).options.text("calibration"), "/t.txt");

    const typed = parse("finetune", yaml, "--model", "x.gguf", "--output", "here").config();
    assertEquals([typed.model, typed.output], ["x.gguf", "here"]);
    // No folder was named: the file that is typed lies here, the one that is written there.
    const { data } = parse("finetune", yaml, "--data.validation", "dev.jsonl").config();
    assertEquals(join(data.folder, data.train!), join(folder, "t.jsonl"));
    assertEquals(data.validation, join(Deno.cwd(), "dev.jsonl"));
    assertEquals(parse("finetune", yaml, "--data", "d").config().data.folder, "d");

    const benchmark = parseBenchmark(
      "output: o\ncases: {a: {model: m, task: sst2}}\noptimisers: {q: {name: qzo}}",
      "b.yaml",
      { folder: "/x" },
    );
    const job = benchmark.job({ case: "a", optimiser: "q", learningRate: undefined, seed: 0 });
    assertEquals([job.config.model, job.config.data.folder], ["/x/m", "/x"]);
    assertMatch(job.config.output, /^\/x\/o\/a\//);
    // A name of a store is no path.
    assertEquals(parseTrainConfig("model: hf:a/b", "c", { folder: "/x" }).model, "hf:a/b");
  });
});

Deno.test("paths: written as seen from the current folder, they are refused with what is right", async () => {
  await inFolder(async (folder) => {
    const yaml = join(folder, "a.yaml");
    await Deno.writeTextFile(yaml, "model: demo/model.gguf\n");
    const right = relative(folder, join(Deno.cwd(), "demo/model.gguf"));
    const said = await refused("inspect", yaml);
    assertStringIncludes(said, "paths are relative to the file that names them");
    assertStringIncludes(said, `Write "${right}"`);
  });
});

Deno.test("evaluate: training data are not read where they are not needed", async () => {
  await inFolder(async (folder) => {
    const file = await writeProject(folder);
    await Deno.remove(join(folder, "data", "train.jsonl"));
    assertMatch(await printed("evaluate", file), /^task +tiny, 8 validation examples$/m);
    assertStringIncludes(await refused("evaluate", file, "--split", "train"), "train.jsonl");
    // Without a file of its own, what is held out is a part of the training data.
    const { model } = await writeTinyTask(folder);
    const args = ["evaluate", model, "--task.template", "{text}{label}"];
    const labels = ["--task.labels", '{"0": "x", "1": "y"}'];
    const alone = await printed(...args, ...labels, "--data.train", join(folder, "train.jsonl"));
    assertMatch(alone, /, 2 validation examples$/m);
    const test = ["--split", "TEST", "--data.test", join(folder, "dev.jsonl")];
    assertMatch(await printed(...args, ...labels, ...test), /, 8 test examples$/m);
  });
});

Deno.test("inspect: a 16-bit folder says how to see what training takes", async () => {
  await inFolder(async (folder) => {
    const { model } = await writeTinyTask(folder);
    const dense = join(folder, "dense");
    await printed("quantize", model, "--format", "F16", "--output", dense);
    const said = await printed("inspect", dense, "--batch-size", "2", "--length", "16");
    assertMatch(
      said,
      /^training +no scales yet, because nothing is quantised: add --quantize Q4_0/m,
    );
    const planned = await printed("inspect", dense, "--quantize", "Q4_0", "--batch-size", "2");
    assertMatch(planned, /^memory +[\d.]+ [kM]B for batches of 2 examples/m);
  });
});

Deno.test("flags: words of the field lead to the key, and the named source is the right one", async () => {
  await inFolder(async (folder) => {
    const yaml = join(folder, "a.yaml");
    const { model } = await writeTinyTask(folder);
    await Deno.writeTextFile(yaml, `model: ${model}\nbatch_size: 4\n`);
    for (
      const [flag, key] of [
        ["--lr", "--learning-rate"],
        ["--bs", "--batch-size"],
        ["--batch_size_", "--batch-size"],
        ["--num_train_epochs", "--epochs"],
        ["--max-steps", "--steps"],
        ["--optimizer", "--optimiser"],
        ["--output_dir", "--output"],
        ["--gpu", "--device"],
      ]
    ) {
      assertStringIncludes(await refused("finetune", yaml, flag, "3"), `did you mean ${key}?`);
    }
    // Weights wherever it is; never the GPU.
    assertStringIncludes(await refused("finetune", yaml, "--adapter", "x"), "set scheme to one of");
    assertStringIncludes(await refused("inspect", model, "--adapter", "x"), "with --device");
    for (
      const [line, key] of [
        ["lr: 1", "optimiser.learning_rate"],
        ["bs: 4", "batch_size"],
        ["optimiser: {lr: 1}", "learning_rate"],
        ["num_epochs: 4", "epochs"],
      ]
    ) {
      const path = join(folder, "b.yaml");
      await Deno.writeTextFile(path, `model: m\n${line}\n`);
      assertStringIncludes(await refused("finetune", path), `did you mean "${key}"?`);
    }
    const typed = await refused("finetune", yaml, "--steps", "many");
    assertStringIncludes(typed, 'Cannot use steps: "many" in the command line');
    await Deno.writeTextFile(yaml, `model: ${model}\nbatch_size: few\n`);
    const written = await refused("finetune", yaml, "--steps", "3");
    assertStringIncludes(written, `Cannot use batch_size: "few" in ${yaml}`);
  });
});
