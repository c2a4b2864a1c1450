import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { withTemp } from "../models/quantised_folder.ts";
import { writeSplitBase } from "../support/split_base.ts";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";
import { writeTinyTask } from "./tiny_model.ts";

async function qzo(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, out: terminal.printed, err: terminal.noted };
}

/** Every file below a folder with its bytes; links with where they lead. */
function contents(folder: string, below = ""): Map<string, string> {
  const all = new Map<string, string>();
  for (const { name, isDirectory, isSymlink } of Deno.readDirSync(join(folder, below))) {
    const path = join(below, name);
    if (isDirectory) { for (const [key, value] of contents(folder, path)) all.set(key, value); }
    else if (isSymlink) all.set(path, `-> ${Deno.readLinkSync(join(folder, path))}`);
    else all.set(path, Deno.readFileSync(join(folder, path)).join());
  }
  return all;
}

/** A command that must be refused with these words, and leave every file as it is. */
async function refused(folder: string, said: string, ...args: string[]): Promise<void> {
  const before = contents(folder);
  const { code, err } = await qzo(...args);
  assertEquals(code, 1, `${args.join(" ")} was not refused`);
  assertStringIncludes(err, said, args.join(" "));
  assertEquals(contents(folder), before, args.join(" "));
}

async function done(...args: string[]): Promise<string> {
  const { code, out, err } = await qzo(...args);
  assertEquals(code, 0, err);
  return out;
}

Deno.test("an export writes over no part of its base, its data, its ledger or its configuration, by whatever name", async () => {
  await withTemp(async (folder) => {
    const { paths: [first, second] } = await writeSplitBase(folder);
    const text = Array.from({ length: 24 }, (_, i) => `a story of ${i} cats.`).join("\n\n");
    await Deno.writeTextFile(join(folder, "story.txt"), text);
    const config = join(folder, "mine.yaml");
    const run = join(folder, "run");
    await Deno.writeTextFile(
      config,
      `model: ${first}
task: language-modelling
data: {folder: ${folder}, train: story.txt, validation: story.txt}
steps: 2
max_length: 32
batch_size: 4
evaluate_every: 0
output: ${run}
`,
    );
    await done("finetune", config);
    await Deno.symlink(second, join(folder, "link.gguf"));
    await Deno.link(first, join(folder, "hard.gguf"));
    await Deno.symlink(folder, join(folder, "same"));
    const outputs = [
      first,
      second, // case 01
      join(folder, "same", "base-00002-of-00002.gguf"),
      join(folder, "run", "..", "base-00001-of-00002.gguf"),
      join(folder, "link.gguf"),
      join(folder, "hard.gguf"),
    ];
    for (const output of outputs) {
      for (const force of [[], ["--force"]]) {
        await refused(
          folder,
          "it is an input of this command",
          ...["export", run, "--step", "last", "--output", output, ...force],
        );
      }
    }
    // Quantising reads the same parts.
    await refused(
      folder,
      "it is an input of this command",
      ...["quantize", second, "--format", "Q8_0", "--output", first, "--force"],
    );
    // A path of another kind of file, as far as names let it be one.
    const adapter = join(folder, "adapter.safetensors");
    for (const input of [join(run, "run.ledger"), config, join(folder, "story.txt")]) {
      await Deno.remove(adapter).catch(() => {});
      await Deno.symlink(input, adapter);
      await refused(
        folder,
        "it is an input of this command",
        ...["export", config, "--ledger", run, "--step", "last", "--output", adapter, "--force"],
      );
    }
    await done("replay", run);
  });
});

Deno.test("nothing is overwritten without --force: export, quantize, finetune --export alike; nothing is written among foreign files", async () => {
  await withTemp(async (folder) => {
    const { model, config } = await writeTinyTask(folder);
    const run = join(folder, "run");
    await done("finetune", config, "--steps", "2", "--export");
    for (const output of ["a.gguf", "a.safetensors", "a"]) {
      const path = join(folder, output);
      const wanted = ["export", run, "--step", "last", "--output", path];
      if (output !== "a") {
        await done(...wanted);
        await refused(folder, "--force", ...wanted);
        await done(...wanted, "--force");
      }
    }
    await refused(folder, "--force", "export", run, "--step", "last");
    await done("export", run, "--step", "last", "--force");
    await refused(folder, "--force", ...["finetune", run, "--resume", "--steps", "3", "--export"]);
    await done("finetune", run, "--resume", "--steps", "3", "--export", "--force");

    const [file, made] = [join(folder, "q.gguf"), join(folder, "q")];
    await done("quantize", model, "--format", "Q8_0", "--output", file);
    await refused(folder, "--force", "quantize", model, "--format", "Q4_0", "--output", file);
    await done("quantize", model, "--format", "Q4_0", "--output", file, "--force");
    const own = ["quantize", model, "--format", "int4_g32", "--output", made];
    await Deno.mkdir(made); // empty: nothing to lose
    await done(...own);
    await refused(folder, "the folder holds", ...own);
    await done(...own, "--force");
    await Deno.writeTextFile(join(made, "thesis.tex"), "years of work");
    await refused(folder, '"thesis.tex"', ...own, "--force");
    await refused(folder, "the folder holds", ...own);
    // A split name stands for all its files.
    const part = (i: number) => join(folder, `p-0000${i}-of-00002.gguf`);
    await Deno.writeTextFile(part(2), "another's");
    await refused(folder, "p-00002-of-00002", ...["export", run, "--step", "last"], ...[
      "--output",
      part(1),
    ]);
  });
});

Deno.test("a run begins in a folder of its own: nothing of the user's is replaced, and the configuration never", async () => {
  await withTemp(async (folder) => {
    const { config: tiny } = await writeTinyTask(folder);
    const yaml = (await Deno.readTextFile(tiny)).replace(/^output:.*$/m, "");
    const begin = async (name: string, files: Record<string, string>) => {
      const path = join(folder, name);
      await Deno.mkdir(path);
      for (const [file, text] of Object.entries(files)) {
        await Deno.writeTextFile(join(path, file), text);
      }
      return path;
    };
    // Case 03: the configuration that was given lies where the run's would.
    const commented = `# notes of three days of search\n${yaml}`;
    const exp = await begin("exp", {
      "config.yaml": commented,
      "metrics.jsonl": '{"mine": "of another program"}\n',
      "curve.svg": "<svg>mine</svg>",
    });
    const given = join(exp, "config.yaml");
    await refused(folder, given, "finetune", given, "--output", exp);
    await refused(folder, "is one of its inputs", "finetune", given, "--output", exp, "--force");
    await done("finetune", given, "--output", join(exp, "run"), "--steps", "2");
    assertEquals(await Deno.readTextFile(given), commented);

    for (const name of ["config.yaml", "metrics.jsonl", "curve.svg"]) {
      const path = await begin(`with ${name}`, { [name]: "mine" });
      await refused(folder, `"${name}"`, "finetune", tiny, "--output", path);
      await done("finetune", tiny, "--output", path, "--steps", "2", "--force");
    }
    const foreign = await begin("foreign", { "thesis.tex": "years of work" });
    await refused(folder, '"thesis.tex"', "finetune", tiny, "--output", foreign);
    await done("finetune", tiny, "--output", foreign, "--steps", "2", "--force");
    assertEquals(await Deno.readTextFile(join(foreign, "thesis.tex")), "years of work");
    // What tools leave in every folder is nobody's work.
    const hidden = await begin("hidden", { ".DS_Store": "", "a.gguf.0123abcd.part": "half" });
    await done("finetune", tiny, "--output", hidden, "--steps", "2");
  });
});

Deno.test("nothing is written through a link that leaves the run's folder", async () => {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    const outside = join(folder, "outside");
    await Deno.mkdir(outside);
    for (
      const name of [
        "run.ledger",
        "metrics.jsonl",
        "curve.svg",
        "config.yaml",
        "run.lock",
        "tuned.gguf",
      ]
    ) {
      await Deno.writeTextFile(join(outside, name), "mine");
      for (const target of [name, "nothing"]) {
        const path = await Deno.makeTempDir({ dir: folder });
        await Deno.symlink(join(outside, target), join(path, name));
        for (const force of [[], ["--force"]]) {
          const said = name === "run.ledger"
            ? "it already holds one"
            : "link out of the run's folder";
          await refused(folder, said, "finetune", config, "--output", path, ...force);
        }
      }
    }
    const run = join(folder, "run");
    await done("finetune", config, "--steps", "2");
    for (const name of ["run.ledger", "metrics.jsonl", "curve.svg"]) {
      await Deno.rename(join(run, name), join(outside, name));
      await Deno.symlink(join(outside, name), join(run, name));
      await refused(
        folder,
        "link out of the run's folder",
        "finetune",
        run,
        "--resume",
        "--steps",
        "3",
      );
      await Deno.rename(join(outside, name), join(run, name));
    }
    await Deno.symlink(outside, join(run, "tuned"));
    await refused(
      folder,
      "link out of the run's folder",
      "finetune",
      run,
      "--resume",
      "--steps",
      "3",
    );
    await Deno.remove(join(run, "tuned"));
    await Deno.symlink(join(outside, "tuned.gguf"), join(run, "tuned.gguf"));
    const exported = ["export", run, "--step", "last", "--force"];
    await refused(folder, "link out of the run's folder", ...exported);
    // A run's folder may itself be reached by a link.
    await Deno.remove(join(run, "tuned.gguf"));
    await Deno.symlink(run, join(folder, "linked"));
    await done("finetune", join(folder, "linked"), "--resume", "--steps", "3", "--export");
    assert((await Deno.stat(join(run, "tuned.gguf"))).isFile);
  });
});
