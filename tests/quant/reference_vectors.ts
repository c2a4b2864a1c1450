// Vectors made by running the formats' own code: tests/fixtures/*.json, each of which says how it was made.

/** A tensor of a vector, as a file would hold it. */
export interface VectorTensor {
  readonly dtype: "U8" | "I8" | "I32" | "I64" | "F16" | "F32";
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One case: parameters, stored tensors, and the weights that the reference decodes them to. */
export interface Vector {
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, VectorTensor>>;
  readonly weights: Float32Array<ArrayBuffer>;
}

/** All cases of `tests/fixtures/NAME.json`. */
export async function referenceVectors(name: string): Promise<Vector[]> {
  const url = new URL(`../fixtures/${name}.json`, import.meta.url);
  const { cases } = JSON.parse(await Deno.readTextFile(url)) as {
    cases: (Record<string, unknown> & {
      tensors: Record<string, Omit<VectorTensor, "bytes"> & { base64: string }>;
      weights: string;
    })[];
  };
  return cases.map(({ tensors, weights, ...parameters }) => ({
    parameters,
    tensors: Object.fromEntries(
      Object.entries(tensors).map(([key, { dtype, shape, base64 }]) => [
        key,
        { dtype, shape, bytes: Uint8Array.fromBase64(base64) },
      ]),
    ),
    weights: new Float32Array(Uint8Array.fromBase64(weights).buffer),
  }));
}
