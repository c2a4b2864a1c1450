/**
 * Replay on the host: one step of one tensor, with the same bits as on any device.
 *
 * @module
 */
import type { BlockPlace } from "../directions/blocks.ts";
import { type DirectionPlan, isOwnDirection } from "../directions/direction_plan.ts";
import { fillNoise, type Law } from "../directions/noise.ts";
import { structureOf } from "../directions/structures.ts";
import { evenOut, frozenBy, markFrozen } from "../preparations/frozen.ts";
import { pacedBy } from "../group.ts";
import { keepSign, type OffsetForm, type Projection, roundCoefficient } from "../offset.ts";
import type { NoisePlace, Trainable } from "../trainable.ts";
import { elementOps } from "../algebra/element_ops.ts";
import type { Seed } from "../directions/seed.ts";
import { pacedInputs, type UpdateRule } from "../updates/update_rule.ts";

/** The record of a step, with everything needed to repeat it. */
export interface StepRecord {
  /** One seed per direction moved along: the step's own, then those of earlier steps that it remembers. */
  readonly seeds: readonly Seed[];
  /** The factor of z for each direction moved along, rounded by {@linkcode roundCoefficient}. */
  readonly coefficients: readonly number[];
  /** The update rule's host scalars of the step. Required if there is a rule. */
  readonly inputs?: readonly number[];
  /** Whether the update rule does not act because the step only accumulates; see {@linkcode isHeld}. If absent, see {@linkcode rests}. */
  readonly held?: boolean;
}

/** How offsets move. Both an {@linkcode Optimiser} and a ledger's header provide these properties. */
export interface OffsetRule {
  /** Law of z. */
  readonly law: Law;
  /** How an offset is applied to its base. */
  readonly form: OffsetForm;
  /** Restriction on offsets. */
  readonly projection: Projection;
  /** Update rule. Absent if offsets move by the coefficients alone. */
  readonly update?: UpdateRule | undefined;
  /** How frozen offsets are recognised (default: by their value), and whether steps may only accumulate (default: no). */
  readonly plan?: Pick<DirectionPlan, "magnitude"> & Partial<Pick<DirectionPlan, "hold">>;
}

/**
 * Whether an update rule does not act in a step. If the record does not say so, a step whose directions are held and whose coefficients are all
 * 0 is assumed to accumulate only.
 */
export function rests(
  { plan }: Pick<OffsetRule, "plan">,
  { held, coefficients }: StepRecord,
): boolean {
  return held ?? ((plan?.hold ?? 1) > 1 && coefficients.every((coefficient) => coefficient === 0));
}

/** The offsets of one tensor, or of a contiguous range of one. */
export interface OffsetTensor extends NoisePlace, Pick<Trainable, "id" | "group"> {
  /** The offsets, changed in place. */
  readonly offsets: Float32Array;
  /** Index of `offsets[0]` within the whole tensor. Default 0. */
  readonly start?: number;
  /** The base values of the offsets. Required for absolute offsets that keep the sign, otherwise ignored. */
  readonly base?: ArrayLike<number>;
  /** Position in the model; see {@linkcode blockPlace}. Required if tensors take turns, otherwise ignored. */
  readonly place?: BlockPlace;
  /** The update rule's state, as long as the offsets, changed in place and initially zero. Required if the rule has a state. */
  readonly state?: readonly Float32Array[];
}

/** Elements of noise generated at a time: 16 KiB, which fits a first-level cache. */
const chunk = 4096;
const noise = new Float32Array(chunk);
const sums = new Float32Array(chunk);
const frozen = new Uint8Array(chunk);

/**
 * Moves a tensor's offsets as in a recorded step: `w += coefficient_q * z_q` for q = 0, 1, ..., or by an update rule, followed by the
 * projection. Every product is exact and every sum is rounded once, so the bits are the same as with any other executor.
 *
 * @throws {TypeError} when the numbers of seeds and coefficients differ, a base is missing or has the wrong length, or a place or an input of
 * the update rule is missing.
 *
 * @example Parts of a tensor give the same result as the whole
 * ```ts
 * import { applyRecord, masterSeed, mezo, stepSeed } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const record = { seeds: [stepSeed(masterSeed(1), 0, 0)], coefficients: [0.25] };
 * const whole = new Float32Array(10);
 * applyRecord(mezo(), record, { id: 7, offsets: whole });
 * const tail = new Float32Array(4);
 * applyRecord(mezo(), record, { id: 7, offsets: tail, start: 6 });
 * assertEquals(tail, whole.slice(6));
 * ```
 */
export function applyRecord(rule: OffsetRule, record: StepRecord, tensor: OffsetTensor): void {
  const { seeds } = record;
  const { id, offsets, start = 0, base, place } = tensor;
  const coefficients = tensor.group
    ? record.coefficients.map((one) => roundCoefficient(pacedBy(tensor.group, one)))
    : record.coefficients;
  if (seeds.length !== coefficients.length) {
    throw new TypeError(
      `Cannot apply a step: ${seeds.length} seeds for ${coefficients.length} coefficients`,
    );
  }
  const projects = rule.projection === "keep-sign";
  const needsBase = projects && rule.form === "absolute";
  if (needsBase && base?.length !== offsets.length) {
    throw new TypeError(
      `Cannot keep the sign of ${offsets.length} absolute offsets: ${
        base ? `${base.length} base values given` : "no base given"
      }`,
    );
  }
  const { structure } = rule.law;
  const turns = structure && structureOf(structure).takesPart;
  if (turns && !place) {
    throw new TypeError(
      "Cannot apply a step: tensors take turns, but the place of the tensor is not given",
    );
  }
  assertState(rule.update, record, tensor);
  const by = frozenBy(rule.plan ?? {});
  for (let from = 0; from < offsets.length; from += chunk) {
    const to = Math.min(from + chunk, offsets.length);
    const part = offsets.subarray(from, to);
    const z = noise.subarray(0, part.length);
    markFrozen(by, part, frozen);
    const moved = rule.update ? sums.subarray(0, part.length).fill(0) : part;
    let acts = false;
    for (let q = 0; q < seeds.length; q++) {
      const own = isOwnDirection(seeds[q]);
      const takesPart = own || !turns || turns(seeds[q], place!);
      if (takesPart && !rule.update?.restsAtZero) acts = true;
      // As on the device, so that an offset of -0 stays -0.
      if (coefficients[q] === 0 || !takesPart) continue;
      acts = true;
      if (own) {
        for (let i = 0; i < part.length; i++) {
          if (frozen[i] === 0) part[i] += coefficients[q] * part[i];
        }
        continue;
      }
      fillNoise(rule.law, seeds[q], id, start + from, z, tensor);
      const coefficient = coefficients[q];
      // The product is exact, and the sum is rounded when stored: f64 is precise enough that double rounding changes nothing.
      for (let i = 0; i < part.length; i++) {
        if (frozen[i] === 0) moved[i] += coefficient * z[i];
      }
    }
    if (rule.update && acts && !rests(rule, record)) {
      const state = tensor.state?.map((values) => values.subarray(from, to)) ?? [];
      const inputs = pacedInputs(rule.update, record.inputs!, tensor.group?.rate ?? 1);
      moveElements(rule.update, part, moved, state, inputs);
    }
    if (projects) {
      for (let i = 0; i < part.length; i++) {
        part[i] = keepSign(rule.form, needsBase ? base![from + i] : 1, part[i]);
      }
    }
    if (by === "bit") evenOut(part, frozen);
  }
}

/** Checks that everything the update rule needs is present. */
function assertState(
  update: UpdateRule | undefined,
  { inputs = [] }: StepRecord,
  { offsets, state = [] }: OffsetTensor,
): void {
  if (!update) return;
  const { name, inputSize, stateSize } = update;
  if (
    inputs.length !== inputSize || state.length !== stateSize ||
    state.some((values) => values.length !== offsets.length)
  ) {
    throw new TypeError(
      `Cannot apply a step of ${name}: it needs ${inputSize} host scalars and ${stateSize} values per offset, ` +
        `given ${inputs.length} and state of lengths [${
          state.map((values) => values.length)
        }] for ${offsets.length} offsets`,
    );
  }
}

/** Applies a rule to offsets whose negated gradients are `moves`, for one chunk in which frozen offsets are marked. */
function moveElements(
  update: UpdateRule,
  offsets: Float32Array,
  moves: Float32Array,
  state: readonly Float32Array[],
  inputs: readonly number[],
): void {
  const rounded = inputs.map(Math.fround);
  for (let i = 0; i < offsets.length; i++) {
    if (frozen[i] === 1) continue;
    const kept = state.map((values) => values[i]);
    const next = update.update(elementOps, offsets[i], -moves[i], kept, rounded);
    offsets[i] = next.offset;
    next.state.forEach((value, s) => state[s][i] = value);
  }
}
