/**
 * The gradient itself of a model's last blocks, and an estimate along noise of what lies below.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions } from "../options.ts";

/** Estimators along noise whose forwards the gradient can share. */
const ALONG_NOISE: readonly string[] = ["spsa", "forwardGradient"];

/** Arguments of {@linkcode hybridGradient}. */
export interface HybridGradientOptions {
  /** The estimate of what lies below: {@linkcode spsa} or {@linkcode forwardGradient}. */
  readonly of: Estimator;
  /** Share of the blocks whose gradient is exact, the last ones, above 0; rounded to whole blocks, at least 1. 2/3 by default. */
  readonly exactShare?: number;
  /** Their number, in place of a share. */
  readonly exactBlocks?: number | undefined;
}

/**
 * Hybrid by depth. A model's last blocks, its last norm and its head get their exact gradient: a backward pass that stops where they begin. What is
 * below gets the estimate `of`, from the same forwards. Activations are kept of the last blocks alone.
 *
 * - Of {@linkcode forwardGradient} there is one backward pass, at the offsets as they are: the gradient is that of {@linkcode exactGradient}, and the
 *   derivative along each direction is the product of the slope that the pass ends with and the tangent that the blocks below arrive with. So
 *   no tangent runs through the last blocks.
 * - Of {@linkcode spsa} there is one on each side: the gradient is the mean of those at `w + epsilon z` and `w - epsilon z`, of all directions. The noise
 *   is below alone, so this is the slope of the same smoothed loss that the estimate is of, with an error of O(epsilon^2).
 *
 * Directions: those of `of`, then the gradient. Branches: those of `of`, then the gradient's norm. Like {@linkcode exactGradient} it is for losses
 * that the device computes, and no ledger replays it.
 *
 * Source: the hybrid of Zhang et al. (arXiv 2402.11592, ZO on the first third of the blocks); where its gradients are taken is ours.
 *
 * @throws {RangeError} For another estimator, or a share or number out of range
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
