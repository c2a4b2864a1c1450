import { assertEquals, assertThrows } from "@std/assert";
import { decode, int4RowsToPacked, type Int4Shape } from "../../../quant/mod.ts";
import { type Int4TileShape, int4TilesToPacked } from "../../../quant/packings/torchao_int4.ts";
import { referenceVectors } from "../reference_vectors.ts";

for (const { parameters, tensors, weights } of await referenceVectors("torchao_int4")) {
  Deno.test(`int4 ${JSON.stringify(parameters)} is what torchao dequantises`, () => {
    const words = ({ bytes }: { bytes: Uint8Array<ArrayBuffer> }) => new Int32Array(bytes.buffer);
    const halves = ({ bytes }: { bytes: Uint8Array<ArrayBuffer> }) => new Uint16Array(bytes.buffer);
    const packed = parameters.form === "tiles"
      ? int4TilesToPacked({
        codes: words(tensors.qdata),
        scaleAndZero: halves(tensors.scale_and_zero),
      }, parameters as unknown as Int4TileShape)
      : int4RowsToPacked({
        codes: tensors.qdata.bytes,
        scales: halves(tensors.scale),
        zeros: halves(tensors.zero_point),
      }, parameters as unknown as Int4Shape);
    assertEquals(decode(packed), weights);
  });
}

Deno.test("torchao int4: what cannot be is refused by name", () => {
  const shape = { group: 32, rows: 2, columns: 64, name: "q" };
  const rows = {
    codes: new Uint8Array(64),
    scales: new Uint16Array(4),
    zeros: new Uint16Array(4),
  };
  int4RowsToPacked(rows, shape);
  for (const [key, name] of [["codes", "qdata"], ["scales", "scale"], ["zeros", "zero_point"]]) {
    const cut = { ...rows, [key]: new Uint8Array(3) } as unknown as typeof rows;
    assertThrows(() => int4RowsToPacked(cut, shape), TypeError, `Cannot unpack "q": "${name}" has`);
  }
  for (const group of [0, 16, -32, 32.5]) {
    assertThrows(
      () => int4RowsToPacked(rows, { ...shape, group }),
      RangeError,
      `groups of ${group}`,
    );
  }
  const tiled = { ...shape, tiles: 2, width: 64 };
  const tiles = { codes: new Int32Array(64), scaleAndZero: new Uint16Array(32) };
  int4TilesToPacked(tiles, tiled);
  assertThrows(
    () => int4TilesToPacked({ ...tiles, codes: new Int32Array(32) }, tiled),
    TypeError,
    '"qdata" has',
  );
  assertThrows(
    () => int4TilesToPacked({ ...tiles, scaleAndZero: new Uint16Array(8) }, tiled),
    TypeError,
    '"scale_and_zero" has',
  );
  assertThrows(() => int4TilesToPacked(tiles, { ...tiled, tiles: 3 }), RangeError, "3 inner tiles");
  for (const width of [32, 80, NaN]) {
    assertThrows(
      () => int4TilesToPacked(tiles, { ...tiled, width }),
      RangeError,
      `${width} columns`,
    );
  }
});
