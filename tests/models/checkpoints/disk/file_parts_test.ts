import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { openPart } from "../../../../models/checkpoints/disk/file_parts.ts";
import { writeFileWhole } from "../../../../models/checkpoints/disk/files.ts";
import {
  writeFilesTogether,
  writeFolderWhole,
} from "../../../../models/checkpoints/disk/write_together.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

const text = (words: string) => new TextEncoder().encode(words);

async function* chunks(words: string, fail = false): AsyncGenerator<Uint8Array> {
  yield text(words);
  if (fail) throw new Error("no more");
}

Deno.test("what a killed process left of a file or folder goes with the next try, what another one is at stays", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.gguf");
    Deno.writeTextFileSync(`${path}.0123abcd.part`, "half");
    Deno.mkdirSync(`${path}.0123abce.part`);
    Deno.writeTextFileSync(join(`${path}.0123abce.part`, ".writing"), "");
    Deno.writeTextFileSync(join(folder, "b.gguf.0123abcd.part"), "half of another");
    Deno.writeTextFileSync(`${path}.note.part`, "the user's");
    const other = await openPart(path);
    await writeFileWhole(path, [text("whole")]);
    assertEquals(
      names(folder),
      [
        "a.gguf",
        other.part.slice(folder.length + 1),
        "a.gguf.note.part",
        "b.gguf.0123abcd.part",
      ].sort(),
    );
    other.file.close();
    await writeFileWhole(path, [text("whole")]);
    assertEquals(names(folder), ["a.gguf", "a.gguf.note.part", "b.gguf.0123abcd.part"]);
  });
});

Deno.test("files of one model change together or not at all", async () => {
  await inFolder(async (folder) => {
    const [one, two] = ["1", "2"].map((name) => join(folder, name));
    const write = (words: string, fail = false) =>
      writeFilesTogether([
        { path: one, chunks: chunks(`${words} 1`) },
        { path: two, chunks: chunks(`${words} 2`, fail) },
      ]);
    await write("old");
    await assertRejects(() => write("new", true), Error, "no more");
    const read = () => [one, two].map((path) => Deno.readTextFileSync(path));
    assertEquals([read(), names(folder)], [["old 1", "old 2"], ["1", "2"]]);
    await write("new");
    assertEquals([read(), names(folder)], [["new 1", "new 2"], ["1", "2"]]);
  });
});

Deno.test("a folder appears whole, or what was there stays as it was", async () => {
  await inFolder(async (folder) => {
    const write = (path: string, words: string, fail = false) =>
      writeFolderWhole(path, "config.json", async (part) => {
        for (const name of ["config.json", "model.safetensors"]) {
          await writeFileWhole(join(part, name), [text(`${words} ${name}`)]);
        }
        if (fail) throw new Error("no more");
      });
    const read = (path: string) =>
      names(path).map((name) => Deno.readTextFileSync(join(path, name)));
    const old = ["old config.json", "old model.safetensors"];
    const path = join(folder, "deep", "tuned");
    await assertRejects(() => write(path, "old", true), Error, "no more");
    assertEquals(names(join(folder, "deep")), []);
    await write(`${path}/`, "old");
    assertEquals([read(path), names(join(folder, "deep"))], [old, ["tuned"]]);
    await assertRejects(() => write(path, "new", true), Error, "no more");
    assertEquals(read(path), old);
    await write(path, "new");
    assertEquals(read(path), ["new config.json", "new model.safetensors"]);
    // An empty one is filled: it may be another disk's.
    Deno.mkdirSync(join(folder, "empty"));
    await write(join(folder, "empty"), "old");
    assertEquals(read(join(folder, "empty")), old);
  });
});
