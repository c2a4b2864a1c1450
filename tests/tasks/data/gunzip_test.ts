import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { gzipSync } from "node:zlib";
import { readDataFile } from "../../../tasks/files.ts";
import { dataChunks } from "../../../tasks/data/data_file.ts";

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const packed = (text: string | Uint8Array): Uint8Array => new Uint8Array(gzipSync(text));

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

Deno.test("a packed file is its text: one member, several, large, in UTF-16, under any name", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.jsonl.gz");
    const read = async (bytes: Uint8Array): Promise<string> => {
      await Deno.writeFile(path, bytes);
      return await readDataFile(path);
    };
    assertEquals(await read(packed("é one\n")), "é one\n");
    assertEquals(await read(joined(packed("one\n"), packed("two\n"))), "one\ntwo\n");
    assertEquals(await read(packed("")), "");
    assertEquals(await read(new Uint8Array([...packed("x"), 0, 0, 0])), "x");
    const wide = [0xff, 0xfe, ...[..."one"].flatMap((letter) => [letter.charCodeAt(0), 0])];
    assertEquals(await read(packed(new Uint8Array(wide))), "one");
    const large = Array.from({ length: 200_000 }, (_, i) => `${(i * 7919) % 100_003}\n`).join("");
    assertEquals(await read(packed(large)), large);
    // Unpacked on its way here: what is in it counts, not its name.
    assertEquals(await read(bytesOf("one\n")), "one\n");
  });
});

Deno.test("what is cut, damaged, another thing within, or grows beyond measure is refused by name", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.jsonl.gz");
    const refused = async (
      bytes: Uint8Array,
      kind: typeof RangeError | typeof SyntaxError,
      words: string,
    ) => {
      await Deno.writeFile(path, bytes);
      const error = await assertRejects(() => readDataFile(path), kind, words);
      assert(error.message.includes("a.jsonl.gz"), error.message);
    };
    const whole = packed("one two three\n".repeat(100));
    const damaged = whole.slice();
    damaged[damaged.length - 6] ^= 1;
    for (const bytes of [whole.slice(0, -5), whole.slice(0, 14), damaged]) {
      await refused(bytes, RangeError, "damaged or truncated");
    }
    await refused(joined(whole, bytesOf("more")), RangeError, "damaged or truncated");
    await refused(packed(packed("one")), RangeError, "compressed with gzip");
    await refused(packed("PAR1 and so on"), RangeError, "a Parquet table");
    await refused(packed(new Uint8Array([0x61, 0xe9, 0x61, 0x0a])), SyntaxError, "offset 1");
    const lines = bytesOf("ab\n".repeat(2 ** 20));
    const grown = new Uint8Array(32 * lines.length);
    for (let i = 0; i < 32; i++) grown.set(lines, i * lines.length);
    await refused(packed(grown), RangeError, "more than 200 times its size");
  });
});

Deno.test("a packed file is unpacked as it is read, stops when told, and may be left early", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "a.txt.gz");
    const text = Array.from({ length: 300_000 }, (_, i) => `${(i * 7919) % 100_003}\n`).join("");
    await Deno.writeFile(path, packed(text));
    const shares: number[] = [];
    const onProgress = (done: number, total: number) => shares.push(done / total);
    for await (const piece of dataChunks(path, { onProgress })) assert(piece.length <= 2 ** 18);
    assertEquals(shares.at(-1), 1);
    for await (const _ of dataChunks(path)) break;
    const stop = new AbortController();
    await assertRejects(
      async () => {
        for await (const _ of dataChunks(path, { signal: stop.signal })) {
          stop.abort(new Error("enough"));
          await new Promise((resolve) => setTimeout(resolve, 60));
        }
      },
      Error,
      "enough",
    );
  });
});
