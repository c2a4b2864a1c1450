/**
 * GPTQ's two conventions for zero points: v1 stores them minus 1, v2 as they are. Writers have used either name for either convention, but symmetric
 * quantisation has only one zero point, half the number of codes, so the stored values show the convention.
 *
 * @module
 */

import type { StoredWords } from "../../../quant/packings/transposed.ts";

/** How zero points are stored. */
export type GptqVersion = "v1" | "v2";

/**
 * The convention that the stored zero points of a symmetric tensor show: v1 if all are half the number of codes minus 1, v2 if all are half the
 * number of codes. Undefined if the values are not those of a symmetric tensor.
 *
 * @param settings `declared`: whether the settings say that the tensor is symmetric.
 * @throws {RangeError} when a tensor is declared symmetric and contains both values and no others. The message names the tensor.
 */
export function shownVersion(
  qzeros: StoredWords,
  { bits, tensor, declared }: {
    readonly bits: number;
    readonly tensor: string;
    readonly declared: boolean;
  },
): GptqVersion | undefined {
  const half = 2 ** (bits - 1);
  let [v1, v2] = [false, false];
  // Values are not split: three words of 32 bits contain 32 values of 3 bits.
  const words = bits === 3 ? 3 : 1;
  let last: bigint | undefined;
  for (let at = 0; at < qzeros.length; at += words) {
    let block = 0n;
    for (let i = 0; i < words; i++) {
      block |= BigInt(qzeros[at + i] >>> 0) << BigInt(32 * i);
    }
    if (block === last) continue;
    last = block;
    for (let i = 0; i < words * 32 / bits; i++) {
      const stored = Number((block >> BigInt(i * bits)) & BigInt(2 ** bits - 1));
      if (stored !== half && stored !== half - 1) return undefined;
      if (stored === half) v2 = true;
      else v1 = true;
    }
  }
  if (v1 && v2) {
    if (!declared) return undefined;
    throw new RangeError(
      `Cannot load tensor "${tensor}.qzeros": sym is true, but some of its zero points are ${
        half - 1
      } and some ${half}: neither "gptq" nor "gptq_v2" stores them like that`,
    );
  }
  return v1 ? "v1" : v2 ? "v2" : undefined;
}
