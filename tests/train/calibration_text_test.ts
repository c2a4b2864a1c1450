import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { gzipSync } from "node:zlib";
import { tokenizerFromJson } from "../../models/mod.ts";
import { calibrationText } from "../../train/mod.ts";

const vocab = Object.fromEntries([..."abcdefgh"].map((letter, i) => [letter, i]));
const tokenizer = tokenizerFromJson({ model: { type: "BPE", vocab, merges: [] } });

async function withFile(
  name: string,
  text: string | Uint8Array,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, name);
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    await Deno.writeFile(path, bytes);
    await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Windows as letters, in the order of the text. */
function letters(
  windows: readonly { readonly candidates: readonly (readonly number[])[] }[],
): string[] {
  return windows.map(({ candidates: [ids] }) => ids.map((id) => "abcdefgh"[id]).join("")).sort();
}

Deno.test("a fifth of the text is held out, at its end, and the rest is sampled", async () => {
  await withFile("text.txt", "aaabbbcccdddeeefffggghhhaabbccdd", async (path) => {
    const all = await calibrationText(path, tokenizer, { length: 3 });
    assertEquals(letters(all.heldOut), ["bcc", "dd"].toSorted());
    assertEquals(letters(all.calibration).length, 9);
    const some = await calibrationText(path, tokenizer, { length: 3, windows: 4, heldOut: 1 });
    assertEquals([some.calibration.length, letters(some.heldOut)], [4, ["dd"]]);
    assertEquals(
      some,
      await calibrationText(path, tokenizer, { length: 3, windows: 4, heldOut: 1 }),
    );
    await withFile("other.jsonl", '{"text":"hhhh"}\n{"text":"ee"}\n', async (evaluate) => {
      const both = await calibrationText(path, tokenizer, { length: 3, evaluate });
      assertEquals(letters(both.heldOut), ["hee", "hhh"].toSorted());
      assertEquals(both.calibration.length, 11);
    });
  });
});

Deno.test("packed text and tables by other separators are the same text", async () => {
  const text = "aaabbbcccdddeeefffggghhhaabbccdd";
  await withFile("text.txt", text, async (plain) => {
    const wanted = await calibrationText(plain, tokenizer, { length: 3 });
    await withFile("text.txt.gz", new Uint8Array(gzipSync(text)), async (path) => {
      assertEquals(await calibrationText(path, tokenizer, { length: 3 }), wanted);
    });
    await withFile("text.CSV", `id;text\n1;${text}\n`, async (path) => {
      assertEquals(await calibrationText(path, tokenizer, { length: 3 }), wanted);
    });
  });
});

Deno.test("text that is too short, of no known form or without text is refused", async () => {
  await withFile("text.txt", "aaabbbcccddd", async (path) => {
    await assertRejects(
      () => calibrationText(path, tokenizer, { length: 3 }),
      RangeError,
      "4 windows of 3 tokens, expected 5",
    );
    await assertRejects(
      () => calibrationText(path, tokenizer, { length: 3, windows: 0 }),
      RangeError,
      "windows is 0",
    );
  });
  await withFile("text.bin", "abc", async (path) => {
    await assertRejects(
      () => calibrationText(path, tokenizer, { length: 3 }),
      RangeError,
      ".jsonl",
    );
  });
  await withFile("rows.jsonl", '{"label":1}', async (path) => {
    await assertRejects(
      () => calibrationText(path, tokenizer, { length: 3 }),
      TypeError,
      'needs a field "text"',
    );
  });
});
