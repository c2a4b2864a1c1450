/**
 * Linear layers as GPTQ and AWQ store them, whatever the module.
 *
 * @module
 */
import {
  awqWords,
  gptqWords,
  plainWeights,
  randomMatrix,
  scaleBits,
} from "../quant/transposed_writer.ts";
import { type StoredLinear, tensorData } from "./quantised_folder.ts";

/** 4 bits in groups of 32, with zero points; GPTQ's of the first version, without an order of columns. */
export function transposedLinear(
  method: "gptq" | "awq",
): (module: string, rows: number, columns: number, seed: number) => StoredLinear {
  return (module, rows, columns, seed) => {
    const m = randomMatrix(seed, 4, 32, rows, columns);
    const groups = m.scales.length / rows;
    const { qweight, qzeros } = method === "awq" ? awqWords(m) : gptqWords(m, "v1");
    const codes = method === "awq" ? [columns, rows / 8] : [columns / 8, rows];
    return {
      tensors: [
        tensorData(`${module}.scales`, "F16", [groups, rows], scaleBits(m)),
        tensorData(`${module}.qweight`, "I32", codes, qweight),
        tensorData(`${module}.qzeros`, "I32", [groups, rows / 8], qzeros),
      ],
      weights: plainWeights(m),
    };
  };
}
