/**
 * The protocol of a run, once: what is prepared, where a step looks, what is made of the losses, and what moves; whoever has the offsets
 * executes it.
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
  /** Counted from 0. */
  readonly step: number;
  /** One per branch, then one per candidate of the accept rule. */
  readonly losses: readonly number[];
  /** What multiplies z, per direction moved along. */
  readonly coefficients: readonly number[];
}

/**
 * One step on its way from where it looks to what it moves.
 *
 * @example Two looks, one move
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

  /** Begins step number `step`, with the transformation's state before it. */
  constructor(optimiser: Optimiser, master: Seed, step: number, state: readonly number[]) {
    this.#optimiser = optimiser;
    this.#master = master;
    this.#step = step;
    this.#state = state;
  }

  /** Where losses are asked for: at the estimator's branches, or at the accept rule's candidates once the step is tried. */
  get looks(): readonly Look[] {
    const { accept } = this.#optimiser;
    if (!this.#tried || !accept) return hostSide(this.#optimiser, this.#master, this.#step).looks;
    const { seeds: [seed], coefficients: [coefficient] } = this.#tried;
    return candidateCoefficients(accept, coefficient).map((amplitude) => ({ seed, amplitude }));
  }

  /** The step as it is tried, where its accept rule's candidates are asked for. */
  get tried(): MadeStep | undefined {
    return this.#tried;
  }

  /**
   * Goes on with the losses at `looks`: the step that is to be made, or undefined where more are asked for.
   *
   * @throws NonFiniteLossError when no finite step follows from the losses; TypeError when they are not one per look.
   * Nothing has changed then.
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

/** Who has the offsets and what they tune. Steps are those that are made, or records of steps that were. */
export interface StepExecutor<Step extends StepRecord = StepRecord> {
  /** The losses of step number `step` where offsets are moved along each look's direction by its amplitude; the offsets stay. */
  losses(looks: readonly Look[], step: number): Promise<readonly number[]>;
  /** Moves the offsets as steps did, in order; they may be gone through more than once. */
  move(steps: Iterable<Step>): void | Promise<void>;
  /** Changes the offsets as a preparation does. */
  prepare(preparation: OffsetsPreparation): void | Promise<void>;
}

/** Where a run goes on. */
export interface RunState {
  /** The master seed. */
  readonly master: Seed;
  /** Steps that were made. */
  readonly step: number;
  /** The transformation's state after them. */
  readonly state: readonly number[];
}

/**
 * Makes steps up to `steps`, those before `from` included, and yields each when the offsets have moved.
 *
 * @throws NonFiniteLossError see {@linkcode StepInMaking}; what the executor throws.
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

/** Steps that were made, such as a ledger's records. */
export interface MadeSteps {
  /** The record of a step, from 0. */
  record(step: number): StepRecord;
}

/**
 * Makes the first `steps` steps again, as they were recorded; `move` gets as many at a time as nothing is prepared between, and each is read
 * when it is come to.
 *
 * @example A ledger's records, one after the other
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
