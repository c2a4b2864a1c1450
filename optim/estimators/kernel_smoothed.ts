/**
 * Kernel smoothing: each direction has a radius, drawn from its seed, and a weight for its derivative.
 *
 * @module
 */
import type { Estimator, Radius } from "./estimator.ts";
import type { Seed } from "../directions/seed.ts";
import { threefry2x32 } from "../directions/threefry.ts";

/** `K(r) = r (a + b r^2 + c r^4)`: `E[r K(r)] = 1` for r uniform from -1 to 1, and `E[r^j K(r)] = 0` for other j below the order. */
const kernels: Readonly<Record<number, readonly [number, number, number]>> = {
  2: [3, 0, 0],
  4: [75 / 4, -105 / 4, 0],
  6: [3675 / 64, -6615 / 32, 10395 / 64],
};

/**
 * The weight of a radius.
 *
 * @throws {RangeError} for an order without a kernel.
 */
function smoothingKernel(order: number, r: number): number {
  const coefficients = kernels[order];
  if (!coefficients) {
    throw new RangeError(
      `Cannot make a kernel of order ${order}; expected one of ${Object.keys(kernels).join(", ")}`,
    );
  }
  const [a, b, c] = coefficients;
  return r * (a + r * r * (b + r * r * c));
}

/** A counter beyond any quad of a tensor, so no element uses it. */
const radiusCounter = [0xffffffff, 0x72616469] as const;

/** A radius between -1 and 1: an odd multiple of 1/65536, so it is never 0. */
function radiusOf(seed: Seed): number {
  const [word] = threefry2x32(seed, radiusCounter);
  return (2 * (word & 0xffff) + 1) / 65536 - 1;
}

/**
 * Another estimator with its amplitudes multiplied by a radius `r` that is uniform from -1 to 1 and drawn for each direction, and with its
 * derivatives multiplied by `K(r)`. On average over the radii, the bias due to third derivatives (order 4), and also that due to fifth
 * derivatives (order 6), cancels. Order 2 reduces the first to three fifths and has the least noise. Variances grow: the derivative of a linear
 * function is multiplied by `r K(r)`, with mean 1 and variance 0.8, 5.25 and 12.25.
 *
 * Radius and weight follow from the direction's seed. The weight is part of the coefficient, so a replay needs neither.
 *
 * Source: the kernels of Bach and Perchet, "Highly-smooth zero-th order online optimization" (arXiv 1605.08165) and Polyak and Tsybakov (1990),
 * as used by KerZOO (arXiv 2505.18886). The published factor 195/64 for order 6 gives `E[r K(r)] = 13/7`; here it is 105/64.
 *
 * @throws {RangeError} for an order other than 2, 4 or 6.
 *
 * @example Radius and weight of a direction
 * ```ts
 * import { kernelSmoothed, masterSeed, spsa, stepSeed } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { factor, weight } = kernelSmoothed(spsa()).radius!(stepSeed(masterSeed(1), 0, 0));
 * assertEquals([Math.abs(factor) < 1, weight], [true, 3 * factor]);
 * ```
 */
export function kernelSmoothed(estimator: Estimator, order: number = 2): Estimator {
  smoothingKernel(order, 1);
  return {
    ...estimator,
    name: "kernelSmoothed",
    parameters: { order, of: { name: estimator.name, parameters: estimator.parameters } },
    radius(seed): Radius {
      const factor = radiusOf(seed);
      return { factor, weight: smoothingKernel(order, factor) };
    },
  };
}
