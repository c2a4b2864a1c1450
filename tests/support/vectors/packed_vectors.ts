/**
 * Writes all packed cases as JSON, tensors whole, for `packed_vectors.py`.
 *
 * @module
 */
import { packedCases, readCase } from "./packed_cases.ts";

const cases = await Promise.all((await packedCases()).map(async (packed) => ({
  ...packed,
  tensors: Object.fromEntries(
    packed.tensors.map(({ name, dtype, shape, bytes }) => [
      name,
      { dtype, shape, base64: bytes.toBase64() },
    ]),
  ),
  own: new Uint8Array((await readCase(packed)).buffer).toBase64(),
})));
console.log(JSON.stringify(cases));
