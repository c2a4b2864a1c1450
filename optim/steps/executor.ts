/**
 * The host executor: any optimiser on plain arrays. It is the oracle of the device executor and serves objectives that
 * only the host can compute.
 *
 * @module
 */
import { assertOptions } from "../options.ts";
import { acceptStep, candidateCoefficients } from "../updates/accept.ts";
import { applyRecord, type StepRecord } from "./apply_record.ts";
import { type BlockPlace, blockPlace, inBlock } from "../directions/blocks.ts";
import { fillNoise, type NoisePlace } from "../directions/noise.ts";
import { frozenBy, markFrozen } from "../preparations/frozen.ts";
import { drawMask, magnitudeShares } from "../preparations/magnitude.ts";
import { applyOffset } from "../offset.ts";
import type { Optimiser } from "../optimiser.ts";
import { hostSide, type Look, scalarStep } from "./scalar_program.ts";
import { moveSeeds } from "../directions/direction_plan.ts";
import { masterSeed, type Seed } from "../directions/seed.ts";
import { tensorId } from "../directions/tensor_id.ts";
import { isHeld, updateInputs } from "../updates/update_rule.ts";

/** What a {@linkcode Session} starts from. */
export interface SessionOptions {
  /** The point to start at, the base of all offsets; copied and rounded to f32. */
  readonly parameters: ArrayLike<number>;
  /** The optimiser. */
  readonly optimiser: Optimiser;
  /** The master seed; 0 by default. */
  readonly seed?: number;
  /** The id of the parameters in the noise generator; 0 by default. Not with `tensors`. */
  readonly tensorId?: number;
  /**
   * The tensors that the parameters are, one after the other; their ids follow from their names. Needed where tensors move in
   * turns. One without a name by default.
   */
  readonly tensors?: readonly SessionTensor[];
}

/** A tensor among the parameters. */
export interface SessionTensor extends Pick<NoisePlace, "width" | "gain"> {
  /** Its name. */
  readonly name: string;
  /** Its elements. */
  readonly count: number;
}

/** A stretch of the parameters. */
interface Stretch extends NoisePlace {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly place?: BlockPlace;
}

function stretches(
  { optimiser, tensors, tensorId: id = 0 }: SessionOptions,
  length: number,
): Stretch[] {
  if (!tensors) {
    if (!optimiser.plan.blocks) return [{ id, from: 0, to: length }];
    throw new TypeError(
      `Cannot start ${optimiser.name}: its tensors move in turns, none are named`,
    );
  }
  let at = 0;
  const made = tensors.map(({ name, count, width = count, gain }, i) => (
    { id: tensorId(name), from: at, to: at += count, place: blockPlace(name, i), width, gain }
  ));
  if (at === length && tensors.every(({ count }) => Number.isInteger(count) && count > 0)) {
    return made;
  }
  throw new TypeError(
    `Cannot start ${optimiser.name}: tensors of ${tensors.map((t) => t.count).join(" + ")} ` +
      `elements are not the ${length} parameters`,
  );
}

/** A step that was made. */
export interface HostStep extends StepRecord {
  /** Counted from 0. */
  readonly step: number;
  /** One per branch, then one per candidate of the accept rule. */
  readonly losses: readonly number[];
  /** The estimate of each direction, before any transformation. */
  readonly derivatives: readonly number[];
  /** The transformation's state after the step. */
  readonly state: readonly number[];
  /** Whether it is only tried: nothing has moved, the accept rule's candidates are asked for next. False if absent. */
  readonly tried?: boolean;
}

/**
 * An optimisation driven from outside: `ask` for points to evaluate, `tell` their losses. Works for any black box.
 *
 * @example Minimise a function by hand
 * ```ts
 * import { mezo, Session } from "@qzo/qzo/optim";
 * import { assert } from "@std/assert";
 *
 * const session = new Session({
 *   parameters: [1, -2],
 *   optimiser: mezo({ learningRate: 0.05 }),
 *   seed: 1,
 * });
 * for (let step = 0; step < 300; step++) {
 *   const points = session.ask();
 *   session.tell(points.map(([x, y]) => x * x + y * y));
 * }
 * assert(Math.hypot(...session.parameters()) < 0.01);
 * ```
 */
export class Session {
  /** What drives it. */
  readonly optimiser: Optimiser;
  /** The offsets so far; see {@linkcode FrozenBy} for those that are not trained. */
  readonly offsets: Float32Array;
  readonly #base: Float32Array;
  readonly #master: Seed;
  readonly #stretches: readonly Stretch[];
  readonly #moments: readonly Float32Array[];
  #step = 0;
  #drawn = -1;
  #tried: HostStep | undefined;
  #state: readonly number[];

  /** Starts at step 0 with all offsets 0, or frozen. Throws a TypeError when the tensors are not the parameters, or are needed. */
  constructor(options: SessionOptions) {
    const { parameters, optimiser, seed = 0 } = options;
    this.optimiser = optimiser;
    this.#base = Float32Array.from(parameters);
    this.offsets = new Float32Array(this.#base.length);
    this.#master = masterSeed(seed);
    this.#stretches = stretches(options, this.#base.length);
    this.#moments = Array.from(
      { length: optimiser.update?.stateSize ?? 0 },
      () => new Float32Array(this.#base.length),
    );
    this.#state = optimiser.transformation.init().map(Math.fround);
    const { mask } = optimiser.plan;
    const parts = this.#stretches.map(({ from, to }) => this.#base.subarray(from, to));
    if (mask?.budget === "global") {
      const shares = magnitudeShares(mask.density, parts);
      this.#stretches = this.#stretches.map((one, i) => ({ ...one, share: shares[i] }));
    }
    this.#draw();
  }

  /** Draws the mask by magnitude, where the next step has a new one. */
  #draw(): void {
    const { form, plan: { magnitude } } = this.optimiser;
    const step = this.#step;
    if (!magnitude || this.#drawn === step || step % (magnitude.keep ?? Infinity) !== 0) return;
    this.#drawn = step;
    drawMask(
      magnitude,
      this.#stretches.map(({ from, to }) => ({
        ...{ name: "parameters", form },
        bases: this.#base.subarray(from, to),
        offsets: this.offsets.subarray(from, to),
      })),
    );
  }

  /** Steps made so far; the index of the step that comes next. */
  get step(): number {
    return this.#step;
  }

  /** The transformation's state after the steps made so far. */
  get state(): readonly number[] {
    return this.#state;
  }

  /** The tuned point: base changed by offsets. */
  parameters(): Float32Array {
    const { form } = this.optimiser;
    return this.#base.map((base, i) => applyOffset(form, base, this.offsets[i]));
  }

  /** Where the points to evaluate next lie. */
  #looks(): readonly Look[] {
    const { accept } = this.optimiser;
    if (!this.#tried || !accept) return hostSide(this.optimiser, this.#master, this.#step).looks;
    const { seeds: [seed], coefficients: [coefficient] } = this.#tried;
    return candidateCoefficients(accept, coefficient).map((amplitude) => ({ seed, amplitude }));
  }

  /**
   * The points to evaluate next, in the order of the estimator's branches, or of the accept rule's candidates once the step is
   * tried. Asking again changes nothing.
   */
  ask(): Float32Array[] {
    const { distribution, form, plan } = this.optimiser;
    this.#draw();
    const z = new Float32Array(this.#base.length);
    const frozen = new Uint8Array(z.length);
    markFrozen(frozenBy(plan), this.offsets, frozen);
    let filled: Seed | undefined;
    return this.#looks().map(({ seed, amplitude }) => {
      if (seed !== filled) {
        for (const stretch of this.#stretches) {
          const { id, from, to, place } = stretch;
          const part = z.subarray(from, to);
          if (plan.blocks && !inBlock(seed, place!)) part.fill(0);
          else fillNoise(distribution, seed, id, 0, part, stretch);
        }
        filled = seed;
      }
      const a = Math.fround(amplitude);
      return this.#base.map((base, i) => {
        const offset = this.offsets[i];
        const moved = frozen[i] === 1 ? offset : Math.fround(offset + Math.fround(a * z[i]));
        return applyOffset(form, base, moved);
      });
    });
  }

  /**
   * Makes the step from the losses of the points that `ask` gave, in their order. With an accept rule a step takes two rounds of
   * `ask` and `tell`: the first only tries it, and says so.
   *
   * @throws NonFiniteLossError when no finite step follows from the losses; TypeError when they are not one per point.
   * Nothing has changed then.
   */
  tell(losses: readonly number[]): HostStep {
    const { estimator, plan, accept } = this.optimiser;
    const step = this.#step;
    if (this.#tried && accept) {
      const { tried: _, ...first } = this.#tried;
      const coefficient = acceptStep(accept, first.coefficients[0], losses, step);
      const made = { ...first, losses: [...first.losses, ...losses], coefficients: [coefficient] };
      this.replay(made);
      return made;
    }
    const { scalars } = hostSide(this.optimiser, this.#master, step);
    const result = scalarStep(this.optimiser, losses, this.#state, scalars, step);
    const seeds = moveSeeds(plan, estimator.directions, this.#master, step);
    const made: HostStep = { step, seeds, losses, ...result };
    if (accept) return this.#tried = { ...made, tried: true };
    this.replay(made);
    return made;
  }

  /**
   * Makes a step that was made before, as recorded, without evaluating anything: the way to resume. Throws a TypeError
   * when the record is not one of such an optimiser.
   */
  replay(record: StepRecord & { readonly state: readonly number[] }): void {
    const { seeds, coefficients, state, held = isHeld(this.optimiser.plan, this.#step) } = record;
    const { moves, transformation } = this.optimiser;
    if (coefficients.length !== moves || state.length !== transformation.stateSize) {
      throw new TypeError(
        `Cannot replay step ${this.#step}: it has ${coefficients.length} coefficients and ` +
          `${state.length} state scalars, ${this.optimiser.name} needs ` +
          `${moves} and ${transformation.stateSize}`,
      );
    }
    this.#draw();
    const inputs = updateInputs(this.optimiser, this.#step);
    for (const { id, from, to, place, width, share, gain } of this.#stretches) {
      const tensor = {
        id,
        offsets: this.offsets.subarray(from, to),
        base: this.#base.subarray(from, to),
        state: this.#moments.map((values) => values.subarray(from, to)),
        ...(place ? { place } : {}),
        width,
        share,
        gain,
      };
      applyRecord(this.optimiser, { seeds, coefficients, inputs, held }, tensor);
    }
    this.#state = state;
    this.#tried = undefined;
    this.#step++;
  }
}

/** Arguments of {@linkcode minimise}. */
export interface MinimiseOptions extends SessionOptions {
  /** The loss at a point; the array is the callee's to keep. */
  readonly objective: (parameters: Float32Array) => number | Promise<number>;
  /** Steps to have been made in the end, replayed ones included. */
  readonly steps: number;
  /** Records of earlier steps, such as a ledger's, to replay first; none by default. */
  readonly records?: Iterable<StepRecord & { readonly state: readonly number[] }>;
  /** Aborts between evaluations. */
  readonly signal?: AbortSignal;
}

/** A step of {@linkcode minimise}. */
export interface MinimiseStep extends HostStep {
  /** The session, as it is after the step. */
  readonly session: Session;
}

/**
 * Minimises a function on the host, yielding every step.
 *
 * @throws NonFiniteLossError see {@linkcode Session}; the signal's reason when it aborts.
 *
 * @example Follow the point
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
    steps: "any",
    records: "any",
    signal: "any",
  });
  const { objective, steps, records = [], signal } = options;
  const session = new Session(options);
  for (const record of records) session.replay(record);
  while (session.step < steps) {
    const losses: number[] = [];
    for (const point of session.ask()) {
      signal?.throwIfAborted();
      losses.push(await objective(point));
    }
    const made = session.tell(losses);
    if (!made.tried) yield { ...made, session };
  }
}
