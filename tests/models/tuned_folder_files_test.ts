/** What a tuned folder gets of its base's, and what it does not. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openModelSource, writeModel } from "../../models/mod.ts";
import { randomLlama } from "../support/random_llama.ts";
import { withTemp } from "./quantised_folder.ts";
import { smallShape, withFolder } from "./small_model.ts";

const weights = randomLlama({ ...smallShape, layers: 1 });
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

Deno.test("links out of the folder are followed where a model needs them, left out and noted elsewhere", async () => {
  await withFolder(shape, weights, async (folder) => {
    await withTemp(async (outside) => {
      const secret = join(outside, "private.txt");
      await Deno.writeTextFile(secret, "private: not part of the model");
      const template = join(outside, "template");
      await Deno.writeTextFile(template, "{{ messages }}");
      // Case 05, and its neighbours: names that would be copied were they files.
      for (const name of ["notes.txt", "README.md", "LICENSE"]) {
        await Deno.symlink(secret, join(folder, name));
      }
      await Deno.symlink(outside, join(folder, "extra"));
      await Deno.symlink(join(outside, "nothing"), join(folder, "NOTICE"));
      await Deno.symlink(template, join(folder, "chat_template.jinja"));
      await Deno.symlink("config.json", join(folder, "generation_config.json"));
      const { files, notes, path } = await copied(folder);
      assertEquals(files, [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
      ]);
      for (const name of ["notes.txt", "README.md", "LICENSE", "NOTICE", "extra"]) {
        assertStringIncludes(notes, `"${name}" (a link out of the folder)`);
      }
      for (const { name, isSymlink } of Deno.readDirSync(path)) assert(!isSymlink, name);
      await Deno.remove(path, { recursive: true });
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
      assertStringIncludes(notes, '"LICENSE" (a link out of the folder)');
      assertEquals(
        await Deno.readFile(join(path, "model.safetensors")),
        await Deno.readFile(join(folder, "model.safetensors")),
      );
      await Deno.remove(path, { recursive: true });
    });
  });
});
