/**
 * The host executor, which runs any optimiser on plain arrays. It is the reference for the device executor, and serves objectives that only the
 * host can compute.
 *
 * @module
 */
import { blockPlace } from "../directions/blocks.ts";
import { fillNoise } from "../directions/noise.ts";
import { masterSeed, type Seed } from "../directions/seed.ts";
import { structureOf, turnsOf } from "../directions/structures.ts";
import { tensorId } from "../directions/tensor_id.ts";
import { applyOffset, type OffsetForm } from "../offset.ts";
import { reached, trainedGroup } from "../group.ts";
import type { Optimiser } from "../optimiser.ts";
import { frozenBy, markFrozen } from "../preparations/frozen.ts";
import { dueBefore } from "../preparations/preparation.ts";
import { preparationsOf } from "../preparations/preparations.ts";
import { isHeld, updateInputs } from "../updates/update_rule.ts";
import type { NoisePlace, Trainable } from "../trainable.ts";
import { applyRecord, type OffsetTensor, type StepRecord } from "./apply_record.ts";
import { type MadeStep, StepInMaking } from "./run_steps.ts";
import type { Look } from "./scalar_program.ts";

/** Options of a {@linkcode Session}. */
export interface SessionOptions {
  /** The starting point, which is the base of all offsets. It is copied and rounded to f32. */
  readonly parameters: ArrayLike<number>;
  /** The optimiser. */
  readonly optimiser: Optimiser;
  /** The master seed. Default 0. */
  readonly seed?: number;
  /** The id of the parameters in the noise generator. Default 0. Cannot be combined with `tensors`. */
  readonly tensorId?: number;
  /**
   * The tensors that the parameters consist of, in order. Their ids follow from their names. Required if tensors take turns. Default: one tensor
   * without a name.
   */
  readonly tensors?: readonly SessionTensor[];
}

/** A tensor among the parameters. */
export interface SessionTensor
  extends Pick<Trainable, "name" | "count" | "gain" | "layer" | "part">, Pick<NoisePlace, "width"> {
  /** Name of the optimiser's group that it belongs to. Default: none. */
  readonly group?: string | undefined;
}

/** A contiguous range of the parameters. */
interface Stretch extends Omit<OffsetTensor, "offsets" | "start" | "base" | "state"> {
  readonly from: number;
  readonly to: number;
  readonly form: OffsetForm;
}

function stretches(
  { optimiser, tensors, tensorId: id = 0 }: SessionOptions,
  length: number,
): Stretch[] {
  const refuse = (why: string) => new TypeError(`Cannot start ${optimiser.name}: ${why}`);
  const turns = turnsOf(optimiser.plan);
  if (!tensors) {
    if (!turns) return [{ id, from: 0, to: length, form: optimiser.form }];
    throw refuse("its tensors take turns, but no tensors are given");
  }
  const by = turns?.by ?? "tensor";
  if (by !== "tensor" && tensors.every((one) => one[by] === undefined)) {
    throw refuse(`its tensors take turns by ${by}, but none of them has a ${by}`);
  }
  let at = 0;
  const made = tensors.map((tensor, i) => {
    const { name, count, width = count, gain } = tensor;
    const place = blockPlace(tensor, i);
    const group = trainedGroup(optimiser, tensor.group);
    if (tensor.group !== undefined && !group) {
      throw refuse(`it has no group ${JSON.stringify(tensor.group)}, which "${name}" is in`);
    }
    const form = optimiser.groups?.find((one) => one.name === group?.name)?.form ?? optimiser.form;
    return { id: tensorId(name), from: at, to: at += count, place, width, gain, group, form };
  });
  if (at === length && tensors.every(({ count }) => Number.isInteger(count) && count > 0)) {
    return made;
  }
  throw refuse(
    `tensors of ${
      tensors.map((t) => t.count).join(" + ")
    } elements do not match the ${length} parameters`,
  );
}

/** A step made by the host. */
export interface HostStep extends MadeStep {
  /** Whether the step is only tried: nothing has moved, and the accept rule's candidates must be evaluated next. Default false. */
  readonly tried?: boolean;
}

/**
 * An optimisation driven by the caller: `ask` returns points to evaluate, and `tell` takes their losses. It works for any black-box function.
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
  /** The optimiser. */
  readonly optimiser: Optimiser;
  /** The current offsets; see {@linkcode FrozenBy} for those that are not trained. */
  readonly offsets: Float32Array;
  readonly #base: Float32Array;
  readonly #master: Seed;
  #stretches: readonly Stretch[];
  readonly #moments: readonly Float32Array[];
  #step = 0;
  #prepared = -1;
  #making: StepInMaking;
  #state: readonly number[];

  /**
   * Starts at step 0 with all offsets 0, or frozen.
   *
   * @throws {TypeError} when the tensors do not match the parameters, tensors are required but missing, or the optimiser takes exact gradients.
   */
  constructor(options: SessionOptions) {
    const { parameters, optimiser, seed = 0 } = options;
    if (optimiser.estimator.exact) {
      throw new TypeError(
        `Cannot start ${optimiser.name} on the host: ${optimiser.estimator.name} needs exact gradients, which only the device computes`,
      );
    }
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
    for (const one of preparationsOf(optimiser.plan)) {
      // Facts that depend on losses are found by the caller and given with the tensors.
      if (one.looks !== "bases") continue;
      const found = one.find(this.#stretches.map((stretch) => this.#part(this.#base, stretch)));
      this.#stretches = this.#stretches.map((it, i) => ({ ...it, [one.fact]: found[i] }));
    }
    this.#making = this.#next();
    this.#prepare();
  }

  #part(values: Float32Array, { from, to }: Stretch): Float32Array {
    return values.subarray(from, to);
  }

  #next(): StepInMaking {
    return new StepInMaking(this.optimiser, this.#master, this.#step, this.#state);
  }

  /** Changes the offsets as preparations require before the next step, once. */
  #prepare(): void {
    if (this.#prepared === this.#step) return;
    this.#prepared = this.#step;
    const { plan } = this.optimiser;
    for (const one of dueBefore(preparationsOf(plan), this.#step, 0)) {
      one.change(this.#stretches.map((stretch) => ({
        ...{ name: "parameters", form: stretch.form },
        bases: this.#part(this.#base, stretch),
        offsets: this.#part(this.offsets, stretch),
      })));
    }
  }

  /** Number of steps made so far, which is the index of the next step. */
  get step(): number {
    return this.#step;
  }

  /** The transformation's state after the steps made so far. */
  get state(): readonly number[] {
    return this.#state;
  }

  /** The tuned point: the base changed by the offsets. */
  parameters(): Float32Array {
    const point = new Float32Array(this.#base.length);
    for (const { form, from, to } of this.#stretches) {
      for (let i = from; i < to; i++) point[i] = applyOffset(form, this.#base[i], this.offsets[i]);
    }
    return point;
  }

  /**
   * The points to evaluate next, in the order of the estimator's branches or, once the step is tried, of the accept rule's candidates. For a
   * tangent branch, it is the direction, and `tell` expects the loss's derivative along it at the first point. Calling it again returns the same
   * points.
   */
  ask(): Float32Array[] {
    return this.points(this.#making.looks);
  }

  /** The points of the given looks, before the next step. */
  points(looks: readonly Look[]): Float32Array[] {
    this.#prepare();
    const { law, plan } = this.optimiser;
    const takesPart = law.structure && structureOf(law.structure).takesPart;
    const z = new Float32Array(this.#base.length);
    const frozen = new Uint8Array(z.length);
    markFrozen(frozenBy(plan), this.offsets, frozen);
    let filled: Seed | undefined;
    return looks.map(({ seed, amplitude, tangent }) => {
      if (seed !== filled) {
        for (const stretch of this.#stretches) {
          const part = this.#part(z, stretch);
          if (takesPart && !takesPart(seed, stretch.place!)) part.fill(0);
          else fillNoise(law, seed, stretch.id, 0, part, stretch);
        }
        filled = seed;
      }
      const point = new Float32Array(z.length);
      for (const { form, from, to, group } of this.#stretches) {
        const a = reached(amplitude, group?.reach ?? 1);
        for (let i = from; i < to; i++) {
          if (tangent) {
            const moved = frozen[i] === 1 ? 0 : Math.fround(a * z[i]);
            point[i] = form === "relative" ? Math.fround(this.#base[i] * moved) : moved;
            continue;
          }
          const offset = this.offsets[i];
          const moved = frozen[i] === 1 ? offset : Math.fround(offset + Math.fround(a * z[i]));
          point[i] = applyOffset(form, this.#base[i], moved);
        }
      }
      return point;
    });
  }

  /**
   * Makes the step from the losses of the points that `ask` returned, in the same order. With an accept rule, a step takes two rounds of `ask`
   * and `tell`; the first only tries the step, and its result says so.
   *
   * @throws {NonFiniteLossError} when no finite step follows from the losses.
   * @throws {TypeError} when there is not one loss per point. In both cases nothing has changed.
   */
  tell(losses: readonly number[]): HostStep {
    const made = this.#making.tell(losses);
    if (!made) return { ...this.#making.tried!, tried: true };
    this.replay(made);
    return made;
  }

  /**
   * Repeats a recorded step without evaluating anything, in order to resume.
   *
   * @throws {TypeError} when the record does not belong to such an optimiser.
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
    this.#prepare();
    const inputs = updateInputs(this.optimiser, this.#step);
    for (const stretch of this.#stretches) {
      applyRecord(
        { ...this.optimiser, form: stretch.form },
        { seeds, coefficients, inputs, held },
        {
          ...stretch,
          offsets: this.#part(this.offsets, stretch),
          base: this.#part(this.#base, stretch),
          state: this.#moments.map((values) => this.#part(values, stretch)),
        },
      );
    }
    this.#state = state;
    this.#step++;
    this.#making = this.#next();
  }
}
