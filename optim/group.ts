/**
 * Groups: parts of what is trained that have their own form, epsilon and learning rate. A step has a single loss difference for all groups. Each
 * group is perturbed by its own distance along a direction and moves according to its own epsilon.
 *
 * @module
 */
import type { JsonValue } from "./json.ts";
import { type OffsetForm, offsetForms } from "./offset.ts";
import { assertOptions, magnitude, rate } from "./options.ts";

/** The settings of a group. Missing ones are those of the optimiser. */
export interface GroupOptions {
  /** Distance of the perturbation, in units of the group's offsets. */
  readonly epsilon?: number | undefined;
  /** Peak learning rate. It follows the optimiser's schedule. */
  readonly learningRate?: number | undefined;
  /** How offsets are applied to their base. Parameters that can only be absolute, such as those of an adapter, remain absolute. */
  readonly form?: OffsetForm | undefined;
}

/** The effect of a group on noise and steps, as stored with each trained tensor and in ledgers. All numbers are f32. */
export interface TrainedGroup {
  /** Name of the group. */
  readonly name: string;
  /** Factor for the amplitudes of branches: the group's epsilon divided by the optimiser's. */
  readonly reach: number;
  /** Factor for coefficients, which are then rounded again by {@linkcode roundCoefficient}. */
  readonly pace: number;
  /** Factor for the learning rate of an update rule. 1 without a rule, because `pace` then includes it. */
  readonly rate: number;
}

/** A group of an optimiser. */
export interface Group extends TrainedGroup {
  /** Distance of the perturbation, in units of the group's offsets. */
  readonly epsilon: number;
  /** Peak learning rate. */
  readonly learningRate: number;
  /** How offsets are applied to their base. Undefined: as for the optimiser. */
  readonly form?: OffsetForm | undefined;
}

/** The optimiser's settings, used where a group has none. */
export interface GroupBase {
  /** Distance of the perturbation. */
  readonly epsilon: number;
  /** Peak learning rate. */
  readonly learningRate: number;
  /** The power of epsilon that its steps are proportional to; see {@linkcode Transformation.power}. */
  readonly power: number;
  /** Whether an update rule moves its offsets. */
  readonly ruled: boolean;
}

/** The largest factor for which a group's step is still a multiple of the others' in f32. */
const widest = 2 ** 60;

/**
 * Creates the groups of an optimiser, by name.
 *
 * With the loss difference `L+ - L-` of a step, `d_g = (L+ - L-) / (2 epsilon_g)`, and a group moves by `-learningRate_g d_g z`. The value that
 * an optimiser computes from `d` is proportional to a power of epsilon: -1 if it is unchanged or clipped (a group's threshold is then that of
 * the optimiser times `epsilon / epsilon_g`), 0 if it is normalised, 1 if it is a length, as from a curvature. All groups therefore use the same
 * coefficient, times `(learningRate_g / learningRate) (epsilon_g / epsilon)^power`.
 *
 * @throws {RangeError} for a number out of range.
 */
export function makeGroups(
  options: Readonly<Record<string, GroupOptions>>,
  { epsilon, learningRate, power, ruled }: GroupBase,
): Group[] {
  return Object.entries(options).map(([name, given]) => {
    const what = `make group "${name}"`;
    assertOptions(what, given, { epsilon: magnitude, learningRate: rate, form: "any" });
    if (given.form !== undefined && !offsetForms.includes(given.form)) {
      throw new RangeError(
        `Cannot ${what}: form must be ${offsetForms.join(" or ")}, not ${
          JSON.stringify(given.form)
        }`,
      );
    }
    const own = {
      epsilon: given.epsilon ?? epsilon,
      learningRate: given.learningRate ?? learningRate,
    };
    if (learningRate === 0 && own.learningRate !== 0) {
      throw new RangeError(
        `Cannot ${what}: a learning rate of ${own.learningRate} is not a multiple of the optimiser's, which is 0`,
      );
    }
    const faster = learningRate === 0 ? 1 : own.learningRate / learningRate;
    const reach = own.epsilon / epsilon;
    const group = {
      name,
      ...own,
      ...(given.form === undefined ? {} : { form: given.form }),
      reach: Math.fround(reach),
      pace: Math.fround(reach ** power * (ruled ? 1 : faster)),
      rate: Math.fround(ruled ? faster : 1),
    };
    for (const key of ["reach", "pace", "rate"] as const) {
      const value = group[key];
      if (value === 0 && key !== "reach" || value >= 1 / widest && value <= widest) continue;
      throw new RangeError(
        `Cannot ${what}: epsilon ${own.epsilon} and learning rate ${own.learningRate} are too far from the optimiser's ${epsilon} and ${learningRate}`,
      );
    }
    return group;
  });
}

/**
 * The properties stored with a tensor of a group. Undefined if the optimiser has no group of that name.
 *
 * @example Twice the epsilon, sixteen times the learning rate
 * ```ts
 * import { qzo, trainedGroup } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const mixed = qzo({ learningRate: 0.25, epsilon: 0.5, groups: { lora: { epsilon: 1, learningRate: 4 } } });
 * assertEquals(trainedGroup(mixed, "lora"), { name: "lora", reach: 2, pace: 8, rate: 1 });
 * assertEquals(trainedGroup(mixed, "scales"), undefined);
 * ```
 */
export function trainedGroup(
  { groups }: { readonly groups?: readonly Group[] | undefined },
  name: string | undefined,
): TrainedGroup | undefined {
  const found = groups?.find((one) => one.name === name);
  if (!found) return undefined;
  const { reach, pace, rate } = found;
  return { name: found.name, reach, pace, rate };
}

/** The settings that groups were created from. */
export function groupOptions(groups: readonly Group[]): Record<string, GroupOptions> {
  return Object.fromEntries(
    groups.map(({ name, epsilon, learningRate, form }) => [name, { epsilon, learningRate, form }]),
  );
}

/** Groups in the form stored in a ledger's header. */
export function describeGroups(groups: readonly Group[]): JsonValue {
  return groups.map((group) => ({ ...group }) as JsonValue);
}

/**
 * Parses the result of {@linkcode describeGroups} after JSON.
 *
 * @throws {RangeError | TypeError} when it has another form.
 *
 * @example There and back
 * ```ts
 * import { parseGroups, qzo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { groups = [] } = qzo({ groups: { norms: { learningRate: 1e-3 } } });
 * const json = JSON.stringify(groups);
 * assertEquals(parseGroups(JSON.parse(json)), groups);
 * ```
 */
export function parseGroups(value: unknown): Group[] {
  if (!Array.isArray(value)) throw new TypeError("Cannot read groups: not an array");
  const names = new Set<string>();
  return value.map((one) => {
    const { form, epsilon, learningRate } = Object(one);
    const facts = parseTrainedGroup(one);
    if (names.has(facts.name)) {
      throw new RangeError(`Cannot read groups: there are two named ${JSON.stringify(facts.name)}`);
    }
    names.add(facts.name);
    if (form !== undefined && !offsetForms.includes(form)) {
      throw new RangeError(`Cannot read groups: unknown form ${JSON.stringify(form)}`);
    }
    if (!(epsilon > 0 && epsilon < Infinity && learningRate >= 0 && learningRate < Infinity)) {
      throw new RangeError(
        `Cannot read groups: "${facts.name}" has epsilon ${epsilon} and learning rate ${learningRate}`,
      );
    }
    return {
      epsilon,
      learningRate,
      ...(form === undefined ? {} : { form }),
      ...facts,
    };
  });
}

/**
 * Parses the group of a tensor in a header.
 *
 * @throws {RangeError | TypeError} when it is not valid.
 */
export function parseTrainedGroup(value: unknown): TrainedGroup {
  const { name, reach, pace, rate } = Object(value);
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`Cannot read a group: its name is ${JSON.stringify(name)}`);
  }
  for (const [key, one] of Object.entries({ reach, pace, rate })) {
    const zero = one === 0 && key !== "reach";
    if (zero || Math.fround(one) === one && one >= 1 / widest && one <= widest) continue;
    throw new RangeError(`Cannot read group "${name}": ${key} is ${one}`);
  }
  return { name, reach, pace, rate };
}

/** The amplitude of a branch for a tensor of a group, in f32. */
export function reached(amplitude: number, reach: number): number {
  return Math.fround(Math.fround(amplitude) * reach);
}

/** The coefficient by which a tensor of a group moves, before rounding to the precision in which its product with z is exact. */
export function pacedBy(
  group: Pick<TrainedGroup, "pace"> | undefined,
  coefficient: number,
): number {
  return group ? Math.fround(coefficient * group.pace) : coefficient;
}
