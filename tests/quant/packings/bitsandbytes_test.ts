import { assertEquals, assertThrows } from "@std/assert";
import { type BitsandbytesShape, bitsandbytesToPacked, decode } from "../../../quant/mod.ts";
import { CODE_TABLES } from "../../../quant/layouts/code_tables.ts";
import { bitsandbytesLayout, nestedCodecs } from "../../../quant/packings/bitsandbytes.ts";
import { referenceVectors, type Vector } from "../reference_vectors.ts";

const vectors = await referenceVectors("bitsandbytes");
const floats = ({ tensors }: Vector, name: string) => new Float32Array(tensors[name].bytes.buffer);

/** The f32 absmax of a vector. */
function absmaxOf(vector: Vector): Float32Array {
  if (!vector.parameters.nested) return floats(vector, "absmax");
  const state = vector.parameters.state as { nested_blocksize: number; nested_offset: number };
  const codec = nestedCodecs({
    map: floats(vector, "nested_quant_map"),
    absmax: floats(vector, "nested_absmax"),
    block: state.nested_blocksize,
    offset: state.nested_offset,
  });
  return Float32Array.from(vector.tensors.absmax.bytes, (code, i) => codec(i).toNumber(code));
}

for (const vector of vectors) {
  const { parameters, tensors, weights } = vector;
  const { type, block, rows, columns } = parameters as unknown as BitsandbytesShape;
  const nested = parameters.nested ? ", doubly quantised" : "";
  Deno.test(`${type} in blocks of ${block}${nested}, is what bitsandbytes dequantises`, () => {
    assertEquals([...CODE_TABLES[type]], [...floats(vector, "quant_map")]);
    const exact = absmaxOf(vector);
    const absmax = new Uint16Array(new Float16Array(exact).buffer);
    const shape = { type, block, rows, columns };
    const packed = bitsandbytesToPacked({ codes: tensors.weight.bytes, absmax }, shape);
    assertEquals(packed.layout, bitsandbytesLayout(shape));
    const found = decode(packed);
    const halves = new Float16Array(exact);
    const expected = weights.map((weight, i) => {
      const at = Math.floor(i / block);
      // The code is exact: the reference's value is its table entry times the f32 absmax, ours times the f16 one.
      const code = CODE_TABLES[type].findIndex((entry) =>
        Math.fround(entry * exact[at]) === weight
      );
      return CODE_TABLES[type][code] * halves[at];
    });
    assertEquals([...found], [...expected]);
  });
}

Deno.test("doubly quantised absmax go back as the nearest code", () => {
  for (const vector of vectors.filter(({ parameters }) => parameters.nested)) {
    const { nested_blocksize, nested_offset } = vector.parameters.state as Record<string, number>;
    const map = floats(vector, "nested_quant_map");
    const absmax = floats(vector, "nested_absmax");
    const codec = nestedCodecs({ map, absmax, block: nested_blocksize, offset: nested_offset });
    const codes = vector.tensors.absmax.bytes;
    for (const i of [0, 1, codes.length - 1]) {
      const { toNumber, toBits } = codec(i);
      const value = toNumber(codes[i]);
      assertEquals(toNumber(toBits(value)), value);
      const all = Array.from({ length: 256 }, (_, code) => toNumber(code));
      const wanted = value * 1.03;
      const nearest = Math.min(...all.map((other) => Math.abs(other - wanted)));
      assertEquals(Math.abs(toNumber(toBits(wanted)) - wanted), nearest);
    }
  }
});

Deno.test("bitsandbytes: what cannot be is refused by name", () => {
  const planes = { codes: new Uint8Array(64), absmax: new Uint16Array(2) };
  const shape: BitsandbytesShape = { type: "nf4", block: 64, rows: 2, columns: 64, name: "q" };
  bitsandbytesToPacked(planes, shape);
  for (const [plane, name] of [["codes", "weight"], ["absmax", "absmax"]] as const) {
    const cut = { ...planes, [plane]: planes[plane].slice(1) };
    const message = `Cannot unpack "q": "${name}" has`;
    assertThrows(() => bitsandbytesToPacked(cut, shape), TypeError, message);
  }
  const wrong: [Record<string, unknown>, string][] = [
    [{ type: "af4" }, 'type "af4"'],
    [{ block: 128 }, "groups of 128 in 64 columns"],
    [{ block: 0 }, "groups of 0"],
    [{ block: "64" }, "groups of 64"],
  ];
  for (const [change, message] of wrong) {
    assertThrows(
      () => bitsandbytesToPacked(planes, { ...shape, ...change } as BitsandbytesShape),
      RangeError,
      message,
    );
  }
});
