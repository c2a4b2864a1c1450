import { assert } from "@std/assert";
import { halfToNumber } from "../reference/effective_weights.ts";
import { relativeL2 } from "../reference/nmse.ts";
import { ggufDecodeJudge } from "./gguf_decode_judge.ts";
import { llamaCppMissing } from "./llama_cpp.ts";
import { randomNumbers } from "./random_llama.ts";

const missing = await llamaCppMissing();
const rows = 5;
const columns = 64;

/** Bytes of a block of 32 weights, and its decode. */
interface BlockType {
  readonly type: number;
  readonly size: number;
  readonly halves: number;
  readonly decode: (halves: number[], payload: Uint8Array, i: number) => number;
}

const nibble = (payload: Uint8Array, i: number): number =>
  i < 16 ? payload[i] & 15 : payload[i - 16] >> 4;

const types: Record<string, BlockType> = {
  Q4_0: { type: 2, size: 18, halves: 1, decode: ([d], p, i) => d * (nibble(p, i) - 8) },
  Q4_1: { type: 3, size: 20, halves: 2, decode: ([d, m], p, i) => d * nibble(p, i) + m },
  Q8_0: { type: 8, size: 34, halves: 1, decode: ([d], p, i) => d * (p[i] << 24 >> 24) },
};

for (const [name, { type, size, halves, decode }] of Object.entries(types)) {
  Deno.test({
    name: `llama.cpp decodes random ${name} blocks as documented` +
      (missing ? ` (skipped: ${missing})` : ""),
    ignore: missing !== undefined,
    fn: async () => {
      const random = randomNumbers(type);
      const bytes = Uint8Array.from({ length: rows * columns / 32 * size }, () => random() * 256);
      const expected: number[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        const values = Array.from({ length: halves }, (_, h) => {
          // Half precision of either sign between 2^-10 and 2^-6: no infinities among random scales.
          bytes[at + 2 * h + 1] = (bytes[at + 2 * h + 1] & 0x83) |
            (5 + Math.floor(random() * 4)) << 2;
          return halfToNumber(bytes[at + 2 * h] | bytes[at + 2 * h + 1] << 8);
        });
        const payload = bytes.subarray(at + 2 * halves, at + size);
        for (let i = 0; i < 32; i++) expected.push(decode(values, payload, i));
      }
      const error = relativeL2(await ggufDecodeJudge(type, bytes, rows, columns), expected);
      assert(error < 1e-6, `relative L2 is ${error}`);
    },
  });
}
