import { assertEquals, assertThrows } from "@std/assert";
import { type CompressedShape, compressedToPacked, decode } from "../../../quant/mod.ts";
import { referenceVectors } from "../reference_vectors.ts";

const vectors = await referenceVectors("compressed_tensors");

for (const { parameters, tensors, weights } of vectors) {
  const shape = parameters as unknown as CompressedShape;
  Deno.test(`compressed-tensors ${JSON.stringify(parameters)} is what its own code decodes`, () => {
    const scales = new Uint16Array(tensors.weight_scale.bytes.buffer);
    const zeros = tensors.weight_zero_point &&
      new Int32Array(tensors.weight_zero_point.bytes.buffer);
    const codes = new Int32Array(tensors.weight_packed.bytes.buffer);
    assertEquals([...decode(compressedToPacked({ codes, scales, zeros }, shape))], [...weights]);
  });
}

for (const { parameters, tensors, weights } of await referenceVectors("torchao")) {
  Deno.test(`signed bytes ${JSON.stringify(parameters)} are what torchao dequantises`, () => {
    const packed = compressedToPacked({
      codes: new Int8Array(tensors.qdata.bytes.buffer),
      scales: new Uint16Array(tensors.scale.bytes.buffer),
      zeros: tensors.zero_point && new Int8Array(tensors.zero_point.bytes.buffer),
    }, parameters as unknown as CompressedShape);
    assertEquals([...decode(packed)], [...weights]);
  });
}

Deno.test("compressed-tensors: signed bytes decode as the same bytes packed", () => {
  const { parameters, tensors, weights } = vectors.find(({ parameters }) =>
    parameters.bits === 8 && parameters.symmetric === false
  )!;
  const shape = parameters as unknown as CompressedShape;
  const signed = (bytes: Uint8Array) => Int8Array.from(bytes, (byte) => byte - 128);
  const groups = shape.columns / shape.group;
  const words = tensors.weight_zero_point.bytes;
  // Byte i of word w of a group is the zero point of row 4w + i.
  const zeros = signed(
    Uint8Array.from({ length: shape.rows * groups }, (_, at) => {
      const [row, g] = [Math.floor(at / groups), at % groups];
      return words[(Math.floor(row / 4) * groups + g) * 4 + row % 4];
    }),
  );
  const packed = compressedToPacked({
    codes: signed(tensors.weight_packed.bytes),
    scales: new Uint16Array(tensors.weight_scale.bytes.buffer),
    zeros,
  }, shape);
  assertEquals([...decode(packed)], [...weights]);
});

Deno.test("compressed-tensors: what cannot be is refused by name", () => {
  const planes = {
    codes: new Int32Array(16),
    scales: new Uint16Array(4),
    zeros: new Int32Array(2),
  };
  const shape: CompressedShape = {
    bits: 4,
    group: 32,
    symmetric: false,
    rows: 2,
    columns: 64,
    name: "q",
  };
  compressedToPacked(planes, shape);
  const names = { codes: "weight_packed", scales: "weight_scale", zeros: "weight_zero_point" };
  for (const plane of ["codes", "scales", "zeros"] as const) {
    const cut = { ...planes, [plane]: planes[plane].slice(1) };
    const message = `Cannot unpack "q": "${names[plane]}" has`;
    assertThrows(() => compressedToPacked(cut, shape), TypeError, message);
  }
  assertThrows(
    () => compressedToPacked({ ...planes, zeros: undefined }, shape),
    TypeError,
    '"weight_zero_point" has 0 elements, expected 2',
  );
  const wrong: [Record<string, unknown>, string][] = [
    [{ bits: 5 }, "5 bits"],
    [{ group: 48 }, "groups of 48"],
    [{ group: 128 }, "groups of 128 in 64 columns"],
    [{ columns: 48, group: -1 }, "multiple of 32"],
    [{ rows: 0.5 }, "not a valid shape"],
  ];
  for (const [change, message] of wrong) {
    assertThrows(
      () => compressedToPacked(planes, { ...shape, ...change } as CompressedShape),
      RangeError,
      message,
    );
  }
});
