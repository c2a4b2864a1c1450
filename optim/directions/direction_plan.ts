/**
 * Which directions a step looks along and which it moves along: seeds as a function of master seed, step and direction.
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

/** Parts of a plan that the tables of structures and preparations say all of: what people write. */
export type PlanPartOptions = StructureOptions & PreparationOptions;

/** The same with nothing left open. */
export type PlanParts = CompleteStructures & CompletePreparations;

/** What a part of a plan is called. */
export type PlanPart = StructureName | PreparationName;

/** All names of parts, in the order that ledgers have them. */
export const planParts: readonly PlanPart[] = [...structureNames, ...preparationNames];

/** How directions follow from steps. Plain: each step has its own, moves along them and forgets them. */
export interface DirectionPlan extends PlanParts {
  /** Steps in a row that look along the same directions, from 1. */
  readonly hold: number;
  /** Steps whose directions a step moves along, from 1: its own and those before it. */
  readonly memory: number;
  /** Whether a step's last move is along the offset itself; not if absent. */
  readonly decays?: boolean;
}

/** The plan of most optimisers. */
export const plainDirections: DirectionPlan = { hold: 1, memory: 1 };

/** Whether nothing but the step's own seeds is needed. */
export function isPlain(plan: DirectionPlan): boolean {
  return plan.hold === 1 && plan.memory === 1 && !plan.decays &&
    planParts.every((part) => plan[part] === undefined);
}

/** Every part that is given, as `make` makes it. */
export function mapParts(
  parts: PlanPartOptions,
  make: (part: object, name: PlanPart) => object,
): PlanParts {
  const made: Partial<Record<PlanPart, object>> = {};
  for (const name of planParts) if (parts[name]) made[name] = make(parts[name]!, name);
  return made as PlanParts;
}

/**
 * Parts of a plan with nothing left open.
 *
 * @throws RangeError for what is out of range.
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

/** Whether a part is a structure: counted in draws of directions, and one at most. */
export function isStructure(part: PlanPart): part is StructureName {
  return (structureNames as readonly string[]).includes(part);
}

function drawSeed(plan: DirectionPlan, master: Seed, draw: number, direction: number): Seed {
  return structuredSeed(plan, master, draw, direction, stepSeed(master, draw, direction));
}

/**
 * The seed of a direction that a step looks along. Steps that hold their directions share it; with a structure its second word says what
 * the direction leaves out, so that whoever has a seed knows it.
 *
 * @param master the run's seed, or its number.
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

/** Stands for the offset itself where a seed stands for a direction. */
export const ownDirection: Seed = [0xffffffff, 0xffffffff];

/** Whether a move is along the offset itself. */
export function isOwnDirection([low, high]: Seed): boolean {
  return low === ownDirection[0] && high === ownDirection[1];
}

/** Moves of a step: its coefficients. */
export function movesOf({ memory, decays }: DirectionPlan, directions: number): number {
  return directions * memory + (decays ? 1 : 0);
}

/**
 * The seeds of all directions that a step moves along, in the order of its coefficients: its own, those of the step
 * before, and so on, and at last {@linkcode ownDirection} where offsets decay. Before the first step there was none; its seeds stand in, their coefficients are 0.
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

/** A plan as a ledger's header holds it. */
export function describeDirections(plan: DirectionPlan): JsonValue {
  const { hold, memory, decays } = plan;
  const parts = mapParts(plan, (part) => ({ ...part })) as { readonly [part: string]: JsonValue };
  return { hold, memory, ...(decays ? { decays } : {}), ...parts };
}

/**
 * Reads what {@linkcode describeDirections} wrote.
 *
 * @throws RangeError or TypeError when it is not that, or has a part that is not known.
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
