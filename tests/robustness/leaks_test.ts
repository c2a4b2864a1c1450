import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

/** Loads of a 1.5 MB model: 200 would grow by 300 MB if each were kept. */
const TIMES = 200;
const MOST_GROWTH_MIB = 40;

Deno.test(`loading, using and disposing of a model ${TIMES} times leaves memory flat`, async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--v8-flags=--expose-gc"],
      ...[fromFileUrl(import.meta.resolve("./leaks_child.ts")), String(TIMES)],
    ],
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  const lines = decoder.decode(stdout).trim().split("\n");
  const account = JSON.parse(lines.pop()!);
  // The first loads compile and fill caches.
  const [, , start, ...rest] = lines.map(Number);
  const growth = Math.max(...rest) - start;
  assert(growth < MOST_GROWTH_MIB, `from ${start} MiB by ${growth} MiB: ${lines.join(", ")}`);
  assertEquals(Object.values(account), [0, 0, 0, 0, 0], "what the device's account still holds");
});
