/**
 * The f64 oracle of rotary position embedding (Su et al. 2021, section 3.2.2).
 *
 * @module
 */

/**
 * Which two elements of a head turn together: `"neox"` pairs `i` with `i + headSize / 2` (Hugging Face), `"norm"` pairs
 * `2i` with `2i + 1` (GGUF's llama, llama2.c).
 */
export type RopeConvention = "neox" | "norm";

/** Which elements of a head turn, its first, and how long they become. Default: all of them, as they are. */
export interface RopePart {
  readonly rotated?: number | undefined;
  readonly magnitude?: number | undefined;
}

/**
 * Turns pair `i` of every head of `x` `[rows][heads * headSize]` by `positions[row] * base^(-2i / headSize)`.
 *
 * `positions` is repeated for every branch when `x` has more rows than positions. `factors`, one a pair, divide the
 * frequencies (Llama 3's long-context scaling).
 */
export function rope(
  x: ArrayLike<number>,
  positions: ArrayLike<number>,
  heads: number,
  headSize: number,
  base: number,
  convention: RopeConvention,
  factors: ArrayLike<number> | null = null,
  { rotated = headSize, magnitude = 1 }: RopePart = {},
): Float64Array {
  const y = Float64Array.from(x);
  const width = heads * headSize;
  const half = rotated / 2;
  for (let row = 0; row < x.length / width; row++) {
    const position = positions[row % positions.length];
    for (let i = 0; i < half; i++) {
      const angle = position * base ** (-2 * i / rotated) / (factors ? factors[i] : 1);
      const cos = magnitude * Math.cos(angle);
      const sin = magnitude * Math.sin(angle);
      for (let head = 0; head < heads; head++) {
        const at = row * width + head * headSize;
        const first = at + (convention === "neox" ? i : 2 * i);
        const second = at + (convention === "neox" ? i + half : 2 * i + 1);
        y[first] = x[first] * cos - x[second] * sin;
        y[second] = x[first] * sin + x[second] * cos;
      }
    }
  }
  return y;
}
