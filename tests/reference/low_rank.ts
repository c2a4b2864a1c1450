/**
 * The f64 oracle of LoRA: what two narrow matrices add to a product, and the one matrix that all of it is.
 *
 * @module
 */

/** A is `[rank][inputs]`, B by its columns `[rank][outputs]`. */
export interface LowRankOf {
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly rank: number;
  readonly scale: number;
}

/** `W + scale * B A`, row-major `[outputs][inputs]`. */
export function mergedWeights(
  weights: ArrayLike<number>,
  { a, b, rank, scale }: LowRankOf,
): Float64Array {
  const inputs = a.length / rank;
  const outputs = b.length / rank;
  return Float64Array.from(weights, (w, i) => {
    const [n, k] = [Math.floor(i / inputs), i % inputs];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += b[r * outputs + n] * a[r * inputs + k];
    return w + scale * sum;
  });
}
