import { assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { RunLock } from "../../../train/runs/run_lock.ts";
import { withTemp } from "../../models/quantised_folder.ts";

const child = fromFileUrl(new URL("./run_lock_child.ts", import.meta.url));

Deno.test("a folder is locked once, free again after its holder, and nothing of it is left", async () => {
  await withTemp(async (folder) => {
    {
      using _lock = await RunLock.take(folder);
      const id = `this process (id ${Deno.pid})`;
      await assertRejects(() => RunLock.take(folder), Deno.errors.Busy, id);
      await assertRejects(() => RunLock.take(folder), Deno.errors.Busy, folder);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
    using _again = await RunLock.take(folder);
  });
});

Deno.test("of many that lock at the same moment, as one lets go, one holds it", async () => {
  await withTemp(async (folder) => {
    for (let round = 0; round < 20; round++) {
      const before = await RunLock.take(folder);
      const tries = Array.from({ length: 6 }, async (_, i) => {
        if (i === 3) before[Symbol.dispose]();
        return await RunLock.take(folder);
      });
      const held = (await Promise.allSettled(tries)).flatMap((it) =>
        it.status === "fulfilled" ? [it.value] : []
      );
      assertEquals(held.length <= 1, true, `${held.length} hold it`);
      held[0]?.[Symbol.dispose]();
    }
  });
});

Deno.test("a lock is another process's while that lives, and dies with it, however it ends", async () => {
  await withTemp(async (folder) => {
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", child, folder],
      stdout: "piped",
    }).spawn();
    const reader = process.stdout.getReader();
    await reader.read();
    const id = `another process (id ${process.pid})`;
    await assertRejects(() => RunLock.take(folder), Deno.errors.Busy, id);
    process.kill("SIGKILL");
    await process.status;
    await reader.cancel();
    // Its file is left, its lock is not.
    assertEquals(Deno.readTextFileSync(join(folder, "run.lock")), `${process.pid}\n`);
    using _lock = await RunLock.take(folder);
  });
});
