/**
 * ZO-SGD-Sign.
 *
 * @module
 */
import type { OptionsOf } from "../declared_option.ts";
import { spsa } from "../estimators/spsa.ts";
import { named, type NamedOptimiser, type NamedOptions } from "../named_optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { signDerivative } from "../transformations/sign_derivative.ts";
import { signOfElement } from "../updates/sign_of_element.ts";

/** Options of {@linkcode zoSgdSign} besides {@linkcode NamedOptions}. */
export const ZoSgdSignOptions = {
  asReleased: {
    doc: "move by sign(d) z, as ZO-Bench's released code does",
    flag: true,
    default: false,
  },
} as const;
/** Arguments of {@linkcode zoSgdSign}. */
export type ZoSgdSignOptions = NamedOptions & OptionsOf<typeof ZoSgdSignOptions>;

/**
 * ZO-SGD-Sign: every element moves by the learning rate, 1e-6, against the sign of its gradient estimate.
 *
 * Differences from the source: directions are Rademacher, so that no element of z is 0. ZO-Bench's code uses `sign(d) z` with normal z, which is
 * not the sign of the element (`asReleased` with `distribution: "normal"` does the same). Its sweep also mistakenly leaves the step to AdamW;
 * here the step is plain.
 *
 * Source: Liu, Chen, Chen, Hong, "signSGD via zeroth-order oracle" (ICLR 2019); ZO-Bench (arXiv 2402.11592).
 *
 * @example Only the sign matters
 * ```ts
 * import { Session, zoSgdSign } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const session = new Session({ parameters: [0, 0, 0], optimiser: zoSgdSign({ learningRate: 0.5 }) });
 * session.tell([9, 1]);
 * assertEquals(session.offsets.map(Math.abs), new Float32Array([0.5, 0.5, 0.5]));
 * ```
 */
export const zoSgdSign: NamedOptimiser<typeof ZoSgdSignOptions> = named({
  name: "zoSgdSign",
  summary: "every element moves by the learning rate, against the sign of its estimate",
  source: "arXiv 2402.11592",
  defaults: { learningRate: 1e-6, distribution: "rademacher" },
  options: ZoSgdSignOptions,
  make: ({ epsilon, queries, learningRate, asReleased }) => ({
    estimator: spsa({ epsilon, queries }),
    ...asReleased
      ? { transformations: [signDerivative(), scaleBySchedule(learningRate)] }
      : { update: signOfElement({ learningRate }) },
  }),
});
