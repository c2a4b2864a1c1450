import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { flagsOf } from "../../cli/help.ts";
import { COMMANDS } from "../../cli/main.ts";
import { VERSION } from "../../cli/version.ts";
import { FORMATS } from "../../quant/mod.ts";
import { root } from "../repository/module_graph.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";
import { writeTinyTask } from "./tiny_model.ts";

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, out: terminal.printed, err: terminal.noted };
}

Deno.test("help: six flags first, the rest in groups behind --help all, with every closed set of values", async () => {
  for (const command of COMMANDS) {
    const { name, first } = command;
    const flags = flagsOf(command);
    const names = flags.map((flag) => flag.name);
    assertEquals(first.filter((it) => !names.includes(it)), [], `${name}: no such flag`);
    assert(first.length > 0 && first.length <= 6, name);
    const short = (await run(name, "--help")).out;
    assertEquals([...short.matchAll(/^ {2}--([\w.-]+)/gm)].map(([, flag]) => flag), [...first]);
    assertMatch(short, new RegExp(`^\\d+ more: qzo ${name} --help all$`, "m"));
    for (const all of [await run(name, "--help", "all"), await run("help", name, "all")]) {
      const listed = [...all.out.matchAll(/^ {2}--([\w.-]+)/gm)].map(([, flag]) => flag);
      assertEquals(listed.toSorted(), names.toSorted(), name);
      for (const { name: flag, values = [], shortFor } of flags) {
        if (shortFor !== undefined && !first.includes(flag)) continue;
        const line = all.out.split("\n").find((it) => it.startsWith(`  --${flag} `));
        for (const value of values) assertStringIncludes(line ?? "", value, `${name} --${flag}`);
      }
    }
  }
});

Deno.test("version: --version says that of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  assertEquals(VERSION, version);
  for (const word of ["--version", "-V", "version"]) {
    const { code, out } = await run(word);
    assertEquals([code, out.startsWith(`qzo ${version} (Deno ${Deno.version.deno}`)], [0, true]);
  }
});

Deno.test("formats: all are listed with their bits, without a model", async () => {
  const { code, out } = await run("quantize", "--formats");
  assertEquals(code, 0);
  for (const { name } of FORMATS) {
    assertMatch(out, new RegExp(`^  ${name} +[\\d.]+ bits per weight`, "m"));
  }
  assertMatch(out, /^ {2}Q4_0 +4\.500 bits/m);
  assertMatch(out, /^ {2}Q6_K +6\.563 bits/m);
});

Deno.test("names: in any case, and what others call otherwise leads somewhere", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { model, config } = await writeTinyTask(folder);
    for (const [i, [given, format]] of [["q8_0", "Q8_0"], ["INT4-G32", "int4_g32"]].entries()) {
      const output = join(folder, i === 0 ? "a.gguf" : "a");
      const done = await run("quantize", model, "--format", given, "--output", output);
      assertEquals(done.code, 0, done.err);
      const { formats } = JSON.parse((await run("inspect", output, "--json")).out);
      assertEquals(formats[format].tensors, 7);
    }
    const inspected = await run("inspect", model, "--quantize", "NF4", "--json");
    // Rows of 32 columns hold no group of 64; the name was understood.
    assertEquals(JSON.parse(inspected.out).model, `${model} as nf4_g64`);
    for (
      const [given, said] of [
        ["Q4_K_M", "llama.cpp's mix of Q4_K with wider formats for single matrices; take Q4_K"],
        ["q5_k_s", "take Q5_K"],
        ["gptq", "--method gptq"],
        ["4bit", "use Q4_0"],
        ["Q4_9", "did you mean Q4_0"],
        ["zzzzzzzzz", "All of them: qzo quantize --formats"],
      ]
    ) {
      const { code, err } = await run(
        "quantize",
        model,
        "--format",
        given,
        "--output",
        "/nowhere/x",
      );
      assertEquals(code, 1);
      assertStringIncludes(err, said);
    }
    const method = ["quantize", model, "--format", "Q4_0", "--output", join(folder, "b.gguf")];
    const wrong = await run(...method, "--method", "gtpq");
    assertStringIncludes(wrong.err, "expected rtn, ");
    assertStringIncludes(wrong.err, "did you mean gptq?");
    assertEquals((await run(...method, "--method", "RTN")).code, 0);

    const typed = ["--optimiser", "qzonormalised", "--optimiser.form", "RELATIVE"];
    const done = await run("finetune", config, ...typed, "--steps", "2");
    assertEquals(done.code, 0, done.err);
    const saved = await Deno.readTextFile(join(folder, "run", "config.yaml"));
    assertMatch(saved, /^ {2}name: qzoNormalised$/m);
    assertEquals((await run("evaluate", join(folder, "run"), "--step", "LAST")).code, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What a shell completes a line to. */
async function completed(script: string, words: string[]): Promise<string[]> {
  const line = `${script}
COMP_WORDS=(${words.map((word) => JSON.stringify(word)).join(" ")})
COMP_CWORD=${words.length - 1}
_qzo
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { success, stdout, stderr } = await new Deno.Command("bash", { args: ["-c", line] })
    .output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((it) => it !== "");
}

async function has(shell: string): Promise<boolean> {
  try {
    return (await new Deno.Command(shell, { args: ["-c", "exit 0"] }).output()).success;
  } catch {
    return false;
  }
}

Deno.test("completion: bash completes commands, flags and values", async () => {
  if (!await has("bash")) return console.log("skipped, because bash is not installed");
  const { out: script } = await run("completion", "bash");
  assertEquals(await completed(script, ["qzo", "fi"]), ["finetune"]);
  assertEquals(await completed(script, ["qzo", "finetune", "--ep"]), ["--epochs"]);
  const of = await completed(script, ["qzo", "finetune", "--optimiser", "qzo"]);
  assertEquals(of, ["qzo", "qzoNormalised", "qzoPlus"]);
  assertEquals(await completed(script, ["qzo", "quantize", "--method", "gp"]), ["gptq"]);
  assertEquals(await completed(script, ["qzo", "evaluate", "--help", ""]), ["all"]);
  // Paths are the shell's own business.
  assertEquals(await completed(script, ["qzo", "evaluate", "--model", "x"]), []);
  assertEquals(await completed(script, ["qzo", "evaluate", "x"]), []);
});

for (const shell of ["zsh", "fish"]) {
  Deno.test(`completion: ${shell} takes its script`, async () => {
    const { code, out } = await run("completion", shell.toUpperCase());
    assertEquals(code, 0);
    for (const { name } of COMMANDS) assertStringIncludes(out, name);
    if (!await has(shell)) return console.log(`skipped, because ${shell} is not installed`);
    const path = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(path, out);
      const { success, stderr } = await new Deno.Command(shell, { args: ["-n", path] }).output();
      assert(success, new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(path);
    }
  });
}

Deno.test("completion: without a shell it says which there are", async () => {
  assertStringIncludes((await run("completion")).err, "bash, zsh or fish");
  assertStringIncludes((await run("completion", "tcsh")).err, "expected bash, zsh or fish");
});
