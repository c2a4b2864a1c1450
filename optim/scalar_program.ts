/**
 * The scalar part of a step, from losses to coefficients, written once for host and device.
 *
 * @module
 */
import { NonFiniteLossError } from "./non_finite_loss_error.ts";
import { hostOps, type Ops } from "./ops.ts";
import { roundCoefficient } from "./offset.ts";
import type { Optimiser } from "./optimiser.ts";

/** What a step's losses lead to. */
export interface ScalarResult<T> {
  /** The estimate of each direction, before any transformation. */
  readonly derivatives: readonly T[];
  /** What multiplies z, per direction of this step, then of the steps before that the transformation remembers. */
  readonly coefficients: readonly T[];
  /** The transformation's state after the step. */
  readonly state: readonly T[];
}

/** Throws a TypeError unless `values` has `length` entries. */
function checkLength(what: string, values: readonly unknown[], length: number): void {
  if (values.length === length) return;
  throw new TypeError(`Cannot make a step: ${values.length} ${what} given, ${length} needed`);
}

/**
 * The program of a step over any scalar algebra. Coefficients are **not yet rounded**: who executes it applies
 * {@linkcode roundCoefficient} (or its WGSL) to each.
 *
 * @param losses one finite loss per branch, in the order of `estimator.branches`.
 * @param state the transformation's state before the step.
 * @param inputs the host scalars of the step, `transformation.inputs(step)`.
 */
export function scalarProgram<T>(
  o: Ops<T>,
  { estimator, transformation }: Pick<Optimiser, "estimator" | "transformation">,
  losses: readonly T[],
  state: readonly T[],
  inputs: readonly T[],
): ScalarResult<T> {
  checkLength("losses", losses, estimator.branches.length);
  checkLength("state scalars", state, transformation.stateSize);
  checkLength("host scalars", inputs, transformation.inputSize);
  const derivatives = estimator.derivatives(o, losses);
  const next = transformation.update(o, derivatives, state, inputs, losses);
  const share = o.constant(-1 / estimator.directions);
  return {
    derivatives,
    coefficients: next.values.map((value) => o.mul(value, share)),
    state: next.state,
  };
}

/**
 * The host's execution of {@linkcode scalarProgram}, coefficients rounded. Pure.
 *
 * @param step only named in errors; 0 by default.
 * @throws NonFiniteLossError when a loss is not a finite f32, or when finite losses lead to a coefficient or state
 * that is not.
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
    throw new NonFiniteLossError(step, losses, coefficients);
  }
  return { ...result, coefficients };
}
