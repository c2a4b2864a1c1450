/**
 * The initial values of an adapter, generated from a seed. They are the same everywhere, so no file is needed.
 *
 * @module
 */

import { masterSeed } from "../../optim/directions/seed.ts";
import { tensorId } from "../../optim/directions/tensor_id.ts";
import { threefry2x32 } from "../../optim/directions/threefry.ts";
import type { AdapterTensor } from "./scheme.ts";

/** First word of the counter for adapters' seeds. Counters of steps have the high bit of the second word set. */
const ADAPTERS = 0x61646170;
/** The corresponding word for random tokens. */
const TOKENS = 0x746f6b65;

/** Uniformly random tokens from a vocabulary, determined by the seed. */
export function drawnTokens(count: number, vocabulary: number, seed: number): number[] {
  const key = threefry2x32(masterSeed(seed), [TOKENS, 0]);
  return Array.from(
    { length: count },
    (_, i) => Math.floor(threefry2x32(key, [i, 0])[0] / 2 ** 32 * vocabulary),
  );
}

/** Number of uniform random numbers whose sum has variance 1. */
const SUMMED = 12;

/** Approximately normal random numbers: sums of twelve uniform ones, which are exact everywhere. None exceeds six standard deviations. */
function normals(
  out: Float32Array<ArrayBuffer>,
  deviation: number,
  { name, seed }: { readonly name: string; readonly seed: number },
): Float32Array<ArrayBuffer> {
  const key = threefry2x32(masterSeed(seed), [ADAPTERS, 0]);
  const id = tensorId(name);
  for (let i = 0; i < out.length; i++) {
    let sum = -SUMMED / 2;
    for (let word = 0; word < SUMMED / 4; word++) {
      for (const bits of threefry2x32(key, [i * (SUMMED / 4) + word, id])) {
        sum += ((bits & 0xffff) + (bits >>> 16) + 1) / 65536;
      }
    }
    out[i] = sum * deviation;
  }
  return out;
}

/**
 * The initial values of an adapter's tensor, as laid out on the device. A uniform number is the centre of one of 65,536 equal parts of its
 * range. Element i is 16 bits of `threefry2x32(key, [i >> 2, id])`, where `key = threefry2x32(seed, [0x61646170, 0])` and `id` is the tensor's
 * id in the noise generator. Normal numbers are sums of twelve uniform ones.
 *
 * @example Zeros, and a uniform distribution
 * ```ts
 * import { initialValues } from "@qzo/qzo/models";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const shape = { name: "b", rows: 2, columns: 4 };
 * assertEquals(initialValues({ ...shape, initial: "zeros" }, 0), new Float32Array(8));
 * const drawn = initialValues({ ...shape, initial: { uniform: 0.5 } }, 0);
 * assert(drawn.every((value) => Math.abs(value) < 0.5));
 * ```
 */
export function initialValues(
  { name, rows, columns, initial }: Pick<AdapterTensor, "name" | "rows" | "columns" | "initial">,
  seed: number,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rows * columns);
  if (initial === "zeros") return out;
  if ("values" in initial) {
    out.set(initial.values);
    return out;
  }
  if ("normal" in initial) return normals(out, initial.normal, { name, seed });
  const bound = initial.uniform;
  const key = threefry2x32(masterSeed(seed), [ADAPTERS, 0]);
  const id = tensorId(name);
  for (let i = 0; i < out.length; i += 4) {
    const [low, high] = threefry2x32(key, [i >>> 2, id]);
    out[i] = ((2 * (low & 0xffff) + 1) / 65536 - 1) * bound;
    out[i + 1] = ((2 * (low >>> 16) + 1) / 65536 - 1) * bound;
    out[i + 2] = ((2 * (high & 0xffff) + 1) / 65536 - 1) * bound;
    out[i + 3] = ((2 * (high >>> 16) + 1) / 65536 - 1) * bound;
  }
  return out;
}
