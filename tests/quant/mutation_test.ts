import { assert, assertEquals } from "@std/assert";
import {
  type ByteSource,
  bytesSource,
  decode,
  formatByGgufType,
  FORMATS,
  readGguf,
  readSafetensors,
  writeGguf,
  writeSafetensors,
} from "../../quant/mod.ts";
import { collect } from "./collect.ts";
import { mutate } from "./mutations.ts";
import { randomBytes } from "./random.ts";

const RUNS = 3000;

/** A source that fails the test when more is asked for than a file of that size can need. */
function meteredSource(bytes: Uint8Array<ArrayBuffer>, name: string): ByteSource {
  const source = bytesSource(bytes, name);
  return {
    ...source,
    read(offset, length) {
      assert(offset + length <= bytes.length, `read of ${length} at ${offset}`);
      return source.read(offset, length);
    },
  };
}

/** Parses each damaged copy; an answer or a typed error that names the file, and both do happen. */
async function survive(
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
  header: number,
  parse: (source: ByteSource) => Promise<void>,
): Promise<void> {
  await parse(meteredSource(bytes, name));
  let parsed = 0;
  const kinds = new Map<string, number>();
  let slowest = 0;
  for (let seed = 0; seed < RUNS; seed++) {
    const source = meteredSource(mutate(bytes, header, seed), name);
    const start = performance.now();
    try {
      await parse(source);
      parsed++;
    } catch (error) {
      const typed = error instanceof SyntaxError || error instanceof RangeError ||
        error instanceof TypeError;
      assert(typed, `seed ${seed}: ${error}`);
      assert(error.message.includes(name), `seed ${seed}: ${error.message}`);
      kinds.set(error.name, (kinds.get(error.name) ?? 0) + 1);
    }
    slowest = Math.max(slowest, performance.now() - start);
  }
  assert(parsed > 0 && parsed < RUNS);
  assertEquals([...kinds.keys()].filter((kind) => kind === "TypeError"), []);
  assert((kinds.get("SyntaxError") ?? 0) > 0 && (kinds.get("RangeError") ?? 0) > 0);
  assert(slowest < 2000, `${slowest} ms`);
}

const inGguf = FORMATS.filter((format) => format.gguf);

Deno.test(`${RUNS} damaged GGUF files give an answer or a typed error`, async () => {
  const bytes = await collect(writeGguf({
    metadata: {
      "general.architecture": "llama",
      "general.alignment": 64,
      "llama.block_count": 2,
      "llama.eps": 1e-5,
      "tokenizer.ggml.tokens": ["<s>", "a", "bc", "ä"],
      "tokenizer.ggml.scores": new Float32Array(4),
      "flags": [true, false],
      "long": 2n ** 63n,
    },
    tensors: [
      { name: "token_embd.weight", dimensions: [64, 4], type: 8, bytes: randomBytes(1, 272) },
      { name: "output_norm.weight", dimensions: [64], type: 0, bytes: randomBytes(2, 256) },
      { name: "blk.0.attn_q.weight", dimensions: [64, 2], type: 2, bytes: randomBytes(3, 72) },
      ...inGguf.map(({ name, gguf, rowBytes }) => ({
        name: `blk.0.${name}.weight`,
        dimensions: [256, 1],
        type: gguf!.type,
        bytes: randomBytes(gguf!.type, rowBytes(256)),
      })),
    ],
    alignment: 64,
  }));
  const { dataOffset } = await readGguf(bytesSource(bytes));
  await survive("damaged.gguf", bytes, dataOffset, async (source) => {
    const file = await readGguf(source);
    for (const tensor of file.tensors) {
      assert(tensor.offset + tensor.byteLength <= source.size);
      const [columns, ...rest] = tensor.dimensions;
      const rows = rest.reduce((product, dimension) => product * dimension, 1);
      const piece = await source.read(tensor.offset, tensor.byteLength);
      const packed = formatByGgufType(tensor.type)?.unpack(piece, rows, columns);
      if (packed) assertEquals(decode(packed).length, rows * columns);
    }
  });
});

Deno.test(`${RUNS} damaged safetensors files give an answer or a typed error`, async () => {
  const bytes = await collect(writeSafetensors([
    { name: "model.embed.weight", dtype: "F16", shape: [4, 8], bytes: randomBytes(1, 64) },
    { name: "model.norm.weight", dtype: "F32", shape: [8], bytes: randomBytes(2, 32) },
    { name: "q.codes", dtype: "U32", shape: [2, 4], bytes: randomBytes(3, 32) },
    { name: "q.scales", dtype: "F16", shape: [2, 1], bytes: randomBytes(4, 4) },
  ], { format: "pt" }));
  const header = 8 + new DataView(bytes.buffer).getUint32(0, true);
  await survive("damaged.safetensors", bytes, header, async (source) => {
    for (const tensor of (await readSafetensors(source)).tensors.values()) {
      assert(tensor.offset + tensor.byteLength <= source.size);
      await source.read(tensor.offset, tensor.byteLength);
    }
  });
});

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
