/**
 * How far a kernel's output is from its oracle.
 *
 * @module
 */

/** Squared error and squared energy of the expected values, in f64. */
function energies(actual: ArrayLike<number>, expected: ArrayLike<number>): [number, number] {
  if (actual.length !== expected.length) {
    throw new TypeError(`Cannot compare ${actual.length} values with ${expected.length}`);
  }
  let error = 0;
  let energy = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    energy += expected[i] ** 2;
  }
  return [error, energy];
}

/**
 * `sum (actual - expected)² / sum expected²`; 0 when both are zero, NaN when a value is not finite.
 *
 * @throws {TypeError} when the lengths differ.
 */
export function normalisedMeanSquaredError(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
): number {
  const [error, energy] = energies(actual, expected);
  return error === 0 ? 0 : error / energy;
}

/**
 * `‖actual - expected‖ / ‖expected‖`, the square root of the normalised mean squared error.
 *
 * @throws {TypeError} when the lengths differ.
 */
export function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  return Math.sqrt(normalisedMeanSquaredError(actual, expected));
}
