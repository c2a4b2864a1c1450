/**
 * Named optimisers whose offsets move by an update rule, most with state per offset: sign, momentum, Adam.
 *
 * What the other named ones have in common holds here too: offsets instead of moving parameters in place, z from a table. Momentum and Adam come in two kinds: `state: "stored"` keeps
 * one or two f32 values per offset on the device, as published; `state: "seeds"` keeps none and makes the directions of the
 * last `length` steps again, at a hash per offset and step. Both replay from a ledger to the same bits on every device.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { adam, adamw } from "../updates/adam.ts";
import { decayOffsets } from "../transformations/decay_offsets.ts";
import { momentum as momentumRule } from "../updates/momentum.ts";
import { adamFromSeeds, momentumFromSeeds } from "../transformations/momentum_from_seeds.ts";
import { type NamedOptions, namedRules } from "./named.ts";
import { type Optimiser, optimiser } from "../optimiser.ts";
import { scaleBySchedule } from "../transformations/scale_by_schedule.ts";
import { scaled } from "../transformations/schedule.ts";
import { signDerivative } from "../transformations/sign_derivative.ts";
import { signOfElement } from "../updates/sign_of_element.ts";
import { spsa } from "../estimators/spsa.ts";

/** Arguments of {@linkcode zoSgdSign}. */
export interface ZoSgdSignOptions extends NamedOptions {
  /** Move by `sign(d) z`, as ZO-Bench's released code does; false by default. */
  readonly asReleased?: boolean;
}

/**
 * ZO-SGD-Sign: every element moves by the learning rate, 1e-6, against the sign of its estimate.
 *
 * Departures: directions are Rademacher, so that no element of z is 0. ZO-Bench's code has `sign(d) z` with normal z, which is no
 * sign of the element (`asReleased` with `distribution: "normal"` does that), and its sweep leaves the step to AdamW by mistake;
 * here it is plain.
 *
 * Source: Liu, Chen, Chen, Hong, "signSGD via zeroth-order oracle" (ICLR 2019); ZO-Bench (arXiv 2402.11592).
 *
 * @example Only the sign counts
 * ```ts
 * import { Session, zoSgdSign } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const session = new Session({ parameters: [0, 0, 0], optimiser: zoSgdSign({ learningRate: 0.5 }) });
 * session.tell([9, 1]);
 * assertEquals(session.offsets.map(Math.abs), new Float32Array([0.5, 0.5, 0.5]));
 * ```
 */
export function zoSgdSign(options: ZoSgdSignOptions = {}): Optimiser {
  assertOptions("make zoSgdSign", options, { ...namedRules, asReleased: "any" });
  const { learningRate = 1e-6, asReleased = false } = options;
  return optimiser({
    ...options,
    name: "zoSgdSign",
    distribution: options.distribution ?? "rademacher",
    estimator: spsa(options),
    ...asReleased
      ? { transformations: [signDerivative(), scaleBySchedule(learningRate)] }
      : { update: signOfElement({ learningRate }) },
  });
}

/** Where momentum and Adam have their past: in values kept per offset, or in the last steps' seeds. */
export type MomentState = "stored" | "seeds";

/** Both. */
export const momentStates: readonly MomentState[] = ["stored", "seeds"];

/** Arguments of {@linkcode zoSgdMomentum} and {@linkcode zoAdam}. */
export interface MomentumOptions extends NamedOptions {
  /** Share of the momentum that a step keeps; 0.9 by default. */
  readonly momentum?: number;
  /** Where the past is kept; `"stored"` by default. */
  readonly state?: MomentState;
  /** Steps that the momentum reaches back; 32 by default. Only with `state: "seeds"`. */
  readonly length?: number;
}

/** Whether the past is in seeds; refuses what would have no effect. */
function fromSeeds(name: string, { state = "stored", length }: MomentumOptions): boolean {
  if (!momentStates.includes(state)) {
    throw new RangeError(
      `Cannot make ${name}: unknown state ${JSON.stringify(state)}, known are ${
        momentStates.join(", ")
      }`,
    );
  }
  if (state === "stored" && length !== undefined) {
    throw new RangeError(
      `Cannot make ${name}: a length of ${length} needs state "seeds", stored state has none`,
    );
  }
  return state === "seeds";
}

/**
 * ZO-SGD-MMT: momentum 0.9, learning rate 1e-6; one f32 per offset.
 *
 * Departures: none known in the rule. With `state: "seeds"` momentum ends after
 * `length` steps, 3 % of its weight.
 *
 * Source: ZO-Bench (arXiv 2402.11592), `momentum 0.9`; recomputed as MeZO (arXiv 2305.17333, appendix B.2) proposes.
 *
 * @example One value per offset, or 32 directions a step
 * ```ts
 * import { zoSgdMomentum } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([zoSgdMomentum().update?.stateSize, zoSgdMomentum().moves], [1, 1]);
 * assertEquals(zoSgdMomentum({ state: "seeds" }).moves, 32);
 * ```
 */
export function zoSgdMomentum(options: MomentumOptions = {}): Optimiser {
  assertOptions("make zoSgdMomentum", options, {
    ...namedRules,
    momentum: "any",
    state: "any",
    length: "any",
  });
  const { momentum: decay, length, queries: directions, learningRate = 1e-6 } = options;
  return optimiser({
    ...options,
    name: "zoSgdMomentum",
    estimator: spsa(options),
    ...fromSeeds("zoSgdMomentum", options)
      ? {
        transformations: [
          momentumFromSeeds({ decay, length, directions }),
          scaleBySchedule(learningRate),
        ],
      }
      : { update: momentumRule({ learningRate, decay }) },
  });
}

/** Arguments of {@linkcode zoAdam}. */
export interface ZoAdamOptions extends MomentumOptions {
  /** Share of the second moment that a step keeps; 0.999 by default. */
  readonly secondMomentum?: number;
  /** Share of itself that an offset loses a step, times the learning rate: AdamW's decay, towards the base; 0 by default. */
  readonly weightDecay?: number;
}

/**
 * ZO-Adam: momenta 0.9 and 0.999, learning rate 1e-5; two f32 per offset.
 *
 * Departures: none known in the rule. With `state: "seeds"` (see {@linkcode adamFromSeeds}) directions are Rademacher, of which one
 * a step makes it Adam exactly up to the cut of the momentum after `length` steps; several, or normal ones, share one second
 * moment; and weight decay is in portions (see {@linkcode decayOffsets}).
 *
 * Source: ZO-Bench (arXiv 2402.11592), `--trainer zo_adam`; MeZO (arXiv 2305.17333, appendix B.2).
 *
 * @example The first step has the size of the learning rate
 * ```ts
 * import { minimise, zoAdam } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const optimiser = zoAdam({ learningRate: 0.5, distribution: "rademacher" });
 * const objective = ([x, y]: Float32Array) => 9 * x * x + y;
 * for await (const { session } of minimise({ parameters: [3, -2], optimiser, steps: 1, objective })) {
 *   assertAlmostEquals(Math.abs(session.offsets[1]), 0.5, 1e-4);
 * }
 * ```
 */
export function zoAdam(options: ZoAdamOptions = {}): Optimiser {
  assertOptions("make zoAdam", options, {
    ...namedRules,
    momentum: "any",
    state: "any",
    length: "any",
    secondMomentum: "any",
    weightDecay: "any",
  });
  return adamNamed("zoAdam", options);
}

/**
 * {@linkcode zoAdam} with AdamW's decoupled weight decay, 0.01, towards the base.
 *
 * Source: Loshchilov and Hutter (arXiv 1711.05101), on zeroth-order gradients.
 *
 * @example The decay is the rule's
 * ```ts
 * import { zoAdamW } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(zoAdamW().update?.parameters.weightDecay, 0.01);
 * ```
 */
export function zoAdamW(options: ZoAdamOptions = {}): Optimiser {
  assertOptions("make zoAdamW", options, {
    ...namedRules,
    momentum: "any",
    state: "any",
    length: "any",
    secondMomentum: "any",
    weightDecay: "any",
  });
  return adamNamed("zoAdamW", { ...options, weightDecay: options.weightDecay ?? 0.01 });
}

function adamNamed(name: string, options: ZoAdamOptions): Optimiser {
  const { momentum: decay, secondMomentum: secondDecay, length, queries: directions } = options;
  const { learningRate = 1e-5, weightDecay = 0 } = options;
  const rule = { learningRate, decay, secondDecay };
  if (!fromSeeds(name, options)) {
    const update = weightDecay > 0 ? adamw({ ...rule, weightDecay }) : adam(rule);
    return optimiser({ ...options, name, estimator: spsa(options), update });
  }
  return optimiser({
    ...options,
    name,
    distribution: options.distribution ?? "rademacher",
    estimator: spsa(options),
    transformations: [
      adamFromSeeds({ decay, secondDecay, length, directions }),
      scaleBySchedule(learningRate),
      ...weightDecay > 0 ? [decayOffsets(scaled(learningRate, weightDecay), { directions })] : [],
    ],
  });
}
