/**
 * Groups: parts of what is trained that have a form, an epsilon and a learning rate of their own. A step has one loss difference for all of
 * them; each group looks its own distance along a direction and moves by what its own epsilon makes of that difference.
 *
 * @module
 */
import type { JsonValue } from "./json.ts";
import { type OffsetForm, offsetForms } from "./offset.ts";
import { assertOptions, magnitude, rate } from "./options.ts";

/** What a group has of its own; the optimiser's where it does not say. */
export interface GroupOptions {
  /** How far the group is looked along a direction, in units of its offsets. */
  readonly epsilon?: number | undefined;
  /** Its peak learning rate; it follows the optimiser's schedule. */
  readonly learningRate?: number | undefined;
  /** How its offsets change their base. What can only be absolute, such as an adapter, stays so. */
  readonly form?: OffsetForm | undefined;
}

/** What becomes of a group's noise and steps: beside each tensor that is trained, and in a ledger. All numbers are f32. */
export interface TrainedGroup {
  /** The group's name. */
  readonly name: string;
  /** What multiplies the amplitude of a branch: the group's epsilon over the optimiser's. */
  readonly reach: number;
  /** What multiplies a coefficient, before it is rounded again by {@linkcode roundCoefficient}. */
  readonly pace: number;
  /** What multiplies the learning rate of an update rule; 1 without a rule, where `pace` has it. */
  readonly rate: number;
}

/** A group of an optimiser. */
export interface Group extends TrainedGroup {
  /** How far it is looked along a direction, in units of its offsets. */
  readonly epsilon: number;
  /** Its peak learning rate. */
  readonly learningRate: number;
  /** How its offsets change their base; undefined as the optimiser's. */
  readonly form?: OffsetForm | undefined;
}

/** What the optimiser has where a group does not say. */
export interface GroupBase {
  /** Its epsilon. */
  readonly epsilon: number;
  /** Its peak learning rate. */
  readonly learningRate: number;
  /** The power of epsilon that its steps go with, see {@linkcode Transformation.power}. */
  readonly power: number;
  /** Whether an update rule moves its offsets. */
  readonly ruled: boolean;
}

/** Beyond these factors a group's step is no multiple of the others' in f32. */
const widest = 2 ** 60;

/**
 * The groups of an optimiser, by name.
 *
 * With the loss difference `L+ - L-` of a step, `d_g = (L+ - L-) / (2 epsilon_g)` and a group moves by `-learningRate_g d_g z`. What an
 * optimiser makes of `d` goes with a power of epsilon: -1 as it is or clipped (the threshold of a group is that of the optimiser times
 * `epsilon / epsilon_g`), 0 where it is normalised, 1 where it is a length, as from a curvature. So the same coefficient serves all groups, times
 * `(learningRate_g / learningRate) (epsilon_g / epsilon)^power`.
 *
 * @throws {RangeError} For a number that a group cannot have
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
 * What a tensor of a group has beside it; undefined where the optimiser has no group of that name.
 *
 * @example Ten times as far, by a hundredth of the derivative's step each
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

/** What groups were made of. */
export function groupOptions(groups: readonly Group[]): Record<string, GroupOptions> {
  return Object.fromEntries(
    groups.map(({ name, epsilon, learningRate, form }) => [name, { epsilon, learningRate, form }]),
  );
}

/** Groups as a ledger's header holds them. */
export function describeGroups(groups: readonly Group[]): JsonValue {
  return groups.map((group) => ({ ...group }) as JsonValue);
}

/**
 * What {@linkcode describeGroups} gave, after JSON.
 *
 * @throws {RangeError | TypeError} For what it cannot have given
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
 * What a header has of a tensor's group.
 *
 * @throws {RangeError | TypeError} For what no group has
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

/** The amplitude of a branch for a tensor of a group, f32. */
export function reached(amplitude: number, reach: number): number {
  return Math.fround(Math.fround(amplitude) * reach);
}

/** A coefficient as a tensor of a group moves by it, not yet rounded to what the product with z is exact for. */
export function pacedBy(
  group: Pick<TrainedGroup, "pace"> | undefined,
  coefficient: number,
): number {
  return group ? Math.fround(coefficient * group.pace) : coefficient;
}
