/**
 * The exact derivative along a direction.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions, directions } from "../options.ts";

/** Arguments of {@linkcode forwardGradient}. */
export interface ForwardGradientOptions {
  /** Directions per step, at most 1024. Their tangents share one evaluation. Default 1. */
  readonly queries?: number;
}

/**
 * The derivative of the loss along z, by forward-mode differentiation: without epsilon, without differences of nearly equal losses, and without
 * bias from curvature. It is the limit of {@linkcode spsa} for small epsilon, along the same directions. Branches: the value, then the tangent
 * along each direction.
 *
 * Source: Baydin et al., "Gradients without backpropagation" (arXiv 2202.08587).
 *
 * @example The derivative is returned unchanged
 * ```ts
 * import { forwardGradient, hostOps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(forwardGradient({ queries: 2 }).derivatives(hostOps, [4.5, 3, -1]), [3, -1]);
 * ```
 */
export function forwardGradient(options: ForwardGradientOptions = {}): Estimator {
  assertOptions("make forwardGradient", options, { queries: directions });
  const { queries = 1 } = options;
  return {
    name: "forwardGradient",
    parameters: { queries },
    directions: queries,
    branches: [
      { direction: 0, amplitude: 0 },
      ...Array.from({ length: queries }, (_, direction) => ({ direction, amplitude: 1 })),
    ],
    tangents: true,
    derivatives: (_, losses) => losses.slice(1),
  };
}
