import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { parseCommandArguments } from "../../cli/arguments.ts";
import { COMMANDS } from "../../cli/main.ts";
import { UsageError } from "../../cli/usage_error.ts";
import { COMMAND_KEYS } from "../../train/config/field_words.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";

const own = new Set(COMMANDS.flatMap(({ options }) => Object.keys(options)));

function parse(name: string, ...args: string[]) {
  const command = COMMANDS.find((it) => it.name === name);
  assert(command !== undefined);
  return parseCommandArguments(args, command, own);
}

async function withFile(name: string, text: string, use: (path: string) => void): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, name);
    await Deno.writeTextFile(path, text);
    use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("arguments: a script is told of every key that only finetune takes", () => {
  const finetune = COMMANDS.find(({ name }) => name === "finetune");
  const options = Object.keys(finetune?.options ?? {}).map((it) => it.replaceAll("-", "_"));
  assertEquals([...COMMAND_KEYS.keys()].sort(), options.sort());
});

Deno.test("arguments: flags alone make a configuration", () => {
  const config = parse(
    "finetune",
    ...["--model", "m.gguf", "--task", "sst2", "--data", "folder", "--steps=200"],
    ...["--optimiser.learning-rate", "1e-2", "--optimiser.clip", ".inf", "--optimiser", "qzo"],
    ...[
      "--trainables.layers",
      "0-3",
      "--trainables.kinds",
      "scales",
      "--trainables.kinds",
      "norms",
    ],
    ...["--trainables.span", "row", "--quantize", "Q4_0", "--evaluate_every", "7"],
  ).config();
  assertEquals(config.model, "m.gguf");
  assertEquals(config.task.name, "sst2");
  assertEquals(config.data.folder, "folder");
  assertEquals(config.steps, 200);
  assertEquals(config.optimiser.name, "qzo");
  assertEquals(config.optimiser.learningRate, 0.01);
  assertEquals(config.optimiser.clip, Infinity);
  assertEquals(config.trainables.layers, [0, 3]);
  assertEquals(config.trainables.kinds, ["scales", "norms"]);
  assertEquals(config.trainables.span, "row");
  assertEquals(config.quantize.format, "Q4_0");
  assertEquals(config.evaluateEvery, 7);
});

Deno.test("arguments: texts stay texts, whatever YAML would make of them", () => {
  const config = parse(
    "finetune",
    ...["--model", "123", "--task.template", "{sentence} It was{label}"],
    ...["--task.labels", '{"0": " bad", "1": " good"}', "--trainables.span", "64"],
  ).config();
  assertEquals(config.model, "123");
  assertEquals(config.task.template, "{sentence} It was{label}");
  assertEquals(config.task.labels, { "0": " bad", "1": " good" });
  assertEquals(config.trainables.span, 64);
});

Deno.test("arguments: flags override a file, and what neither says has its default", async () => {
  const yaml = "model: a.gguf\ntask: sst2\nsteps: 5\noptimiser: {epsilon: 0.5, queries: 2}\n";
  await withFile("run.yaml", yaml, (path) => {
    const config = parse("finetune", path, "--steps", "9", "--optimiser.epsilon", "0.25").config();
    assertEquals(config.steps, 9);
    assertEquals(config.optimiser.epsilon, 0.25);
    assertEquals(config.optimiser.queries, 2);
    assertEquals(config.batchSize, 16);
    assertEquals(parse("finetune", path, "--task.format", "tsv").config().task.name, "sst2");
  });
});

Deno.test("arguments: one file serves all commands, each takes its own keys", async () => {
  const yaml = "model: a.gguf\nexport: true\nprompt: Once\nmax_tokens: 5\ntemperature: 0.5\n";
  await withFile("all.yaml", yaml, (path) => {
    assertEquals(parse("finetune", path).options.flag("export"), true);
    const { options, config } = parse("generate", path, "--max-tokens", "6");
    assertEquals(config().model, join(path, "..", "a.gguf"));
    assertEquals(options.text("prompt"), "Once");
    assertEquals(options.number("max-tokens"), 6);
    assertEquals(options.number("temperature"), 0.5);
    assertEquals(parse("finetune", path).config().scheme, "full");
  });
  const tuned = "model: a.gguf\nscheme: prompt\nprompt: {tokens: 3}\n";
  await withFile("tuned.yaml", tuned, (path) => {
    assertEquals(parse("finetune", path).config().prompt?.tokens, 3);
    const { options, config } = parse("generate", path, "--prompt", "Once");
    assertEquals(options.text("prompt"), "Once");
    assertEquals(config().prompt?.tokens, 3);
  });
  await withFile("bad.yaml", "model: a.gguf\nexport: maybe\n", (path) => {
    assertThrows(() => parse("finetune", path), TypeError, "Cannot use export");
  });
  await withFile("bad.yaml", "model: a.gguf\nbatch_sise: 3\n", (path) => {
    assertThrows(() => parse("finetune", path).config(), RangeError, 'did you mean "batch_size"');
  });
});

Deno.test("arguments: what is unknown is refused with the nearest known", () => {
  for (
    const [command, flag, nearest] of [
      ["finetune", "--stesp", "--steps"],
      ["finetune", "--lerning-rate", "--learning-rate"],
      ["finetune", "--optimiser.epsilom", "--optimiser.epsilon"],
      ["generate", "--temprature", "--temperature"],
      ["replay", "--ledgr", "--ledger"],
    ]
  ) {
    assertThrows(() => parse(command, flag, "3"), UsageError, `did you mean ${nearest}?`);
  }
  // A key of the configuration that the command has no use for is as unknown.
  assertThrows(
    () => parse("generate", "--batch-size", "3"),
    UsageError,
    "Unknown flag --batch-size",
  );
});

Deno.test("arguments: missing values, wrong values and too many arguments are refused", () => {
  assertThrows(() => parse("finetune", "--steps"), UsageError, "Missing value after --steps");
  assertThrows(() => parse("generate", "--top-k", "few"), UsageError, "whole number");
  assertThrows(() => parse("generate", "--temperature", "-1"), UsageError, "of at least 0");
  assertThrows(() => parse("inspect", "m", "--length=-5"), UsageError, "--length");
  assertThrows(() => parse("inspect", "m", "--candidates", "1e15"), UsageError, "from 1 to 65536");
  // What every object has is no flag.
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    assertThrows(() => parse("inspect", `--${name}`, "x"), UsageError, "Unknown flag");
  }
  assertThrows(() => parse("generate", "a.gguf", "b.gguf"), UsageError, "Too many arguments");
  assertThrows(
    () => parse("finetune", "--model", "a", "--steps", "many").config(),
    TypeError,
    "Cannot use steps",
  );
  assertThrows(() => parse("finetune").config(), TypeError, 'Missing key "model"');
});

Deno.test("arguments: an argument without a flag is the model, the ledger, the file or the run's folder", async () => {
  assertEquals(parse("evaluate", "m.gguf").config().model, "m.gguf");
  assertEquals(parse("replay", "a.ledger").options.text("ledger"), "a.ledger");
  assertEquals(parse("inspect", "m.gguf").config({ model: "n.gguf" }).model, "n.gguf");
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(join(folder, "config.yaml"), "model: here.gguf\n");
    const { runPath, config } = parse("evaluate", folder);
    assertEquals(runPath, folder);
    const here = join(folder, "here.gguf");
    assertEquals(config().model, here);
    assertEquals(parse("finetune", "--resume", "--output", folder).config().model, here);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("cli: help lists every command and every flag with its examples", async () => {
  const all = capture();
  assertEquals(await runCli([], { terminal: all }), 0);
  for (const { name, options, examples } of COMMANDS) {
    assertStringIncludes(all.printed, `  ${name} `);
    const one = capture();
    assertEquals(await runCli([name, "--help", "all"], { terminal: one }), 0);
    for (const option of Object.keys(options)) assertStringIncludes(one.printed, `--${option}`);
    for (const example of examples) assertStringIncludes(one.printed, example);
  }
});

Deno.test("cli: errors are one line and exit code 1; --verbose shows where they come from", async () => {
  const quiet = capture();
  assertEquals(await runCli(["evalute"], { terminal: quiet }), 1);
  assertEquals(quiet.noted, 'Unknown command "evalute": did you mean "evaluate"?\n');
  const short = capture();
  assertEquals(await runCli(["inspect", "nowhere.gguf"], { terminal: short }), 1);
  assertEquals(short.noted.trimEnd().split("\n").length, 1);
  const long = capture();
  assertEquals(await runCli(["inspect", "nowhere.gguf", "--verbose"], { terminal: long }), 1);
  assertStringIncludes(long.noted, "    at ");
});
