/**
 * Damaged texts and files of every reader that users' files go through: an answer, or an error of a type that says what of which file,
 * within a second, without large buffers or much memory, and nothing written. QZO_FUZZ says how many (20,000 by default), QZO_FUZZ_SEED
 * which; both are printed when something fails.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import process from "node:process";
import { watchAllocations } from "../support/allocations.ts";
import { allCases, sampledNumbers } from "../support/sampled.ts";
import { countsOf, inputSeed, readersIn } from "./fuzz_readers.ts";

const INPUTS = Number(Deno.env.get("QZO_FUZZ") ?? 20_000);
/** Of which so many are tried, others each day. */
const SHARE = allCases || Deno.env.has("QZO_FUZZ") ? 1 : 0.25;
const SEED = Number(Deno.env.get("QZO_FUZZ_SEED") ?? 1);
const LARGEST_BUFFER = 256 * 2 ** 20;
const MOST_MIB = 256;
/** Of those, how many are read where the process's memory is watched. */
const WATCHED = Math.max(2000, INPUTS / 20);
const MOST_CPU = 1e6;

/** Names of what lies in a folder, folders within it too. */
async function listing(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    names.push(name);
    if (isDirectory) {
      names.push(...(await listing(join(folder, name))).map((it) => `${name}/${it}`));
    }
  }
  return names.sort();
}

Deno.test(`${INPUTS * SHARE} damaged inputs over all readers give an answer or a typed error, at once (seed ${SEED})`, async (t) => {
  const root = await Deno.makeTempDir();
  using watch = watchAllocations();
  try {
    const readers = await readersIn(root);
    const counts = countsOf(readers, INPUTS);
    let tried = 0;
    for (const [place, { name, read, tolerant }] of readers.entries()) {
      const inputs = sampledNumbers(name, counts[place], SHARE);
      tried += inputs.length;
      await t.step(`${name}: ${inputs.length}`, async () => {
        let good = 0;
        let refused = 0;
        for (const i of inputs) {
          const seed = inputSeed(SEED, place, i);
          const about = `${name}, input ${i} (QZO_FUZZ_SEED=${SEED})`;
          watch.reset();
          const begun = process.cpuUsage();
          try {
            await read(seed);
            good++;
          } catch (error) {
            refused++;
            const typed = error instanceof SyntaxError || error instanceof RangeError ||
              error instanceof TypeError || error instanceof Deno.errors.NotFound;
            const says = error instanceof Error &&
              /^(Cannot|Unknown key|Missing key) /.test(error.message);
            assert(typed && says, `${about}: ${error instanceof Error ? error.stack : error}`);
          }
          const { user, system } = process.cpuUsage(begun);
          assert(user + system < MOST_CPU, `${about}: ${(user + system) / 1e6} s of CPU`);
          assert(watch.largest < LARGEST_BUFFER, `${about}: a buffer of ${watch.largest} bytes`);
        }
        assert(good > 0 && (tolerant || refused > 0), `${name}: ${good} read, ${refused} refused`);
      });
    }
    assert(tried >= INPUTS * SHARE);
    const left = await listing(root);
    const strange = left.filter((name) =>
      !/^(dense|shards|tokens|weights)(\/[\w.-]+\.(json|safetensors))?$|^(rows|metrics)\.\w+$/.test(
        name,
      )
    );
    assertEquals(strange, [], "files that no one asked for");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test(`reading damaged inputs takes less than ${MOST_MIB} MiB more than the idle process (seed ${SEED})`, async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--v8-flags=--expose-gc"],
      fromFileUrl(import.meta.resolve("./fuzz_memory_child.ts")),
      ...[String(WATCHED), String(SEED)],
    ],
  }).output();
  const text = new TextDecoder();
  assert(success, text.decode(stderr));
  const found = JSON.parse(text.decode(stdout)) as Record<string, { mib: number; from: number }>;
  assertEquals(Object.keys(found).length, 14);
  for (const [name, { mib, from }] of Object.entries(found)) {
    assertLess(mib, MOST_MIB, `${name}, inputs ${from} and on (QZO_FUZZ_SEED=${SEED})`);
  }
});
