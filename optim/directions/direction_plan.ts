/**
 * Which directions a step looks along and which it moves along: seeds as a function of master seed, step and direction.
 *
 * @module
 */
import { type Blocks, blockSeed, completeBlocks } from "./blocks.ts";
import { integerWithin } from "../check.ts";
import type { JsonValue } from "../json.ts";
import { type CompleteGains, completeGains, type Gains } from "../preparations/gains.ts";
import { completeLowRank, type LowRank, lowRankSeed } from "./low_rank.ts";
import {
  type CompleteMagnitude,
  completeMagnitude,
  type Magnitude,
} from "../preparations/magnitude.ts";
import { masterSeed, type Seed, stepSeed } from "./seed.ts";
import { threefry2x32 } from "./threefry.ts";

/** A sparse direction: most elements of z are zero. */
export interface Mask {
  /** Share of the elements (or tensors) that stay, above 0 to 1, taken to the nearest 65536th. */
  readonly density: number;
  /** Steps until another mask is drawn; 1 by default. */
  readonly keep?: number;
  /** What is taken or left out as a whole; single elements by default. */
  readonly unit?: MaskUnit | undefined;
  /**
   * `"tensor"`, the default: every tensor keeps that share. `"global"`: tensors differ, each keeps the share of its elements that are among
   * the largest of all base values, of which `density` is kept; which elements these are is random all the same.
   */
  readonly budget?: "tensor" | "global" | undefined;
}

/** A mask with nothing left open; its budget is there if it is global. */
export type CompleteMask = Required<Omit<Mask, "budget">> & { readonly budget?: "global" };

/** `"element"`: each offset by itself; `"tensor"`: all offsets of a tensor together. */
export type MaskUnit = "element" | "tensor";

/** All units. */
export const maskUnits: readonly MaskUnit[] = ["element", "tensor"];

/** How directions follow from steps. Plain: each step has its own, moves along them and forgets them. */
export interface DirectionPlan {
  /** Steps in a row that look along the same directions, from 1. */
  readonly hold: number;
  /** Steps whose directions a step moves along, from 1: its own and those before it. */
  readonly memory: number;
  /** Whether a step's last move is along the offset itself; not if absent. */
  readonly decays?: boolean;
  /** Which elements directions have; all if absent. */
  readonly mask?: CompleteMask;
  /** Which tensors directions have; all if absent. Not with a mask: both are named by the seed's second word. */
  readonly blocks?: Required<Blocks>;
  /** The factors that directions are products of; none if absent. Neither with a mask nor with blocks. */
  readonly lowRank?: Required<LowRank>;
  /** Which offsets are trained at all; all if absent. The others are frozen. */
  readonly magnitude?: CompleteMagnitude;
  /** How z differs in size between tensors, each of which then has a gain; none differ if absent. */
  readonly gains?: CompleteGains;
}

/** The plan of most optimisers. */
export const plainDirections: DirectionPlan = { hold: 1, memory: 1 };

/** Whether nothing but the step's own seeds is needed. */
export function isPlain(plan: DirectionPlan): boolean {
  const { hold, memory, decays, mask, blocks, lowRank, magnitude, gains } = plan;
  return hold === 1 && memory === 1 && !decays && !mask && !blocks && !lowRank && !magnitude &&
    !gains;
}

const largestStep = 0xffffffff;

/**
 * A mask with nothing left open, its density a whole number of 65536ths.
 *
 * @throws RangeError when the density leaves no element or is above 1, or steps to keep it are not an integer from 1.
 */
export function completeMask(
  { density, keep = 1, unit = "element", budget = "tensor" }: Mask,
): CompleteMask {
  const parts = Math.round(density * 65536);
  if (!(parts >= 1 && parts <= 65536)) {
    throw new RangeError(
      `Cannot make a mask: density must lie between 1/65536 and 1, not be ${density}`,
    );
  }
  integerWithin("a mask", "keep", keep, 1, largestStep);
  if (!maskUnits.includes(unit)) {
    throw new RangeError(
      `Cannot make a mask: unknown unit ${JSON.stringify(unit)}, known are ${maskUnits.join(", ")}`,
    );
  }
  if (budget !== "tensor" && budget !== "global") {
    throw new RangeError(
      `Cannot make a mask: unknown budget ${JSON.stringify(budget)}, known are tensor, global`,
    );
  }
  return {
    density: parts / 65536,
    keep,
    unit: unit ?? "element",
    ...(budget === "global" ? { budget } : {}),
  };
}

/** Counters of masks keep clear of those of steps, whose second word has its top bit set. */
const maskDomain = 0x6d61736b;

/**
 * The second word of a masked direction's seed: what noise reads the mask from. Bits 16-31 are the highest 16-bit lane
 * that stays, bit 15 is set for whole tensors, the rest names the mask.
 */
function maskWord({ density, keep, unit }: CompleteMask, master: Seed, draw: number): number {
  const [word] = threefry2x32(master, [Math.floor(draw / keep), maskDomain]);
  const highest = Math.round(density * 65536) - 1;
  return ((highest << 16) | (unit === "tensor" ? 0x8000 : 0) | (word & 0x7fff)) >>> 0;
}

function drawSeed(plan: DirectionPlan, master: Seed, draw: number, direction: number): Seed {
  const seed = stepSeed(master, draw, direction);
  if (plan.blocks) return blockSeed(plan.blocks, master, draw, direction, seed);
  if (plan.lowRank) return lowRankSeed(plan.lowRank, master, draw, direction, seed);
  return plan.mask ? [seed[0], maskWord(plan.mask, master, draw)] : seed;
}

/**
 * The seed of a direction that a step looks along. Steps that hold their directions share it; with a mask, blocks or a low
 * rank its second word names them, so that whoever has a seed knows what it leaves out.
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
export function describeDirections(
  { hold, memory, decays, mask, blocks, lowRank, magnitude, gains }: DirectionPlan,
): JsonValue {
  return {
    hold,
    memory,
    ...(decays ? { decays } : {}),
    ...(mask ? { mask: { ...mask } } : {}),
    ...(blocks ? { blocks: { ...blocks } } : {}),
    ...(lowRank ? { lowRank: { ...lowRank } } : {}),
    ...(magnitude ? { magnitude: { ...magnitude } } : {}),
    ...(gains ? { gains: { ...gains } } : {}),
  };
}

/**
 * Reads what {@linkcode describeDirections} wrote.
 *
 * @throws RangeError or TypeError when it is not that.
 */
export function parseDirections(value: unknown): DirectionPlan {
  if (typeof value !== "object" || value === null) {
    throw new TypeError(`Cannot read directions: ${JSON.stringify(value)} is not an object`);
  }
  const { hold, memory, decays, mask, blocks, lowRank, magnitude, gains } = value as Readonly<
    Record<string, unknown>
  >;
  return {
    hold: integerWithin("directions", "hold", Number(hold), 1, 65536),
    memory: integerWithin("directions", "memory", Number(memory), 1, 1024),
    ...(decays === undefined ? {} : { decays: decays === true }),
    ...(mask === undefined ? {} : { mask: completeMask(mask as Mask) }),
    ...(blocks === undefined ? {} : { blocks: completeBlocks(blocks as Blocks) }),
    ...(lowRank === undefined ? {} : { lowRank: completeLowRank(lowRank as LowRank) }),
    ...(magnitude === undefined ? {} : { magnitude: completeMagnitude(magnitude as Magnitude) }),
    ...(gains === undefined ? {} : { gains: completeGains(gains as Gains) }),
  };
}
