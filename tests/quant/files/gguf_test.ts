import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  type ByteSource,
  bytesSource,
  decode,
  formatByName,
  type GgufContents,
  type GgufMetadata,
  patchGguf,
  readGguf,
  writeGguf,
} from "../../../quant/mod.ts";
import { formatOfGgufTensor } from "../../../quant/files/gguf.ts";
import { processorTime } from "../../support/processor_time.ts";
import { collect } from "../collect.ts";
import { randomBytes } from "../random.ts";

const METADATA: GgufMetadata = {
  "general.architecture": "llama",
  "llama.block_count": 4,
  "llama.rope.freq_base": { type: "float32", value: 10000 },
  "llama.eps": 2 ** -17,
  "small": { type: "int8", value: -3 },
  "big": 2n ** 63n,
  "wide": { type: "uint64", value: 7 },
  "negative": -5,
  "double": { type: "float64", value: 0.1 },
  "yes": true,
  "flags": [true, false],
  "tokens": ["a", "", "ä▁", "x".repeat(100)],
  "none": { type: "string", value: [] },
  "scores": new Float32Array([1.5, -2]),
  "longs": new BigInt64Array([-1n]),
};

function contents(): GgufContents {
  return {
    metadata: METADATA,
    tensors: [
      { name: "q", dimensions: [64, 5], type: 2, bytes: randomBytes(1, 5 * 36) },
      { name: "norm", dimensions: [3], type: 0, bytes: randomBytes(2, 12) },
      {
        name: "streamed",
        dimensions: [32, 2, 2],
        type: 8,
        bytes: async function* () {
          await Promise.resolve();
          for (let row = 0; row < 4; row++) yield randomBytes(row, 34);
        },
      },
    ],
  };
}

Deno.test("a written GGUF file is read back with its values, types and bytes", async () => {
  const bytes = await collect(writeGguf(contents()));
  const source = bytesSource(bytes, "test.gguf");
  const file = await readGguf(source);
  assertEquals(file.version, 3);
  assertEquals(file.alignment, 32);
  assertEquals(file.dataOffset % 32, 0);
  assertEquals(Object.fromEntries(file.metadata), {
    "general.architecture": "llama",
    "llama.block_count": 4,
    "llama.rope.freq_base": 10000,
    "llama.eps": 2 ** -17,
    "small": -3,
    "big": 2n ** 63n,
    "wide": 7,
    "negative": -5,
    "double": 0.1,
    "yes": true,
    "flags": [true, false],
    "tokens": ["a", "", "ä▁", "x".repeat(100)],
    "none": [],
    "scores": new Float32Array([1.5, -2]),
    "longs": new BigInt64Array([-1n]),
  });
  assertEquals(file.valueTypes.get("llama.rope.freq_base"), "float32");
  assertEquals(file.valueTypes.get("tokens"), "string");
  assertEquals(file.valueTypes.get("negative"), "int32");
  assertEquals(file.tensors.map((t) => [t.name, t.typeName, t.dimensions, t.byteLength]), [
    ["q", "Q4_0", [64, 5], 180],
    ["norm", "F32", [3], 12],
    ["streamed", "Q8_0", [32, 2, 2], 136],
  ]);
  const q = file.tensorByName("q");
  assertEquals(await source.read(q.offset, q.byteLength), randomBytes(1, 180));
  const streamed = file.tensorByName("streamed");
  assertEquals(await source.read(streamed.offset + 34, 34), randomBytes(1, 34));
  assertEquals(bytes.length, streamed.offset + 160);
  assertThrows(() => file.tensorByName("no"), RangeError, "no");
});

Deno.test("values can be written again with the types they had", async () => {
  const bytes = await collect(writeGguf(contents()));
  const file = await readGguf(bytesSource(bytes));
  const metadata = new Map(
    [...file.metadata].map(([key, value]) => [key, { type: file.valueTypes.get(key)!, value }]),
  );
  assertEquals(await collect(writeGguf({ ...contents(), metadata })), bytes);
});

Deno.test("alignment is written and honoured", async () => {
  const bytes = await collect(writeGguf({ ...contents(), alignment: 256 }));
  const file = await readGguf(bytesSource(bytes));
  assertEquals(file.alignment, 256);
  assertEquals(file.metadata.get("general.alignment"), 256);
  for (const tensor of file.tensors) assertEquals(tensor.offset % 256, 0);
});

Deno.test("what cannot be written is refused", async () => {
  const [q] = contents().tensors;
  const write = (given: Partial<GgufContents>): Promise<unknown> =>
    collect(writeGguf({ metadata: {}, tensors: [], ...given }));
  await assertRejects(
    () => write({ tensors: [{ ...q, bytes: randomBytes(1, 9) }] }),
    TypeError,
    `"q"`,
  );
  await assertRejects(
    () =>
      write({
        tensors: [{
          ...q,
          bytes: async function* () {
            yield await Promise.resolve(new Uint8Array(181));
          },
        }],
      }),
    TypeError,
    "180",
  );
  await assertRejects(() => write({ tensors: [q, q] }), RangeError, "twice");
  await assertRejects(() => write({ tensors: [{ ...q, type: 4 }] }), RangeError, "unknown type 4");
  await assertRejects(
    () => write({ tensors: [{ ...q, dimensions: [33] }] }),
    RangeError,
    "multiple",
  );
  await assertRejects(() => write({ tensors: [{ ...q, dimensions: [] }] }), RangeError, "shape");
  await assertRejects(() => write({ alignment: 33 }), RangeError, "33");
  await assertRejects(
    () => write({ metadata: { a: { type: "uint8", value: 256 } } }),
    TypeError,
    `"a"`,
  );
  await assertRejects(
    () => write({ metadata: { a: { type: "bool", value: 1 } } }),
    TypeError,
    `"a"`,
  );
});

Deno.test("patching changes the chosen rows only and streams in pieces", async () => {
  const bytes = await collect(writeGguf(contents()));
  const source = bytesSource(bytes);
  const file = await readGguf(source);
  assertEquals(await collect(patchGguf(source, file, new Map())), bytes);
  const { offset } = file.tensorByName("q");
  for (const pieceBytes of [1, 50, 72, 1000, 10 ** 6]) {
    const rows: number[] = [];
    const chunks = patchGguf(
      source,
      file,
      new Map([
        ["streamed", () => {}],
        ["q", (piece: Uint8Array, firstRow: number) => {
          for (let at = 0; at < piece.length; at += 36) {
            const row = firstRow + at / 36;
            rows.push(row);
            if (row === 3) piece[at] ^= 255;
          }
        }],
      ]),
      pieceBytes,
    );
    const expected = bytes.slice();
    expected[offset + 3 * 36] ^= 255;
    assertEquals(await collect(chunks), expected);
    assertEquals(rows, [0, 1, 2, 3, 4]);
  }
  await assertRejects(
    () => collect(patchGguf(source, file, new Map([["x", () => {}]]))),
    RangeError,
    `"x"`,
  );
});

Deno.test("a tensor of a type that cannot be decoded is listed and refused by name", async () => {
  const bytes = await collect(writeGguf({
    metadata: {},
    tensors: [{ name: "k", dimensions: [256, 1], type: 40, bytes: new Uint8Array(144) }],
  }));
  const file = await readGguf(bytesSource(bytes));
  assertEquals(file.tensors[0].typeName, "NVFP4");
  assertThrows(() => formatOfGgufTensor(file.tensors[0]), RangeError, "NVFP4");
  // The type number follows name, rank and two dimensions.
  const unknown = bytes.slice();
  unknown[24 + 9 + 4 + 16] = 99;
  const odd = await readGguf(bytesSource(unknown));
  assertEquals(odd.tensors[0].typeName, "unknown type 99");
  assertThrows(() => formatOfGgufTensor(odd.tensors[0]), RangeError, "unknown type 99");
});

/** A file with one tensor entry `w`, whose fields can lie. */
function lyingFile(lie: { at: number; bytes: number[] }[], size = 192): ByteSource {
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(0, 0x46554747, true);
  view.setUint32(4, 3, true);
  view.setUint32(8, 1, true);
  // Entry at 24: name "w", rank 2, 32 x 2, Q8_0, offset 0.
  view.setUint32(24, 1, true);
  view.setUint8(32, 119);
  view.setUint32(33, 2, true);
  view.setUint32(37, 32, true);
  view.setUint32(45, 2, true);
  view.setUint32(53, 8, true);
  const bytes = new Uint8Array(view.buffer);
  for (const { at, bytes: lies } of lie) bytes.set(lies, at);
  return bytesSource(bytes, "lying.gguf");
}

Deno.test("lies about counts, lengths, shapes and offsets are told by file, tensor and field", async () => {
  assertEquals((await readGguf(lyingFile([]))).tensors[0].byteLength, 68);
  const cases: [number, number[], new (message: string) => Error, string][] = [
    [0, [88], SyntaxError, "magic"],
    [4, [1], SyntaxError, "version 1, from 2023, is not supported"],
    [4, [4], SyntaxError, "4 is neither 2 nor 3"],
    [4, [0, 0, 0, 3], SyntaxError, "big-endian"],
    [8, [255, 255], RangeError, "tensor count"],
    [15, [255], RangeError, "tensor count"],
    [16, [255, 255], RangeError, "metadata count"],
    [24, [0], RangeError, "the name has 0 bytes"],
    [24, [255], RangeError, "beyond"],
    [31, [128], RangeError, "name"],
    [32, [255], SyntaxError, "UTF-8"],
    [33, [0], RangeError, `tensor "w"`],
    [33, [5], RangeError, "5 dimensions"],
    [37, [0], RangeError, "shape"],
    [37, [33], RangeError, "multiple"],
    [44, [1], RangeError, "shape"],
    [45, [9], RangeError, "beyond the file's 192 bytes"],
    [57, [1], RangeError, "not a multiple of 32"],
    [58, [1], RangeError, "beyond the file's 192 bytes"],
    [64, [255], RangeError, `tensor "w"`],
  ];
  for (const [at, bytes, kind, message] of cases) {
    const error = await assertRejects(() => readGguf(lyingFile([{ at, bytes }])), kind, message);
    assertEquals(error.message.includes("lying.gguf"), true);
  }
  await assertRejects(() => readGguf(lyingFile([], 140)), RangeError, "beyond");
});

Deno.test("duplicate names and overlapping tensors are refused", async () => {
  const two = {
    metadata: { aa: 1, ab: 1 },
    tensors: ["t1", "t2"].map((name) => ({
      name,
      dimensions: [16],
      type: 0,
      bytes: new Uint8Array(64),
    })),
  };
  const bytes = await collect(writeGguf(two));
  const find = (text: string): number => {
    const at = new TextDecoder("latin1").decode(bytes).indexOf(text);
    if (at < 0) throw new Error(text);
    return at;
  };
  const changed = (at: number, value: number): ByteSource => {
    const copy = bytes.slice();
    copy[at] = value;
    return bytesSource(copy);
  };
  await assertRejects(() => readGguf(changed(find("t2") + 1, 49)), SyntaxError, `tensor "t1"`);
  await assertRejects(() => readGguf(changed(find("ab") + 1, 97)), SyntaxError, `"aa"`);
  // Offset of t2: after name, rank, dimension, type.
  await assertRejects(() => readGguf(changed(find("t2") + 2 + 16, 32)), RangeError, "overlap");
});

Deno.test("a list of lists and a count beyond the file are refused", async () => {
  const bytes = await collect(writeGguf({ metadata: { k: new Uint8Array(40) }, tensors: [] }));
  // 24: key length, 32: "k", 33: array, 37: element type, 41: count.
  for (
    const [at, value, kind] of [[37, 9, SyntaxError], [37, 77, SyntaxError], [
      46,
      1,
      RangeError,
    ]] as const
  ) {
    const copy = bytes.slice();
    copy[at] = value;
    await assertRejects(() => readGguf(bytesSource(copy)), kind, `"k"`);
  }
});

Deno.test("a large vocabulary is read in pieces, fast, without touching tensor bytes", async () => {
  const tokens = Array.from({ length: 150_000 }, (_, i) => `token ▁${i}`);
  const bytes = await collect(writeGguf({
    metadata: { tokens, scores: new Float32Array(150_000) },
    tensors: [{ name: "w", dimensions: [1 << 20, 8], type: 0, bytes: new Uint8Array(1 << 25) }],
  }));
  let read = 0;
  const source = bytesSource(bytes);
  const start = processorTime();
  const file = await readGguf({
    ...source,
    read(offset, length) {
      read += length;
      return source.read(offset, length);
    },
  });
  assertEquals(file.metadata.get("tokens"), tokens);
  assertEquals(read < file.dataOffset + 2 ** 22 + 1, true);
  assertEquals(processorTime() - start < 3000, true);
});

Deno.test("a tensor of a GGUF file decodes through its format", async () => {
  const bytes = await collect(writeGguf(contents()));
  const source = bytesSource(bytes);
  const q = (await readGguf(source)).tensorByName("q");
  const t = formatOfGgufTensor(q).unpack(await source.read(q.offset, q.byteLength), 5, 64);
  assertEquals(decode(t), decode(formatByName("Q4_0").unpack(randomBytes(1, 180), 5, 64)));
});
