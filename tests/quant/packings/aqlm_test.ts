import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { type AqlmShape, aqlmToPacked, decode } from "../../../quant/mod.ts";
import { referenceVectors } from "../reference_vectors.ts";

for (const { parameters, tensors, weights } of await referenceVectors("aqlm")) {
  const shape = parameters as unknown as AqlmShape;
  const { books, bits = 8, vector = 8 } = shape;
  Deno.test(`AQLM ${books}x${bits} of ${vector} columns is what its own code dequantises`, () => {
    const packed = aqlmToPacked({
      codes: tensors.codes.bytes,
      codebooks: new Uint16Array(tensors.codebooks.bytes.buffer),
      scales: new Uint16Array(tensors.scales.bytes.buffer),
    }, shape);
    const found = decode(packed);
    assertEquals(found.length, weights.length);
    // One book is exact; with more the reference rounds their sum to f32 before it scales.
    found.forEach((value, i) => {
      assertAlmostEquals(value, weights[i], books === 1 ? 0 : 2 ** -22 * Math.abs(value));
    });
  });
}

Deno.test("AQLM: what cannot be is refused by name", () => {
  const planes = {
    codes: new Uint8Array(8),
    codebooks: new Uint16Array(2048),
    scales: new Uint16Array(2),
  };
  const shape: AqlmShape = { books: 1, rows: 2, columns: 32, name: "q" };
  aqlmToPacked(planes, shape);
  for (const plane of ["codes", "codebooks", "scales"] as const) {
    const cut = { ...planes, [plane]: planes[plane].slice(1) };
    assertThrows(
      () => aqlmToPacked(cut, shape),
      TypeError,
      `Cannot unpack "q": "${plane}" has`,
    );
  }
  assertThrows(() => aqlmToPacked(planes, { ...shape, columns: 40 }), RangeError, "multiple of 32");
  for (const wrong of [{ books: 5 }, { books: 0 }, { bits: 17 }, { bits: 0.5 }]) {
    assertThrows(() => aqlmToPacked(planes, { ...shape, ...wrong }), RangeError, "expected 1 to 4");
  }
});
