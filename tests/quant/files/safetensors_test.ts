import { assertEquals, assertRejects } from "@std/assert";
import {
  type ByteSource,
  bytesSource,
  FORMATS,
  readSafetensors,
  type SafetensorsTensorData,
  writeSafetensors,
} from "../../../quant/mod.ts";
import {
  packedFromSafetensors,
  packedToSafetensors,
} from "../../../quant/files/packed_safetensors.ts";
import { groupsPerRow } from "../../../quant/layouts/layout.ts";
import { emptyPacked, halves, planeBytes } from "../../../quant/layouts/planes.ts";
import { collect } from "../collect.ts";
import { randomBytes } from "../random.ts";

const TENSORS: SafetensorsTensorData[] = [
  { name: "bytes", dtype: "U8", shape: [3], bytes: randomBytes(1, 3) },
  { name: 'a "quoted" näme:', dtype: "F16", shape: [2, 5], bytes: randomBytes(2, 20) },
  { name: "scalar", dtype: "F64", shape: [], bytes: randomBytes(3, 8) },
  { name: "empty", dtype: "F32", shape: [0, 7], bytes: new Uint8Array(0) },
  { name: "__proto__", dtype: "I8", shape: [1], bytes: new Uint8Array([5]) },
  {
    name: "streamed",
    dtype: "U32",
    shape: [2],
    bytes: async function* () {
      yield await Promise.resolve(new Uint8Array([1, 2, 3]));
      yield new Uint8Array([4, 5, 6, 7, 8]);
    },
  },
];

Deno.test("a written safetensors file is read back", async () => {
  const bytes = await collect(writeSafetensors(TENSORS, { format: "pt", note: "a:b" }));
  const source = bytesSource(bytes, "test.safetensors");
  const file = await readSafetensors(source);
  assertEquals([...file.metadata], [["format", "pt"], ["note", "a:b"]]);
  assertEquals(file.tensors.size, TENSORS.length);
  for (const { name, dtype, shape, bytes } of TENSORS) {
    const tensor = file.tensors.get(name)!;
    assertEquals([tensor.dtype, tensor.shape], [dtype, [...shape]]);
    const stored = await source.read(tensor.offset, tensor.byteLength);
    if (typeof bytes !== "function") assertEquals(stored, Uint8Array.from(bytes));
    else assertEquals(stored, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]));
    assertEquals(tensor.offset % (tensor.byteLength / shape.reduce((a, b) => a * b, 1) || 1), 0);
  }
});

Deno.test("what cannot be written is refused", async () => {
  const [first] = TENSORS;
  const write = (...tensors: SafetensorsTensorData[]): Promise<unknown> =>
    collect(writeSafetensors(tensors));
  await assertRejects(() => write(first, first), RangeError, "bytes");
  await assertRejects(() => write({ ...first, name: "__metadata__" }), RangeError, "__metadata__");
  await assertRejects(() => write({ ...first, shape: [4] }), TypeError, "4");
  await assertRejects(() => write({ ...first, shape: [1.5] }), RangeError, "1.5");
  await assertRejects(() => write({ ...first, shape: [2 ** 40, 2 ** 40] }), RangeError, "shape");
});

/** A file of that header and `size` data bytes. */
function fileOf(header: string, size = 4, length?: number): ByteSource {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.length), true);
  bytes.set(text, 8);
  return bytesSource(bytes, "lying.safetensors");
}

const entry = (fields: string): string => `{"w":{${fields}}}`;

Deno.test("lies in the header are told by file and tensor", async () => {
  const good = entry(`"dtype":"F32","shape":[1],"data_offsets":[0,4]`);
  assertEquals((await readSafetensors(fileOf(good))).tensors.get("w")?.byteLength, 4);
  const cases: [string, new (message: string) => Error, string][] = [
    ["", SyntaxError, "not JSON"],
    ["[]", SyntaxError, "lying.safetensors"],
    ["null", SyntaxError, "object"],
    [`{"w":7}`, SyntaxError, `"w"`],
    [good + "}", SyntaxError, "not JSON"],
    [entry(`"dtype":"F31","shape":[1],"data_offsets":[0,4]`), SyntaxError, "F31"],
    [entry(`"dtype":"toString","shape":[1],"data_offsets":[0,4]`), SyntaxError, "toString"],
    [entry(`"dtype":"F32","shape":[2],"data_offsets":[0,4]`), RangeError, "needs 8 bytes"],
    [entry(`"dtype":"F32","shape":[-1],"data_offsets":[0,4]`), RangeError, "-1"],
    [entry(`"dtype":"F32","shape":[1.5],"data_offsets":[0,6]`), RangeError, "1.5"],
    [entry(`"dtype":"F32","shape":["1"],"data_offsets":[0,4]`), RangeError, `"1"`],
    [entry(`"dtype":"F32","shape":1,"data_offsets":[0,4]`), SyntaxError, "list"],
    [entry(`"dtype":"F32","shape":[1],"data_offsets":[0,4,8]`), RangeError, "data_offsets"],
    [entry(`"dtype":"F32","shape":[1],"data_offsets":[4,8]`), RangeError, "beyond"],
    [entry(`"dtype":"U8","shape":[3],"data_offsets":[1,4]`), RangeError, "gap"],
    [entry(`"dtype":"U8","shape":[3],"data_offsets":[0,3]`), RangeError, "end at"],
    [entry(`"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1`), SyntaxError, "more"],
    [
      entry(`"dtype":"F32","shape":[0,9007199254740991,4],"data_offsets":[0,0]`),
      RangeError,
      "shape",
    ],
    [`{"__metadata__":{"a":1}}`, SyntaxError, `"a"`],
    [`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"dtype":"F32"}}`, SyntaxError, "twice"],
    [good.slice(0, -1) + "," + good.slice(1), SyntaxError, "twice"],
    [
      `{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`,
      RangeError,
      "overlaps",
    ],
    ["[".repeat(60), SyntaxError, "not JSON"],
    ["[".repeat(100_000), RangeError, "more than 64 deep"],
    [`{"w":` + "[".repeat(50) + "]".repeat(50) + "}", SyntaxError, `"w"`],
  ];
  for (const [header, kind, message] of cases) {
    const error = await assertRejects(() => readSafetensors(fileOf(header)), kind, message);
    assertEquals(error.message.includes("lying.safetensors"), true, error.message);
  }
  await assertRejects(
    () => readSafetensors(fileOf("{}", 0, 3)),
    RangeError,
    "header should have 3 bytes",
  );
  await assertRejects(
    () => readSafetensors(fileOf("{}", 0, 2 ** 60)),
    RangeError,
    "header should have",
  );
  await assertRejects(() => readSafetensors(bytesSource(new Uint8Array(7))), RangeError, "too few");
});

Deno.test("packed planes survive the file, whole and by rows", async () => {
  const rows = 5;
  const tensors = FORMATS.map((format, i) => {
    const columns = format.gguf?.blockElements === 256 ? 256 : 96;
    const t = emptyPacked(format.layout, rows, columns);
    // The points of a grid are in no file.
    const points = format.layout.kind === "super" ? [] : [t.codebook];
    for (const plane of [t.codes, t.scales, ...points]) {
      planeBytes(plane).set(randomBytes(i, plane.length * 4));
    }
    const { layout } = format;
    const used = rows * groupsPerRow(layout, columns);
    const single = layout.kind === "codebook" ||
      layout.kind === "scalar" && layout.second === "none";
    if (single && used % 2 === 1) halves(t.scales)[used] = 0;
    return { format: format.name, t };
  });
  const bytes = await collect(
    writeSafetensors(tensors.flatMap(({ format, t }) => packedToSafetensors(`t.${format}`, t))),
  );
  const source = bytesSource(bytes);
  const file = await readSafetensors(source);
  for (const { format, t } of tensors) {
    const stored = { name: `t.${format}`, format, rows, columns: t.columns };
    assertEquals(await packedFromSafetensors(source, file, stored), t);
    const piece = await packedFromSafetensors(source, file, stored, { firstRow: 3, rows: 2 });
    const words = t.codes.length / rows;
    assertEquals(piece.codes, t.codes.slice(3 * words));
    const scales = file.tensors.get(`t.${format}.scales`);
    const perRow = (scales?.shape.slice(1).reduce((a, b) => a * b, 1) ?? 0) *
      (scales?.dtype === "U32" ? 2 : 1);
    assertEquals(
      halves(piece.scales).slice(0, 2 * perRow),
      halves(t.scales).slice(3 * perRow, 5 * perRow),
    );
    await assertRejects(
      () => packedFromSafetensors(source, file, stored, { firstRow: 4, rows: 2 }),
      RangeError,
      "rows 4 to 6",
    );
    await assertRejects(
      () => packedFromSafetensors(source, file, { ...stored, rows: 6 }),
      TypeError,
      format,
    );
  }
  await assertRejects(
    () => packedFromSafetensors(source, file, { name: "no", format: "F16", rows, columns: 96 }),
    RangeError,
    `"no"`,
  );
});
