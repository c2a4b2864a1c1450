import { assertEquals, assertThrows } from "@std/assert";
import { decode, type HqqShape, hqqToPacked } from "../../../quant/mod.ts";
import { hqqLayout } from "../../../quant/packings/hqq.ts";
import { referenceVectors } from "../reference_vectors.ts";

const vectors = await referenceVectors("hqq");

for (const { parameters, tensors, weights } of vectors) {
  const shape = parameters as unknown as HqqShape;
  const { packing, axis = 1, group, rows, columns } = shape;
  Deno.test(`HQQ ${packing}, ${rows} x ${columns} in groups of ${group} along axis ${axis}, is what hqq dequantises`, () => {
    const packed = hqqToPacked({
      codes: tensors.W_q.bytes,
      scales: new Uint16Array(tensors.scale.bytes.buffer),
      zeros: new Uint16Array(tensors.zero.bytes.buffer),
    }, shape);
    assertEquals(packed.layout, hqqLayout(shape));
    // hqq subtracts, then multiplies, in f32 as well.
    assertEquals([...decode(packed)], [...weights]);
  });
}

Deno.test("HQQ: what cannot be is refused by name", () => {
  const planes = {
    codes: new Uint8Array(64),
    scales: new Uint16Array(4),
    zeros: new Uint16Array(4),
  };
  const shape: HqqShape = { packing: "4bit_u8", group: 32, rows: 2, columns: 64, name: "q" };
  hqqToPacked(planes, shape);
  for (const plane of ["codes", "scales", "zeros"] as const) {
    const cut = { ...planes, [plane]: planes[plane].slice(1) };
    const message = `Cannot unpack "q": "${plane === "codes" ? "W_q" : plane.slice(0, -1)}" has`;
    assertThrows(() => hqqToPacked(cut, shape), TypeError, message);
  }
  const wrong: [Record<string, unknown>, string][] = [
    [{ packing: "1bit_u8" }, 'packing "1bit_u8"'],
    [{ packing: "constructor" }, 'packing "constructor"'],
    [{ group: 16 }, "groups of 16"],
    [{ group: 0 }, "groups of 0"],
    [{ group: 96 }, "groups of 96 in 64 columns"],
    [{ rows: 1, columns: 32 }, "1 lines cannot be cut into 2 parts"],
    [{ rows: -2 }, "not a valid shape"],
    [{ columns: 48 }, "groups of 32 in 48 columns"],
    [{ axis: 0, group: 2 }, "groups of 2 along axis 0 of 2 rows"],
    [{ axis: 0, group: 0 }, "groups of 0 along axis 0"],
    [{ axis: 0, group: 1, rows: 4, columns: 48 }, "multiple of 32"],
    [{ axis: 0, group: 1, rows: 4 }, "1 lines cannot be cut into 2 parts"],
  ];
  for (const [change, message] of wrong) {
    assertThrows(() => hqqToPacked(planes, { ...shape, ...change }), RangeError, message);
  }
});
