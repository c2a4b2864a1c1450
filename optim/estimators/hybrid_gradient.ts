/**
 * The exact gradient for a model's last blocks, and an estimate along noise for the blocks below.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions } from "../options.ts";

/** Estimators along noise whose forward passes the gradient can share. */
const ALONG_NOISE: readonly string[] = ["spsa", "forwardGradient"];

/** Arguments of {@linkcode hybridGradient}. */
export interface HybridGradientOptions {
  /** The estimate for the blocks below: {@linkcode spsa} or {@linkcode forwardGradient}. */
  readonly of: Estimator;
  /** Fraction of the blocks, counted from the last, whose gradient is exact. Greater than 0, rounded to whole blocks, at least 1. Default 2/3. */
  readonly exactShare?: number;
  /** Number of these blocks, instead of a fraction. */
  readonly exactBlocks?: number | undefined;
}

/**
 * Hybrid by depth. A model's last blocks, its last norm and its head get their exact gradient, by a backward pass that stops where these blocks
 * begin. The blocks below get the estimate `of`, from the same forward passes. Only the activations of the last blocks are stored.
 *
 * - With {@linkcode forwardGradient}, there is one backward pass, at the current offsets. The gradient is that of {@linkcode exactGradient}. The
 *   derivative along each direction is the dot product of the gradient at the end of the pass and the tangent from the blocks below, so no
 *   tangent runs through the last blocks.
 * - With {@linkcode spsa}, there is one backward pass on each side. The gradient is the mean of those at `w + epsilon z` and `w - epsilon z`,
 *   over all directions. Because only the blocks below have noise, it is the gradient of the same smoothed loss that is estimated, with an error
 *   of O(epsilon^2).
 *
 * Directions: those of `of`, then the gradient. Branches: those of `of`, then the gradient's norm. As with {@linkcode exactGradient}, the loss
 * must be computed by the device, and a ledger cannot replay the steps.
 *
 * Source: the hybrid of Zhang et al. (arXiv 2402.11592, zeroth order in the first third of the blocks). The points at which gradients are taken
 * are this library's choice.
 *
 * @throws {RangeError} for another estimator, or a fraction or number out of range.
 *
 * @example Two directions below, and the gradient of 4 of 6 blocks
 * ```ts
 * import { forwardGradient, hostOps, hybridGradient } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const hybrid = hybridGradient({ of: forwardGradient({ queries: 2 }) });
 * assertEquals([hybrid.directions, hybrid.exactBlocks!(6)], [3, 4]);
 * assertEquals(hybrid.derivatives(hostOps, [4.5, 3, -1, 0.25]), [3, -1, 0.25]);
 * ```
 */
export function hybridGradient(options: HybridGradientOptions): Estimator {
  const what = "make hybridGradient";
  assertOptions(what, options, {
    of: "any",
    exactShare: { min: 0, max: 1, above: true },
    exactBlocks: { min: 1, max: 65536, whole: true },
  });
  const { of, exactShare = 2 / 3, exactBlocks } = options;
  if (!ALONG_NOISE.includes(of?.name)) {
    throw new RangeError(
      `Cannot ${what}: of must be one of ${ALONG_NOISE.join(", ")}, not ${
        JSON.stringify(of?.name)
      }, whose forwards are not those of an estimate at a point`,
    );
  }
  const { name, parameters, directions, branches, tangents } = of;
  return {
    name: "hybridGradient",
    parameters: {
      ...(exactBlocks === undefined ? { exactShare } : { exactBlocks }),
      of: { name, parameters },
    },
    directions: directions + 1,
    branches: [...branches, { direction: directions, amplitude: 1 }],
    exact: true,
    ...(tangents ? { tangents } : {}),
    exactBlocks: (blocks) =>
      Math.max(1, Math.min(blocks, exactBlocks ?? Math.round(exactShare * blocks))),
    derivatives: (o, losses) => [...of.derivatives(o, losses.slice(0, -1)), losses.at(-1)!],
  };
}
