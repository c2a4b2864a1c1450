/**
 * An estimate along noise on one batch, beside the gradient itself on another.
 *
 * @module
 */
import type { Estimator } from "./estimator.ts";
import { assertOptions } from "../options.ts";

/** Estimators along noise that a gradient may stand beside. */
const ALONG_NOISE: readonly string[] = ["spsa", "forwardGradient", "oneSided"];

/** Arguments of {@linkcode mixedGradient}. */
export interface MixedGradientOptions {
  /** The estimate along noise: {@linkcode spsa}, {@linkcode oneSided} or {@linkcode forwardGradient}. */
  readonly of: Estimator;
  /** Tokens of an example: longer ones are looked at along noise, all others by the gradient. Default: both draw from all. */
  readonly longerThan?: number | undefined;
  /** Examples of a batch along noise. Default: as many as in the other. */
  readonly noiseBatchSize?: number | undefined;
}

/**
 * Hybrid by length. Each step takes two batches: of long examples an estimate along noise, whose activations are not kept, and of short ones the
 * exact gradient, whose are. All that is trained moves along both; {@linkcode apart} weighs them.
 *
 * Directions: those of `of`, then the gradient. Branches: those of `of`, the value on the gradient's batch, the gradient's norm. Like {@linkcode
 * exactGradient} it is for losses that the device computes, and no ledger replays it.
 *
 * Source: Li et al., "Addax: Utilizing zeroth-order gradients to improve memory efficiency and performance of SGD for fine-tuning language models"
 * (arXiv 2410.06441).
 *
 * @throws {RangeError} For another estimator, or a number out of range
 *
 * @example Examples of more than 200 tokens along noise, four at a time
 * ```ts
 * import { hostOps, mixedGradient, spsa } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const mixed = mixedGradient({ of: spsa({ epsilon: 0.5 }), longerThan: 200, noiseBatchSize: 4 });
 * assertEquals([mixed.directions, mixed.branches.length], [2, 4]);
 * assertEquals(mixed.derivatives(hostOps, [4.5, 1.5, 2, 0.25]), [3, 0.25]);
 * ```
 */
export function mixedGradient(options: MixedGradientOptions): Estimator {
  const what = "make mixedGradient";
  assertOptions(what, options, {
    of: "any",
    longerThan: { min: 1, max: 2147483648, whole: true },
    noiseBatchSize: { min: 1, max: 65536, whole: true },
  });
  const { of, longerThan, noiseBatchSize } = options;
  if (!ALONG_NOISE.includes(of?.name)) {
    throw new RangeError(
      `Cannot ${what}: of must be one of ${ALONG_NOISE.join(", ")}, not ${
        JSON.stringify(of?.name)
      }, which does not compute derivatives along directions`,
    );
  }
  const { name, parameters, directions, branches, tangents } = of;
  const batches = {
    ...(longerThan === undefined ? {} : { longerThan }),
    ...(noiseBatchSize === undefined ? {} : { noiseBatchSize }),
  };
  return {
    name: "mixedGradient",
    parameters: { ...batches, of: { name, parameters } },
    directions: directions + 1,
    branches: [
      ...branches,
      { direction: directions, amplitude: 1 },
      { direction: directions, amplitude: 0 },
    ],
    exact: true,
    ...(tangents ? { tangents } : {}),
    batches,
    derivatives: (o, losses) => [...of.derivatives(o, losses.slice(0, -2)), losses.at(-1)!],
  };
}
