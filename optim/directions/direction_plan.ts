/**
 * The directions that a step evaluates and those that it moves along. Their seeds are a function of master seed, step and direction.
 *
 * @module
 */
import { integerWithin } from "../check.ts";
import { masterSeed, type Seed, stepSeed } from "./seed.ts";
import {
  type CompleteStructures,
  structuredSeed,
  type StructureName,
  structureNames,
  structureOf,
  type StructureOptions,
} from "./structures.ts";
import type { JsonValue } from "../json.ts";
import {
  type CompletePreparations,
  type PreparationName,
  preparationNames,
  preparationOf,
  type PreparationOptions,
} from "../preparations/preparations.ts";

/** Options for the parts of a plan: one structure, and any preparations. */
export type PlanPartOptions = StructureOptions & PreparationOptions;

/** {@linkcode PlanPartOptions} with defaults filled in. */
export type PlanParts = CompleteStructures & CompletePreparations;

/** The name of a part of a plan. */
export type PlanPart = StructureName | PreparationName;

/** All names of parts, in the order used in ledgers. */
export const planParts: readonly PlanPart[] = [...structureNames, ...preparationNames];

/** How directions follow from steps. In the plain plan, each step has its own directions, moves along them and forgets them. */
export interface DirectionPlan extends PlanParts {
  /** Number of consecutive steps that evaluate the same directions, at least 1. */
  readonly hold: number;
  /** Number of steps whose directions a step moves along, at least 1: its own and earlier ones. */
  readonly memory: number;
  /** Whether the last move of a step is along the offset itself. Default: no. */
  readonly decays?: boolean;
}

/** The plan of most optimisers. */
export const plainDirections: DirectionPlan = { hold: 1, memory: 1 };

/** Whether a step needs no seeds except its own. */
export function isPlain(plan: DirectionPlan): boolean {
  return plan.hold === 1 && plan.memory === 1 && !plan.decays &&
    planParts.every((part) => plan[part] === undefined);
}

/** Applies `make` to every part that is given. */
export function mapParts(
  parts: PlanPartOptions,
  make: (part: object, name: PlanPart) => object,
): PlanParts {
  const made: Partial<Record<PlanPart, object>> = {};
  for (const name of planParts) if (parts[name]) made[name] = make(parts[name]!, name);
  return made as PlanParts;
}

/**
 * Fills in the defaults of a plan's parts.
 *
 * @throws {RangeError} for a value out of range.
 */
export function completeParts(options: PlanPartOptions): PlanParts {
  const named = structureNames.filter((name) => options[name]);
  if (named.length > 1) {
    throw new RangeError(
      `Cannot make an optimiser: ${
        named.join(" and ")
      } cannot be combined, because the seed of a direction can encode only one of them`,
    );
  }
  return mapParts(
    options,
    (given, name) =>
      isStructure(name) ? structureOf(name).complete(given) : preparationOf(name).complete(given),
  );
}

/** Whether a part is a structure. Structures count in draws of directions, and a plan has at most one. */
export function isStructure(part: PlanPart): part is StructureName {
  return (structureNames as readonly string[]).includes(part);
}

function drawSeed(plan: DirectionPlan, master: Seed, draw: number, direction: number): Seed {
  return structuredSeed(plan, master, draw, direction, stepSeed(master, draw, direction));
}

/**
 * The seed of a direction that a step evaluates. Steps that hold their directions share it. With a structure, its second word describes what the
 * direction leaves out, so the seed alone is sufficient.
 *
 * @param master Seed of the run, or its number.
 *
 * @example Two steps, one direction
 * ```ts
 * import { directionSeed, masterSeed, stepSeed } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const plan = { hold: 2, memory: 1 };
 * assertEquals(directionSeed(plan, 7, 5, 0), stepSeed(masterSeed(7), 2, 0));
 * assertEquals(directionSeed(plan, 7, 5, 0), directionSeed(plan, 7, 4, 0));
 * ```
 */
export function directionSeed(
  plan: DirectionPlan,
  master: Seed | number,
  step: number,
  direction: number,
): Seed {
  const seed = typeof master === "number" ? masterSeed(master) : master;
  return drawSeed(plan, seed, Math.floor(step / plan.hold), direction);
}

/** Takes the place of a direction's seed for a move along the offset itself. */
export const ownDirection: Seed = [0xffffffff, 0xffffffff];

/** Whether a move is along the offset itself. */
export function isOwnDirection([low, high]: Seed): boolean {
  return low === ownDirection[0] && high === ownDirection[1];
}

/** Number of moves of a step, which is the number of its coefficients. */
export function movesOf({ memory, decays }: DirectionPlan, directions: number): number {
  return directions * memory + (decays ? 1 : 0);
}

/**
 * The seeds of all directions that a step moves along, in the order of its coefficients: its own, those of the previous step, and so on. If
 * offsets decay, {@linkcode ownDirection} is the last. Before the first step there are no earlier ones; the first step's seeds take their place,
 * with coefficients of 0.
 *
 * @example The directions of this step and of the previous one
 * ```ts
 * import { masterSeed, moveSeeds, stepSeed } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const master = masterSeed(7);
 * const seeds = moveSeeds({ hold: 1, memory: 2 }, 1, master, 5);
 * assertEquals(seeds, [stepSeed(master, 5, 0), stepSeed(master, 4, 0)]);
 * ```
 */
export function moveSeeds(
  plan: DirectionPlan,
  directions: number,
  master: Seed | number,
  step: number,
): Seed[] {
  const seed = typeof master === "number" ? masterSeed(master) : master;
  const draw = Math.floor(step / plan.hold);
  const seeds = Array.from({ length: plan.memory }, (_, age) =>
    Array.from(
      { length: directions },
      (_, direction) => drawSeed(plan, seed, Math.max(0, draw - age), direction),
    )).flat();
  return plan.decays ? [...seeds, ownDirection] : seeds;
}

/** A plan in the form stored in a ledger's header. */
export function describeDirections(plan: DirectionPlan): JsonValue {
  const { hold, memory, decays } = plan;
  const parts = mapParts(plan, (part) => ({ ...part })) as { readonly [part: string]: JsonValue };
  return { hold, memory, ...(decays ? { decays } : {}), ...parts };
}

/**
 * Parses the result of {@linkcode describeDirections}.
 *
 * @throws {RangeError | TypeError} when it has another form, or contains an unknown part.
 */
export function parseDirections(value: unknown): DirectionPlan {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`Cannot read directions: ${JSON.stringify(value)} is not an object`);
  }
  const { hold, memory, decays, ...parts } = value as Readonly<Record<string, unknown>>;
  for (const [name, part] of Object.entries(parts)) {
    if (!(planParts as readonly string[]).includes(name)) {
      throw new RangeError(
        `Cannot read directions: unknown part ${JSON.stringify(name)}; expected one of ${
          planParts.join(", ")
        }`,
      );
    }
    if (typeof part === "object" && part !== null) continue;
    throw new TypeError(
      `Cannot read directions: ${name} is ${JSON.stringify(part)}, not an object`,
    );
  }
  return {
    hold: integerWithin("directions", "hold", Number(hold), 1, 65536),
    memory: integerWithin("directions", "memory", Number(memory), 1, 1024),
    ...(decays === undefined ? {} : { decays: decays === true }),
    ...completeParts(parts as PlanPartOptions),
  };
}
