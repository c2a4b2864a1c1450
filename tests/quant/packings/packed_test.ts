// What the tests' own packers pack is what the formats' own code decodes: tests/fixtures/packed.json says how it was made.
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import fixture from "../../fixtures/packed.json" with { type: "json" };
import { type PackedCase, packedCases, readCase } from "../../support/vectors/packed_cases.ts";

interface StoredPlane {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly base64?: string;
  /** Instead of the bytes, where there are many. */
  readonly sha256?: string;
}

interface Decoded {
  readonly name: string;
  readonly tensors: Readonly<Record<string, StoredPlane>>;
  /** In what the decoder computed. */
  readonly dtype: string;
  /** Deflated. */
  readonly weights: string;
}

const decoded = fixture.cases as unknown as readonly Decoded[];
const packed = new Map((await packedCases()).map((one) => [one.name, one]));

async function inflated(base64: string): Promise<ArrayBuffer> {
  const stream = new Blob([Uint8Array.fromBase64(base64)]).stream();
  return await new Response(stream.pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
}

/**
 * How far the reader may be from the decoder, in parts of the weight. Most are the same bit for bit: a scale of f16 (or bf16, exact in
 * f16) times a difference of codes is exact in f32, or both round it alike.
 *
 * - Folded absmax of bitsandbytes are any f32, and the reader holds them as f16: half a unit of their last place.
 * - Of AQLM with several books the decoder rounds their sum to f32 before it scales; the reader does not.
 */
function tolerance({ name, settings }: PackedCase): number {
  if (name === "NF4, absmax folded") return 2 ** -11;
  return Number(settings.num_codebooks ?? 1) > 1 ? 2 ** -22 : 0;
}

Deno.test("packed: the fixture has every case that is packed", () => {
  assertEquals(decoded.map(({ name }) => name), [...packed.keys()]);
});

for (const { name, tensors, dtype, weights } of decoded) {
  const one = packed.get(name);
  if (!one) continue;
  Deno.test(`packed: ${name}: the same bytes, read as the format's own code decodes them`, async () => {
    const found = one.tensors.map(({ name, dtype, shape, bytes }) => {
      const stored = tensors[name]?.sha256
        ? { sha256: createHash("sha256").update(bytes).digest("hex") }
        : { base64: bytes.toBase64() };
      return [name, { dtype, shape: [...shape], ...stored }];
    });
    assertEquals(Object.fromEntries(found), tensors);
    const expected = await inflated(weights);
    const read = await readCase(one);
    if (dtype === "F16") {
      // The decoder multiplies in f16: the exact product, rounded once.
      assertEquals([...new Float16Array(read)], [...new Float16Array(expected)]);
      return;
    }
    const exact = new Float32Array(expected);
    const allowed = tolerance(one);
    if (allowed === 0) assertEquals([...read], [...exact]);
    assertEquals(read.length, exact.length);
    exact.forEach((value, i) => {
      assert(Math.abs(read[i] - value) <= allowed * Math.abs(value), `${read[i]}, not ${value}`);
    });
  });
}
