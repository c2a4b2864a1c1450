/**
 * Which heads are too wide for kernels that hold them in registers.
 *
 * @module
 */

/** Models in use have 64 to 256; wider ones, which compile for 22 s (512) and 117 s (1024) on lavapipe, are looped over. */
const WIDEST_UNROLLED_HEAD = 256;

/** Whether attention goes over a head in a loop, whose sums lie where the result will. */
export function isLooped(headDimension: number): boolean {
  return headDimension > WIDEST_UNROLLED_HEAD;
}
