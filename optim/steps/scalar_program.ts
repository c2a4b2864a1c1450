/**
 * The scalar part of a step, from losses to coefficients, written once for host and device.
 *
 * @module
 */
import { directionSeed } from "../directions/direction_plan.ts";
import { NonFiniteLossError } from "../non_finite_loss_error.ts";
import { hostOps, type Ops } from "../algebra/ops.ts";
import { roundCoefficient } from "../offset.ts";
import type { Optimiser } from "../optimiser.ts";
import type { Seed } from "../directions/seed.ts";
import type { Estimator } from "../estimators/estimator.ts";

/** The result of a step's scalar part. */
export interface ScalarResult<T> {
  /** The derivative estimate of each direction, before any transformation. */
  readonly derivatives: readonly T[];
  /** The factor of z for each direction of this step, then for those of earlier steps that the transformation remembers. */
  readonly coefficients: readonly T[];
  /** The transformation's state after the step. */
  readonly state: readonly T[];
  /** Whether an update rule acts; see {@linkcode Transformed}. If absent, it always acts. */
  readonly acts?: T;
}

/** Number of host scalars of a step: one weight per direction if radii are drawn, then those of the transformation. */
export function hostScalarCount(
  { estimator, transformation }: Pick<Optimiser, "estimator" | "transformation">,
): number {
  return (estimator.radius ? estimator.directions : 0) + transformation.inputSize;
}

/** A point that a step evaluates. */
export interface Look {
  /** Seed of its direction. */
  readonly seed: Seed;
  /** Distance along the direction: the estimator's amplitude times the radius. */
  readonly amplitude: number;
  /** Whether the derivative along the direction at the first branch is needed instead of the loss there. Default false. */
  readonly tangent?: boolean;
}

/** The host's part of a step: the points of its branches, and the scalars of its program. */
export interface HostSide {
  /** Points by branch. */
  readonly looks: readonly Look[];
  /** Host scalars; {@linkcode hostScalarCount} numbers. */
  readonly scalars: readonly number[];
}

/**
 * Computes the points of a step and the scalars of its program, before anything is evaluated.
 *
 * @example The two points of a step of MeZO
 * ```ts
 * import { hostSide, masterSeed, mezo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { looks } = hostSide(mezo({ epsilon: 1e-3 }), masterSeed(1), 0);
 * assertEquals(looks.map(({ amplitude }) => amplitude), [1e-3, -1e-3]);
 * ```
 */
export function hostSide(
  { estimator, transformation, plan }: Pick<Optimiser, "estimator" | "transformation" | "plan">,
  master: Seed,
  step: number,
): HostSide {
  const seeds = Array.from(
    { length: estimator.directions },
    (_, direction) => directionSeed(plan, master, step, direction),
  );
  const radii = estimator.radius && seeds.map((seed) => estimator.radius!(seed));
  return {
    looks: estimator.branches.map(({ direction, amplitude }, branch) => ({
      seed: seeds[direction],
      amplitude: radii ? amplitude * radii[direction].factor : amplitude,
      ...(estimator.tangents && branch > 0 ? { tangent: true } : {}),
    })),
    scalars: [
      ...(radii ?? []).map(({ weight }) => weight),
      ...transformation.inputs(step),
    ],
  };
}

/** Throws a TypeError unless `values` has `length` entries. */
function checkLength(what: string, values: readonly unknown[], length: number): void {
  if (values.length === length) return;
  throw new TypeError(`Cannot make a step: ${values.length} ${what} given, expected ${length}`);
}

/**
 * The program of a step over any scalar algebra. Its coefficients are **not yet rounded**: the executor applies {@linkcode roundCoefficient} (or
 * its WGSL) to each.
 *
 * @param losses One finite value per branch, in the order of `estimator.branches`: a loss, for tangents a derivative, for an exact gradient its
 * norm.
 * @param state The transformation's state before the step.
 * @param inputs The host scalars of the step, see {@linkcode hostSide}; `transformation.inputs(step)` if no radii are drawn.
 */
export function scalarProgram<T>(
  o: Ops<T>,
  parts: Pick<Optimiser, "estimator" | "transformation">,
  losses: readonly T[],
  state: readonly T[],
  inputs: readonly T[],
): ScalarResult<T> {
  const { estimator, transformation } = parts;
  checkLength("losses", losses, estimator.branches.length);
  checkLength("state scalars", state, transformation.stateSize);
  checkLength("host scalars", inputs, hostScalarCount(parts));
  const weights = inputs.slice(0, inputs.length - transformation.inputSize);
  const derivatives = estimator.derivatives(o, losses)
    .map((d, q) => weights.length > 0 ? o.mul(d, weights[q]) : d);
  const seen = lossesSeen(estimator, losses);
  const next = transformation.update(o, derivatives, state, inputs.slice(weights.length), seen);
  const share = o.constant(-1 / Math.max(1, noiseDirections(estimator)));
  return {
    derivatives,
    coefficients: next.values.map((value, i) => {
      if (!estimator.exact || i < noiseDirections(estimator)) return o.mul(value, share);
      const coefficient = o.mul(value, estimator.directions > 1 ? o.constant(-1) : share);
      return perNorm(o, coefficient, losses.at(-1)!);
    }),
    state: next.state,
    ...(next.acts === undefined ? {} : { acts: next.acts }),
  };
}

/** Number of directions of a step that are noise. */
export function noiseDirections(
  { directions, exact }: Pick<Estimator, "directions" | "exact">,
): number {
  return exact ? directions - 1 : directions;
}

/** The values of branches that are losses. Tangents and norms are excluded. */
export function lossesSeen<T>(
  { tangents, exact }: Pick<Estimator, "tangents" | "exact">,
  losses: readonly T[],
): readonly T[] {
  if (tangents) return losses.slice(0, 1);
  return exact ? losses.slice(0, -1) : losses;
}

/** The factor of a gradient with this norm, given the `coefficient` of the normalised gradient. */
function perNorm<T>(o: Ops<T>, coefficient: T, norm: T): T {
  const zero = o.constant(0);
  const isLong = o.less(zero, norm);
  return o.select(isLong, o.div(coefficient, o.select(isLong, norm, o.constant(1))), zero);
}

/**
 * The host's execution of {@linkcode scalarProgram}, with rounded coefficients. A pure function.
 *
 * @param step Only used in errors. Default 0.
 * @throws {NonFiniteLossError} when a loss is not a finite f32, or when finite losses lead to a coefficient or state that is not.
 *
 * @example One step of plain descent
 * ```ts
 * import { mezo, scalarStep } from "@qzo/qzo/optim";
 * import { assertAlmostEquals } from "@std/assert";
 *
 * const plain = mezo({ epsilon: 0.5, learningRate: 0.1 });
 * const { coefficients } = scalarStep(plain, [3, 1], [], plain.transformation.inputs(0));
 * assertAlmostEquals(coefficients[0], -0.2, 1e-5);
 * ```
 */
export function scalarStep(
  optimiser: Pick<Optimiser, "estimator" | "transformation">,
  losses: readonly number[],
  state: readonly number[],
  inputs: readonly number[],
  step = 0,
): ScalarResult<number> {
  const rounded = losses.map(Math.fround);
  if (!rounded.every(Number.isFinite)) throw new NonFiniteLossError(step, losses);
  const result = scalarProgram(
    hostOps,
    optimiser,
    rounded,
    state.map(Math.fround),
    inputs.map(Math.fround),
  );
  const coefficients = result.coefficients.map(roundCoefficient);
  if (![...coefficients, ...result.state].every(Number.isFinite)) {
    throw new NonFiniteLossError(step, losses, { coefficients });
  }
  return { ...result, coefficients };
}
