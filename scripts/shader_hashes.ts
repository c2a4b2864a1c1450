/**
 * The SHA-256 of the expanded text of every shader, to show that a change of templates changes no shader.
 *
 * ```sh
 * deno run -A scripts/shader_hashes.ts                            # of the tables in shader_cases.ts: "hash  case"
 * deno run -A scripts/shader_hashes.ts --compiled tests/kernels   # of what these test files compile
 * deno run -A scripts/shader_hashes.ts --compare main             # against another commit, or a file with such lines
 * deno run -A scripts/shader_hashes.ts --compare main --compiled tests/kernels/operations/operations_test.ts
 * ```
 *
 * A comparison runs the other commit's own script in a worktree below the temporary folder; where that commit has none, this one. Tables are
 * compared case by case. What tests compile (in this process: commands that tests start as processes are not seen) is compared as a set: a
 * test that was changed between the commits may compile other sizes. Exits with 1 where anything differs.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { shaderTexts } from "./shader_cases.ts";

const root = join(import.meta.dirname!, "..");

/** Hashes by case. */
type Hashes = ReadonlyMap<string, string>;

function ofTables(): Hashes {
  return new Map(
    shaderTexts().map(({ name, text }) => [name, createHash("sha256").update(text).digest("hex")]),
  );
}

/** Runs tests of the tree at `folder`, and names what they compile by its hash. */
async function ofTests(folder: string, files: readonly string[]): Promise<Hashes> {
  const path = await Deno.makeTempFile();
  try {
    const recorder = join(import.meta.dirname!, "record_shaders.ts");
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", "--preload", recorder, ...files],
      cwd: folder,
      env: { QZO_SHADER_HASHES: path },
      stdout: "null",
      stderr: "inherit",
    }).output();
    if (!success) console.error(`Some tests of ${folder} failed: what they compiled counts`);
    const lines = (await Deno.readTextFile(path)).split("\n").filter((line) => line !== "");
    return new Map([...new Map(lines.map((line) => [line.slice(0, 64), line.slice(66)]))].map(
      ([hash, label]) => [`${hash.slice(0, 12)} ${label}`, hash],
    ));
  } finally {
    await Deno.remove(path);
  }
}

function parse(text: string): Hashes {
  return new Map(
    text.split("\n").filter((line) => /^[0-9a-f]{64} {2}/.test(line))
      .map((line) => [line.slice(66), line.slice(0, 64)]),
  );
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const { success, stdout } = await new Deno.Command(command, {
    args,
    cwd,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`Cannot compare: ${command} ${args.join(" ")} failed`);
  return new TextDecoder().decode(stdout);
}

/** The hashes of another commit, in a worktree that is removed again. */
async function ofCommit(commit: string, files: readonly string[] | undefined): Promise<Hashes> {
  const folder = await Deno.makeTempDir();
  await run("git", ["worktree", "add", "--detach", "--force", folder, commit], root);
  try {
    if (files) return await ofTests(folder, files);
    const scripts = join(folder, "scripts");
    try {
      await Deno.stat(join(scripts, "shader_hashes.ts"));
    } catch {
      for (
        const name of [
          "shader_hashes.ts",
          "shader_cases.ts",
          "shader_step_cases.ts",
          "shader_texts.ts",
        ]
      ) {
        await Deno.copyFile(join(import.meta.dirname!, name), join(scripts, name));
      }
    }
    const args = ["run", "-A", "--no-check", "scripts/shader_hashes.ts"];
    return parse(await run(Deno.execPath(), args, folder));
  } finally {
    await run("git", ["worktree", "remove", "--force", folder], root);
  }
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}

/** Says what differs; returns whether anything does. */
function report(ours: Hashes, theirs: Hashes): boolean {
  const changed = [...ours].filter(([name, hash]) => (theirs.get(name) ?? hash) !== hash);
  const here = [...ours.keys()].filter((name) => !theirs.has(name));
  const there = [...theirs.keys()].filter((name) => !ours.has(name));
  const texts = new Set(ours.values());
  for (
    const [what, names] of Object.entries({ changed: changed.map(([name]) => name), here, there })
  ) {
    for (const name of names.slice(0, 20)) console.log(`${what}: ${name}`);
    if (names.length > 20) console.log(`${what}: ${names.length - 20} more`);
  }
  console.log(
    `${ours.size} cases of ${texts.size} texts here, ${theirs.size} there: ${changed.length} changed, ` +
      `${here.length} only here, ${there.length} only there`,
  );
  return changed.length + here.length + there.length > 0;
}

if (import.meta.main) {
  const { compare, compiled, _: rest } = parseArgs(Deno.args, {
    string: ["compare"],
    boolean: ["compiled"],
  });
  const files = compiled ? rest.map(String) : undefined;
  const ours = files ? await ofTests(root, files) : ofTables();
  if (compare === undefined) {
    for (const [name, hash] of ours) console.log(`${hash}  ${name}`);
  } else {
    const theirs = await isFile(compare)
      ? parse(await Deno.readTextFile(compare))
      : await ofCommit(compare, files);
    Deno.exitCode = report(ours, theirs) ? 1 : 0;
  }
}
