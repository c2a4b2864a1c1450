/**
 * The f64 oracle of log-softmax with target gather.
 *
 * @module
 */

/** `log softmax(logits)` of one row. */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  let top = -Infinity;
  for (let i = 0; i < logits.length; i++) top = Math.max(top, logits[i]);
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp(logits[i] - top);
  const logTotal = Math.log(total);
  const result = new Float64Array(logits.length);
  for (let i = 0; i < result.length; i++) result[i] = logits[i] - top - logTotal;
  return result;
}

/** Log-probability of `targets[row]` under each row of `logits` `[rows][vocabulary]`. */
export function targetLogProbabilities(
  logits: Float64Array | Float32Array,
  vocabulary: number,
  targets: ArrayLike<number>,
): Float64Array {
  const result = new Float64Array(targets.length);
  for (let row = 0; row < targets.length; row++) {
    const at = row * vocabulary;
    result[row] = logSoftmax(logits.subarray(at, at + vocabulary))[targets[row]];
  }
  return result;
}
