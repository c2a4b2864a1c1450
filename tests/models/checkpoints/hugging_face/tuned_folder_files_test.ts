/** What a tuned folder gets of its base's, and what it does not. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openModelSource, writeModel } from "../../../../models/mod.ts";
import { randomLlama } from "../../../support/random_llama.ts";
import { withTemp } from "../../quantised_folder.ts";
import { smallShape, withFolder } from "../../small_model.ts";

const weights = randomLlama({ ...smallShape, layers: 1 });
/** As small as one may be. */
const tokenizer = { model: { type: "BPE", vocab: { a: 0 }, merges: [] } };
const shape = { ...smallShape, layers: 1 };
const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

async function copied(folder: string): Promise<{ files: string[]; notes: string; path: string }> {
  const path = await Deno.makeTempDir();
  using source = await openModelSource(folder);
  const { notes = [] } = await writeModel(source, path);
  return { files: names(path), notes: notes.join("\n"), path };
}

Deno.test("a tuned folder gets what a model needs and what tells about it, and nothing else", async () => {
  await withFolder(shape, weights, async (folder) => {
    const wanted = [
      ...["generation_config.json", "tokenizer_config.json", "special_tokens_map.json"],
      ...["added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model"],
      ...["chat_template.jinja", "README.md", "LICENSE", "LICENSE.txt", "NOTICE", "USE_POLICY.md"],
    ];
    const other = [
      ...["notes.txt", "id_rsa", "credentials.json", "training_args.bin", "optimizer.pt", "a.gguf"],
      ...["pytorch_model.bin", "consolidated.safetensors", "events.out.tfevents.1", "wandb.yaml"],
      ...["model.safetensors.index.json", "trainer_state.json", ".env", ".netrc"],
    ];
    for (const name of [...wanted, ...other]) await Deno.writeTextFile(join(folder, name), "{}");
    // Left over from before the model was one file.
    const weight_map = { "model.norm.weight": "model-00001-of-00002.safetensors" };
    await Deno.writeTextFile(
      join(folder, "model.safetensors.index.json"),
      JSON.stringify({ weight_map }),
    );
    await Deno.mkdir(join(folder, "original"));
    const { files, notes, path } = await copied(folder);
    assertEquals(files, ["config.json", "model.safetensors", ...wanted].sort());
    assertStringIncludes(notes, '"a.gguf"');
    assertStringIncludes(notes, "more");
    await Deno.remove(path, { recursive: true });
  });
});

Deno.test("links out of the folder are left out and noted, but in a folder of links", async () => {
  await withFolder(shape, weights, async (folder) => {
    await withTemp(async (outside) => {
      const secret = join(outside, "private.txt");
      await Deno.writeTextFile(secret, "private: not part of the model");
      // Case 05, and its neighbours: names that would be copied were they files.
      const about = ["notes.txt", "README.md", "LICENSE"];
      const needed = ["tokenizer.model", "vocab.txt", "merges.txt", "chat_template.jinja"];
      for (const name of [...about, ...needed]) await Deno.symlink(secret, join(folder, name));
      await Deno.symlink(outside, join(folder, "extra"));
      await Deno.symlink(join(outside, "nothing"), join(folder, "NOTICE"));
      await Deno.symlink("config.json", join(folder, "generation_config.json"));
      const own = ["config.json", "generation_config.json", "model.safetensors"];
      const first = await copied(folder);
      assertEquals(first.files, own);
      for (const name of ["LICENSE", "NOTICE", "README.md", "chat_template.jinja", "extra"]) {
        assertStringIncludes(first.notes, `"${name}" (a link that points outside the folder)`);
      }
      for (const { name, isSymlink } of Deno.readDirSync(first.path)) assert(!isSymlink, name);
      // As a data store has it: config.json and the rest are links into it.
      await Deno.rename(join(folder, "config.json"), join(outside, "config"));
      await Deno.symlink(join(outside, "config"), join(folder, "config.json"));
      const second = await copied(folder);
      assertEquals(second.files, [...own, ...needed].sort());
      for (const { path } of [first, second]) await Deno.remove(path, { recursive: true });
    });
  });
});

Deno.test("a tokenizer's file or a template that is a link out of the folder is refused by name", async () => {
  await withFolder(shape, weights, async (folder) => {
    await withTemp(async (outside) => {
      await Deno.writeTextFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizer));
      await Deno.writeTextFile(join(outside, "secret"), "{}");
      await Deno.writeTextFile(join(outside, "a.jinja"), "secret");
      const links: [string, string][] = [
        ["chat_template.jinja", "secret"],
        ["tokenizer_config.json", "secret"],
        ["special_tokens_map.json", "secret"],
        ["additional_chat_templates", "."],
        ["generation_config.json", "nothing"],
      ];
      for (const [name, target] of links) {
        await Deno.symlink(join(outside, target), join(folder, name));
        const error = `${name}": it is a link that points outside the model's folder`;
        await assertRejects(() => openModelSource(folder), RangeError, error);
        await Deno.remove(join(folder, name));
      }
      (await openModelSource(folder))[Symbol.dispose]?.();
    });
  });
});

Deno.test("a snapshot of a hub's cache is copied whole: its files are links to blobs beside it", async () => {
  await withFolder(shape, weights, async (folder) => {
    await withTemp(async (cache) => {
      const snapshot = join(cache, "models--a--b", "snapshots", "0123");
      const blobs = join(cache, "models--a--b", "blobs");
      await Deno.mkdir(snapshot, { recursive: true });
      await Deno.mkdir(blobs);
      await Deno.writeTextFile(join(folder, "README.md"), "# A model");
      await Deno.writeTextFile(join(cache, "models--a--b", "token"), "secret");
      for (const name of names(folder)) {
        await Deno.copyFile(join(folder, name), join(blobs, `blob-of-${name}`));
        await Deno.symlink(join("..", "..", "blobs", `blob-of-${name}`), join(snapshot, name));
      }
      await Deno.symlink(join("..", "..", "token"), join(snapshot, "LICENSE"));
      const { files, notes, path } = await copied(snapshot);
      assertEquals(files, ["README.md", "config.json", "model.safetensors"]);
      assertStringIncludes(notes, '"LICENSE" (a link that points outside the folder)');
      assertEquals(
        await Deno.readFile(join(path, "model.safetensors")),
        await Deno.readFile(join(folder, "model.safetensors")),
      );
      await Deno.remove(path, { recursive: true });
    });
  });
});
