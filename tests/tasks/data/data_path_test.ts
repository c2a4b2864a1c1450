import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import { dataPath, loadTask, type Task } from "../../../tasks/mod.ts";
import { readDataFile } from "../../../tasks/files.ts";

Deno.test("absolute paths and file URLs are used as they are, relative ones lie in the folder", () => {
  assertEquals(dataPath("a.txt"), "a.txt");
  assertEquals(dataPath("b/../a.txt", "/data"), "/data/a.txt");
  assertEquals(dataPath("/x/a.txt", "/data"), "/x/a.txt");
  assertEquals(dataPath("a b.txt", "file:///x%20y"), "/x y/a b.txt");
  assertEquals(dataPath("file:///x/%C3%A9.txt", "/data"), "/x/é.txt");
  // A drive where the system has none is a name like any other.
  assertEquals(dataPath("C:\\data.txt", "/data"), "/data/C:\\data.txt");
  assertEquals(dataPath("~/a.txt", "."), "~/a.txt");
});

Deno.test("what is no file of this machine is refused", () => {
  assertThrows(() => dataPath(""), RangeError, "empty");
  assertThrows(() => dataPath("https://x.org/a.jsonl"), RangeError, "download");
  assertThrows(() => dataPath("a.jsonl", "hf://datasets/x"), RangeError, "download");
  assertThrows(() => dataPath("file://[/a.txt"), RangeError, "not a file URL");
});

Deno.test("a task's files are found by absolute path whatever the folder", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "rows.tsv");
    await Deno.writeTextFile(path, "text\tlabel\nfine\t1\n");
    const template = { name: "t", prompt: "{text}", labels: { "0": " bad", "1": " good" } };
    const task = (train: string): Task => ({
      name: "t",
      files: { train },
      format: "tsv",
      template,
    });
    const wanted = [{ prompt: "fine", candidates: [" bad", " good"], label: 1 }];
    assertEquals(await loadTask(task(path), "train", "no/such/folder"), wanted);
    assertEquals(await loadTask(task("rows.tsv"), "train", folder), wanted);
    assertEquals(await loadTask(task(toFileUrl(path).href), "train", "elsewhere"), wanted);
    await assertRejects(
      () => readDataFile("~/none.txt"),
      Deno.errors.NotFound,
      '"~" is for the shell to replace',
    );
    await assertRejects(() => readDataFile(folder), TypeError, "a folder");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
