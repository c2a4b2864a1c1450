import { assert, assertEquals } from "@std/assert";
import {
  bytesSource,
  chooseFormat,
  decode,
  formatByName,
  quantize,
  readGguf,
  readSafetensors,
  tensorKind,
  writeGguf,
} from "../../../quant/mod.ts";
import { packedFromSafetensors } from "../../../quant/files/packed_safetensors.ts";
import { exists, sharedData } from "../../support/shared_data.ts";
import { collect } from "../collect.ts";

const path = sharedData("models/reviews-4m/model.safetensors");
const name = `quantising a real tensor errs as much as theory says${
  exists(path) ? "" : " (skipped, because ../shared/data is not there)"
}`;

Deno.test({ name, ignore: !exists(path) }, async () => {
  const source = bytesSource(Deno.readFileSync(path), path);
  const file = await readSafetensors(source);
  assertEquals([...file.tensors.values()].every((tensor) => tensor.dtype === "F16"), true);
  const stored = {
    name: "model.layers.1.mlp.down_proj.weight",
    format: "F16",
    rows: 256,
    columns: 704,
  };
  const values = decode(await packedFromSafetensors(source, file, stored));
  const energy = values.reduce((sum, value) => sum + value * value, 0);
  const bounds: [string, number, number][] = [
    // Nearly normal weights: steps of a group's range / 16 give 7 to 10 % at 4 bits, double for each bit less.
    ["Q4_0", 0.07, 0.1],
    ["Q4_1", 0.06, 0.08],
    ["int4_g32", 0.07, 0.1],
    ["int4z_g128", 0.085, 0.105],
    ["int3_g32", 0.14, 0.19],
    ["int2_g32", 0.28, 0.36],
    ["Q8_0", 0.004, 0.006],
    // Vectors reach below the 0.343 of the best four levels; the bound for two bits is 0.25.
    ["codebook2x8", 0.25, 0.32],
    ["codebook1x8", 0.5, 0.6],
  ];
  for (const [format, low, high] of bounds) {
    const decoded = decode(quantize(values, 256, 704, format));
    const error = values.reduce((sum, value, i) => sum + (value - decoded[i]) ** 2, 0);
    const relative = Math.sqrt(error / energy);
    assert(low < relative && relative < high, `${format}: ${relative}`);
  }
});

Deno.test({
  name: name.replace(
    "quantising a real tensor errs as much as theory says",
    "a real model as GGUF",
  ),
  ignore: !exists(path),
}, async () => {
  const source = bytesSource(Deno.readFileSync(path), path);
  const file = await readSafetensors(source);
  const tensors = [];
  const expected = new Map<string, Float32Array>();
  for (const [name, { shape }] of file.tensors) {
    const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
    const stored = { name, format: "F16", rows, columns };
    const values = decode(await packedFromSafetensors(source, file, stored));
    const format = formatByName(
      chooseFormat({ name, kind: tensorKind(name, rows), columns }, "Q4_0"),
    );
    const packed = quantize(values, rows, columns, format.name, { search: false });
    expected.set(name, decode(packed));
    const dimensions = shape.toReversed();
    tensors.push({ name, dimensions, type: format.gguf!.type, bytes: format.pack(packed) });
  }
  const written = bytesSource(await collect(writeGguf({ metadata: {}, tensors })));
  assert(written.size < 0.6 * source.size);
  const read = await readGguf(written);
  assertEquals(read.tensors.length, file.tensors.size);
  for (const tensor of read.tensors) {
    const [columns, rows = 1] = tensor.dimensions;
    const bytes = await written.read(tensor.offset, tensor.byteLength);
    const values = decode(formatByName(tensor.typeName).unpack(bytes, rows, columns));
    assertEquals(values, expected.get(tensor.name));
  }
});
