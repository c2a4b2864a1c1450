/**
 * A run of much data keeps its examples in tokens: who goes on with it does not tokenise them again, and never trains on others.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { createHash } from "node:crypto";
import { withTemp } from "../../models/quantised_folder.ts";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";
import { writeTinyTask } from "../tiny_model.ts";

const KEPT = "in tokens from the session before";
/** Of the file, before its examples: its name, the hash of what they are made of, and their own. */
const [NAMED, KEYED, HASHED] = [16, 48, 80];

async function qzo(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = capture();
  const code = await runCli(args, { terminal });
  return { code, out: terminal.printed, err: terminal.noted };
}

async function done(...args: string[]): Promise<{ out: string; err: string }> {
  const { code, out, err } = await qzo(...args);
  assertEquals(code, 0, err);
  return { out, err };
}

/** {@linkcode writeTinyTask} with some 300 KB to train on, of which most is no part of a prompt. */
async function writeLargeTask(folder: string): Promise<{ config: string; train: string }> {
  const { config } = await writeTinyTask(folder);
  const train = join(folder, "train.jsonl");
  const beside = ".".repeat(250);
  const rows = Array.from(
    { length: 1000 },
    (_, i) =>
      JSON.stringify({ text: `${i % 2 ? "ab" : "cd"} row ${i} of many`, label: i % 2, beside }),
  );
  await Deno.writeTextFile(train, `${rows.join("\n")}\n`);
  return { config, train };
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    await Deno.copyFile(join(from, name), join(to, name));
  }
}

Deno.test("a resumed run takes its examples from where it kept them, and ends with the ledger of one that reads them anew", async () => {
  await withTemp(async (folder) => {
    const { config, train } = await writeLargeTask(folder);
    const [run, whole] = [join(folder, "run"), join(folder, "whole")];
    const cache = join(run, "examples.cache");
    const begun = await done("finetune", config, "--steps", "2");
    assert(!begun.out.includes(KEPT));
    const bytes = await Deno.readFile(cache);
    await copy(run, whole);
    await Deno.remove(join(whole, "examples.cache"));
    await done("finetune", whole, "--resume", "--steps", "4");
    const resumed = await done("finetune", run, "--resume", "--steps", "4");
    assertStringIncludes(resumed.out, KEPT);
    assertEquals(resumed.err.includes("note:"), false, resumed.err);
    assertEquals(
      await Deno.readFile(join(run, "run.ledger")),
      await Deno.readFile(join(whole, "run.ledger")),
    );
    // It is kept again.
    assertEquals(await Deno.readFile(join(whole, "examples.cache")), bytes);

    // Other data are other data, whatever is kept.
    const rows = await Deno.readTextFile(train);
    await Deno.writeTextFile(train, rows.replace("row 17 of", "row 71 of"));
    const refused = await qzo("finetune", run, "--resume", "--steps", "6");
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.err, "training examples were others");
    await Deno.writeTextFile(train, rows);

    // So is another tokenizer: nothing kept is used.
    const length = await qzo("finetune", run, "--resume", "--steps", "6", "--max-length", "12");
    assertEquals(length.code, 1);
    assertStringIncludes(length.err, "examples were others");
    assertEquals(await Deno.readFile(cache), bytes);
  });
});

Deno.test("what is kept and damaged, forged, a folder or a link is left aside with a note, and the run goes on", async () => {
  await withTemp(async (folder) => {
    const { config } = await writeLargeTask(folder);
    const run = join(folder, "run");
    const cache = join(run, "examples.cache");
    await done("finetune", config, "--steps", "1");
    const bytes = await Deno.readFile(cache);
    const goOn = async (steps: number, said: string) => {
      const { out, err } = await done("finetune", run, "--resume", "--steps", String(steps));
      assertStringIncludes(err, said);
      assertEquals(out.includes(KEPT), false);
    };

    const damaged = bytes.slice();
    damaged[damaged.length - 7] ^= 4;
    await Deno.writeFile(cache, damaged);
    await goOn(2, "is left aside and the data files are read anew: it is damaged");
    assertEquals(await Deno.readFile(cache), bytes);

    // With another label, and a hash that is right: the ledger says what was trained on.
    const forged = bytes.slice();
    const packed = forged.subarray(HASHED);
    const facts = new DataView(packed.buffer, packed.byteOffset).getUint32(0, true);
    const label = Math.ceil((4 + facts) / 4) * 4 + 2 * 2;
    packed[label] ^= 1;
    forged.set(createHash("sha256").update(packed).digest(), KEYED);
    await Deno.writeFile(cache, forged);
    await goOn(3, "it is not what the run was started with");
    assertEquals(await Deno.readFile(cache), bytes);

    // Of another version, or made of something else: it is made anew without a word.
    for (const at of [NAMED - 3, NAMED]) {
      const other = bytes.slice();
      other[at] ^= 1;
      await Deno.writeFile(cache, other);
      await goOn(3, "");
      assertEquals(await Deno.readFile(cache), bytes);
    }

    await Deno.remove(cache);
    await Deno.mkdir(cache);
    await goOn(4, "it is not a file but a folder");
    await Deno.remove(cache);

    const elsewhere = join(folder, "elsewhere");
    await Deno.writeTextFile(elsewhere, "mine");
    await Deno.symlink(elsewhere, cache);
    const linked = await qzo("finetune", run, "--resume", "--steps", "5");
    assertEquals(linked.code, 1);
    assertStringIncludes(linked.err, "it is a link out of the run's folder");
    assertEquals(await Deno.readTextFile(elsewhere), "mine");
  });
});

Deno.test("little data is not kept", async () => {
  await withTemp(async (folder) => {
    const { config } = await writeTinyTask(folder);
    await done("finetune", config, "--steps", "1");
    const names = Array.from(Deno.readDirSync(join(folder, "run")), ({ name }) => name);
    assertEquals(names.includes("examples.cache"), false);
  });
});
