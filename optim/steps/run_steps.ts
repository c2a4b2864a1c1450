/**
 * The protocol of a run: what is prepared, which points a step evaluates, what follows from the losses, and what moves. It is written once;
 * whoever owns the offsets executes it.
 *
 * @module
 */
import { acceptStep, candidateCoefficients } from "../updates/accept.ts";
import type { StepRecord } from "./apply_record.ts";
import { type DirectionPlan, moveSeeds } from "../directions/direction_plan.ts";
import type { Seed } from "../directions/seed.ts";
import type { Optimiser } from "../optimiser.ts";
import { type OffsetsPreparation, periods } from "../preparations/preparation.ts";
import { preparationsOf } from "../preparations/preparations.ts";
import { hostSide, type Look, type ScalarResult, scalarStep } from "./scalar_program.ts";
import { isHeld, updateInputs } from "../updates/update_rule.ts";

/** A step that was made. */
export interface MadeStep extends StepRecord, ScalarResult<number> {
  /** Index of the step, from 0. */
  readonly step: number;
  /** One loss per branch, then one per candidate of the accept rule. */
  readonly losses: readonly number[];
  /** The factor of z for each direction moved along. */
  readonly coefficients: readonly number[];
}

/**
 * A step in progress, from its evaluations to its move.
 *
 * @example Two evaluations, one move
 * ```ts
 * import { masterSeed, mezo, StepInMaking } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const making = new StepInMaking(mezo({ epsilon: 0.5, learningRate: 2 }), masterSeed(1), 0, []);
 * assertEquals(making.looks.map(({ amplitude }) => amplitude), [0.5, -0.5]);
 * assertEquals(making.tell([3, 1])?.coefficients, [-4]);
 * ```
 */
export class StepInMaking {
  readonly #optimiser: Optimiser;
  readonly #master: Seed;
  readonly #step: number;
  readonly #state: readonly number[];
  #tried: MadeStep | undefined;

  /** Starts step number `step`, with the transformation's state before it. */
  constructor(optimiser: Optimiser, master: Seed, step: number, state: readonly number[]) {
    this.#optimiser = optimiser;
    this.#master = master;
    this.#step = step;
    this.#state = state;
  }

  /** The points whose losses are needed: the estimator's branches or, once the step is tried, the accept rule's candidates. */
  get looks(): readonly Look[] {
    const { accept } = this.#optimiser;
    if (!this.#tried || !accept) return hostSide(this.#optimiser, this.#master, this.#step).looks;
    const { seeds: [seed], coefficients: [coefficient] } = this.#tried;
    return candidateCoefficients(accept, coefficient).map((amplitude) => ({ seed, amplitude }));
  }

  /** The tried step, while its accept rule's candidates are being evaluated. */
  get tried(): MadeStep | undefined {
    return this.#tried;
  }

  /**
   * Continues with the losses at `looks`. Returns the step to make, or undefined if more losses are needed.
   *
   * @throws {NonFiniteLossError} when no finite step follows from the losses.
   * @throws {TypeError} when there is not one loss per look. In both cases nothing has changed.
   */
  tell(losses: readonly number[]): MadeStep | undefined {
    const { estimator, plan, accept } = this.#optimiser;
    const step = this.#step;
    if (this.#tried && accept) {
      const coefficient = acceptStep(accept, this.#tried.coefficients[0], losses, step);
      return {
        ...this.#tried,
        losses: [...this.#tried.losses, ...losses],
        coefficients: [coefficient],
      };
    }
    const { scalars } = hostSide(this.#optimiser, this.#master, step);
    const made: MadeStep = {
      ...{ step, losses, ...scalarStep(this.#optimiser, losses, this.#state, scalars, step) },
      seeds: moveSeeds(plan, estimator.directions, this.#master, step),
      inputs: updateInputs(this.#optimiser, step),
      held: isHeld(plan, step),
    };
    if (!accept) return made;
    this.#tried = made;
    return undefined;
  }
}

/** The owner of the offsets and of what they tune. `Step` is the type of the steps it executes: new ones, or records. */
export interface StepExecutor<Step extends StepRecord = StepRecord> {
  /**
   * Returns the losses of step number `step` with the offsets moved along each look's direction by its amplitude. The offsets themselves do not
   * change.
   */
  losses(looks: readonly Look[], step: number): Promise<readonly number[]>;
  /** Moves the offsets by steps, in order. The steps may be iterated more than once. */
  move(steps: Iterable<Step>): void | Promise<void>;
  /** Changes the offsets by a preparation. */
  prepare(preparation: OffsetsPreparation): void | Promise<void>;
}

/** The point from which a run continues. */
export interface RunState {
  /** The master seed. */
  readonly master: Seed;
  /** Number of steps made. */
  readonly step: number;
  /** The transformation's state after these steps. */
  readonly state: readonly number[];
}

/**
 * Makes steps up to a total of `steps`, including those before `from`, and yields each after the offsets have moved.
 *
 * @throws {NonFiniteLossError} as {@linkcode StepInMaking}.
 * @throws Any error of the executor.
 *
 * @example Offsets in an array
 * ```ts
 * import { applyRecord, fillNoise, masterSeed, mezo, runSteps, type StepExecutor } from "@qzo/qzo/optim";
 * import { assert } from "@std/assert";
 *
 * const optimiser = mezo({ learningRate: 0.05 });
 * const offsets = new Float32Array(2);
 * const executor: StepExecutor = {
 *   async losses(looks) {
 *     return looks.map(({ seed, amplitude }) => {
 *       const z = fillNoise(optimiser.law, seed, 0, 0, new Float32Array(2));
 *       return offsets.reduce((sum, w, i) => sum + (w + amplitude * z[i] - 3) ** 2, 0);
 *     });
 *   },
 *   move(steps) {
 *     for (const step of steps) applyRecord(optimiser, step, { id: 0, offsets });
 *   },
 *   prepare() {},
 * };
 * const from = { master: masterSeed(1), step: 0, state: [] };
 * for await (const { losses } of runSteps(optimiser, executor, from, 300)) assert(losses.length === 2);
 * assert(Math.hypot(offsets[0] - 3, offsets[1] - 3) < 0.01);
 * ```
 */
export async function* runSteps(
  optimiser: Optimiser,
  executor: StepExecutor<MadeStep>,
  { master, step: first, state }: RunState,
  steps: number,
): AsyncGenerator<MadeStep> {
  for (const { from, to, due } of periods(preparationsOf(optimiser.plan), first, steps)) {
    for (const preparation of due) await executor.prepare(preparation);
    for (let step = from; step < to; step++) {
      const making = new StepInMaking(optimiser, master, step, state);
      let made: MadeStep | undefined;
      while (!made) made = making.tell(await executor.losses(making.looks, step));
      await executor.move([made]);
      state = made.state;
      yield made;
    }
  }
}

/** Recorded steps, such as those of a ledger. */
export interface MadeSteps {
  /** The record of a step, by index from 0. */
  record(step: number): StepRecord;
}

/**
 * Repeats the first `steps` recorded steps. `move` gets as many at a time as there are between two preparations, and each record is read only
 * when it is reached.
 *
 * @example The records of a ledger in order
 * ```ts
 * import { plainDirections, replaySteps } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const moved: number[] = [];
 * await replaySteps(plainDirections, { record: (step) => ({ seeds: [], coefficients: [step] }) }, {
 *   move: (steps) => void moved.push(...[...steps].flatMap(({ coefficients }) => coefficients)),
 *   prepare() {},
 * }, 3);
 * assertEquals(moved, [0, 1, 2]);
 * ```
 */
export async function replaySteps(
  plan: DirectionPlan,
  records: MadeSteps,
  executor: Omit<StepExecutor, "losses">,
  steps: number,
): Promise<void> {
  for (const { from, to, due } of periods(preparationsOf(plan), 0, steps)) {
    for (const preparation of due) await executor.prepare(preparation);
    await executor.move({
      *[Symbol.iterator]() {
        for (let step = from; step < to; step++) yield records.record(step);
      },
    });
  }
}
