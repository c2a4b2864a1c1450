import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { writeFileWhole } from "../../../../models/checkpoints/disk/files.ts";
import { withTemp } from "../../quantised_folder.ts";

type Call = [what: string, path: string];

/** What is asked of the file system while `body` runs, in order: files that are synced by their paths, names that are given. */
async function watched(body: () => Promise<void>): Promise<Call[]> {
  const calls: Call[] = [];
  const { open, rename, link } = Deno;
  const watch = {
    async open(path: string, options?: Deno.OpenOptions) {
      const file = await open(path, options);
      const { sync } = Deno.FsFile.prototype;
      return Object.assign(file, {
        sync: () => {
          calls.push(["sync", path.replace(/\.[0-9a-f]{8}\.part$/, ".part")]);
          return sync.call(file);
        },
      });
    },
    async rename(from: string, to: string) {
      calls.push(["name", to]);
      await rename(from, to);
    },
    async link(from: string, to: string) {
      calls.push(["name", to]);
      await link(from, to);
    },
  };
  Object.assign(Deno, watch);
  try {
    await body();
  } finally {
    Object.assign(Deno, { open, rename, link });
  }
  return calls;
}

Deno.test("a file that is written whole is synced before it has its name, and its folder after", async () => {
  await withTemp(async (folder) => {
    for (const [name, exclusive] of [["replaced", false], ["new", true]] as const) {
      const path = join(folder, name);
      const calls = await watched(() => writeFileWhole(path, [new Uint8Array(9)], { exclusive }));
      assertEquals(calls, [["sync", `${path}.part`], ["name", path], ["sync", folder]]);
      assertEquals((await Deno.stat(path)).size, 9);
    }
  });
});
