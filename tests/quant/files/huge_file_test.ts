import { assert, assertRejects } from "@std/assert";
import { type ByteSource, readGguf, readSafetensors } from "../../../quant/mod.ts";
import { processorTime } from "../../support/processor_time.ts";

Deno.test("a huge file that lies is not believed for more than a header may take", async () => {
  // 1 TB that consists of the same 64 bytes: whatever is asked for beyond the limits would be allocated.
  for (let at = 8; at < 48; at++) {
    for (const lie of [0x7f, 0xff]) {
      const start = new Uint8Array(64);
      start.set([0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0]);
      start[8] = 1;
      start[16] = 1;
      start[at] = lie;
      let asked = 0;
      const source: ByteSource = {
        name: "huge",
        size: 2 ** 40,
        read(offset, length) {
          asked += length;
          assert(length <= 2 ** 28, `asked for ${length} bytes`);
          // Enough has been shown; a real file would end in an error or be a real header.
          if (asked > 2 ** 26) throw new SyntaxError("huge: enough");
          const bytes = new Uint8Array(length);
          if (offset === 0) bytes.set(start.subarray(0, Math.min(64, length)));
          return Promise.resolve(bytes);
        },
      };
      for (const read of [readGguf, readSafetensors]) {
        try {
          await read(source);
        } catch (error) {
          assert(error instanceof SyntaxError || error instanceof RangeError, `${error}`);
        }
      }
    }
  }
});

/** A GGUF header of that many keys, whose first is a list of `count` entries of `type`; what follows is zeros without end. */
function longList(type: number, count: number, keys = 1): ByteSource {
  const start = new Uint8Array(64);
  const view = new DataView(start.buffer);
  start.set([0x47, 0x47, 0x55, 0x46, 3]);
  view.setBigUint64(16, BigInt(keys), true);
  view.setBigUint64(24, 1n, true);
  start[32] = 0x6b;
  view.setUint32(33, type < 0 ? 8 : 9, true);
  if (type < 0) view.setBigUint64(37, BigInt(count), true);
  else {
    view.setUint32(37, type, true);
    view.setBigUint64(41, BigInt(count), true);
  }
  return {
    name: "long.gguf",
    size: 2 ** 40,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      if (offset === 0) bytes.set(start.subarray(0, Math.min(64, length)));
      return Promise.resolve(bytes);
    },
  };
}

Deno.test("texts are counted together: what a header holds is bounded, whatever it calls it", async () => {
  // Texts of 16 MiB, each allowed, as many as one likes.
  const piece = 16 * 2 ** 20;
  const pairs = 20;
  let asked = 0;
  const source: ByteSource = {
    name: "many.gguf",
    size: 24 + pairs * (8 + 8 + 4 + 8 + piece),
    read(offset, length) {
      asked = Math.max(asked, offset + length);
      const bytes = new Uint8Array(length);
      const view = new DataView(bytes.buffer);
      const put = (at: number, value: readonly number[]) =>
        value.forEach((byte, i) => {
          if (at + i >= offset && at + i < offset + length) view.setUint8(at + i - offset, byte);
        });
      const number = (value: number, size: number) =>
        Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** i) & 255);
      put(0, [0x47, 0x47, 0x55, 0x46, 3, 0, 0, 0, ...number(0, 8), ...number(pairs, 8)]);
      for (let i = 0, at = 24; i < pairs; i++, at += 28 + piece) {
        const name = [..."note"].map((it) => it.charCodeAt(0));
        put(at, [...number(8, 8), ...name, ...number(i + 0x61616161, 4), ...number(8, 4)]);
        put(at + 20, number(piece, 8));
      }
      return Promise.resolve(bytes);
    },
  };
  const error = await assertRejects(() => readGguf(source), RangeError, "allowed for a header");
  assert(error.message.includes("many.gguf"));
  assert(asked < 72 * 2 ** 20, `${asked} bytes read`);
});

Deno.test("lists, texts and counts beyond any known header are refused before they are built", async () => {
  const cases: [ByteSource, string][] = [
    [longList(7, 50_000_000), "50000000 entries"],
    [longList(8, 8_000_000), "8000000 entries"],
    [longList(0, 2 ** 22), "2097152 are allowed"],
    [longList(-1, 100_000_000), "the text has 100000000 bytes"],
    [longList(0, 1, 1_000_000), "the metadata count"],
  ];
  for (const [source, words] of cases) {
    const begun = processorTime();
    const error = await assertRejects(() => readGguf(source), RangeError, words);
    assert(error.message.includes("long.gguf"));
    assert(processorTime() - begun < 5000);
  }
});
