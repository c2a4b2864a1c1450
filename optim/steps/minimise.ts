/**
 * Minimises a function of numbers on the host.
 *
 * @module
 */
import { masterSeed } from "../directions/seed.ts";
import { assertOptions } from "../options.ts";
import type { StepRecord } from "./apply_record.ts";
import { type HostStep, Session, type SessionOptions } from "./executor.ts";
import { type MadeStep, runSteps } from "./run_steps.ts";
import type { Look } from "./scalar_program.ts";

/** Arguments of {@linkcode minimise}. */
export interface MinimiseOptions extends SessionOptions {
  /** The loss at a point. The callee may keep the array. */
  readonly objective: (parameters: Float32Array) => number | Promise<number>;
  /** The derivative of `objective` at a point along a direction. Required if the optimiser's estimator uses tangents. */
  readonly derivative?: (
    parameters: Float32Array,
    direction: Float32Array,
  ) => number | Promise<number>;
  /** Total number of steps, including replayed ones. */
  readonly steps: number;
  /** Records of earlier steps to replay first, such as those of a ledger. Default: none. */
  readonly records?: Iterable<StepRecord & { readonly state: readonly number[] }>;
  /** Aborts between evaluations. */
  readonly signal?: AbortSignal;
}

/** A step of {@linkcode minimise}. */
export interface MinimiseStep extends HostStep {
  /** The session in its state after the step. */
  readonly session: Session;
}

/**
 * Minimises a function on the host, yielding every step.
 *
 * @throws {NonFiniteLossError} as {@linkcode Session}.
 * @throws {TypeError} when the optimiser needs derivatives and `derivative` is missing.
 * @throws The signal's reason when it aborts.
 *
 * @example Minimise a quadratic function
 * ```ts
 * import { mezo, minimise } from "@qzo/qzo/optim";
 * import { assert } from "@std/assert";
 *
 * let found = new Float32Array();
 * const run = minimise({
 *   objective: ([x, y]) => (x - 3) ** 2 + (y + 1) ** 2,
 *   parameters: [0, 0],
 *   optimiser: mezo({ learningRate: 0.05 }),
 *   steps: 300,
 * });
 * for await (const { session } of run) found = session.parameters();
 * assert(Math.hypot(found[0] - 3, found[1] + 1) < 0.01);
 * ```
 */
export async function* minimise(options: MinimiseOptions): AsyncGenerator<MinimiseStep> {
  assertOptions("minimise", options, {
    parameters: "any",
    optimiser: "any",
    seed: "any",
    tensorId: "any",
    tensors: "any",
    objective: "any",
    derivative: "any",
    steps: "any",
    records: "any",
    signal: "any",
  });
  const { objective, derivative, steps, records = [], signal, optimiser, seed = 0 } = options;
  if (optimiser.estimator.tangents && !derivative) {
    throw new TypeError(
      `Cannot minimise with ${optimiser.name}: ${optimiser.estimator.name} needs derivatives along directions; pass \`derivative\``,
    );
  }
  const session = new Session(options);
  for (const record of records) session.replay(record);
  const executor = {
    async losses(looks: readonly Look[]) {
      const losses: number[] = [];
      const points = session.points(looks);
      for (const [i, point] of points.entries()) {
        signal?.throwIfAborted();
        losses.push(
          await (looks[i].tangent ? derivative!(points[0], point) : objective(point)),
        );
      }
      return losses;
    },
    move(made: Iterable<MadeStep>) {
      for (const step of made) session.replay(step);
    },
    // The session performs its own preparations.
    prepare() {},
  };
  const from = { master: masterSeed(seed), step: session.step, state: session.state };
  for await (const made of runSteps(optimiser, executor, from, steps)) yield { ...made, session };
}
