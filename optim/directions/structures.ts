/**
 * The structures that directions may have, as a table.
 *
 * @module
 */
import { type Blocks, blocks } from "./blocks.ts";
import { type LowRank, lowRank } from "./low_rank.ts";
import { type CompleteMask, type Mask, mask } from "./mask.ts";
import type { Seed } from "./seed.ts";
import type { Structure, TensorTurns } from "./structure.ts";

/** A line for each: plans, options, ledgers, noise and shaders follow. */
export interface Structures {
  /** Which elements of z are not zero. */
  readonly mask: Structure<Mask, CompleteMask>;
  /** Which tensors have their turn. */
  readonly blocks: Structure<Blocks, Required<Blocks>>;
  /** The thin factors that directions are products of. */
  readonly lowRank: Structure<LowRank, Required<LowRank>>;
}

/** All structures, by name; a direction has one of them at most, for its seed's second word says all of it. */
export const structures: Structures = { mask, blocks, lowRank };

/** What a direction's structure is called. */
export type StructureName = keyof Structures;

/** All names, in the order that ledgers have them. */
export const structureNames: readonly StructureName[] = Object.keys(structures) as StructureName[];

/** What people write of each. */
export type StructureOptions = {
  readonly [Name in StructureName]?: Parameters<Structures[Name]["complete"]>[0] | undefined;
};

/** The same with nothing left open. */
export type CompleteStructures = {
  readonly [Name in StructureName]?: ReturnType<Structures[Name]["complete"]>;
};

/** A structure of the table, whichever it is. */
export function structureOf(name: StructureName): Structure<object, object> {
  return structures[name] as unknown as Structure<object, object>;
}

/** Which structure a plan has, if any. */
export function structureIn(plan: CompleteStructures): StructureName | undefined {
  return structureNames.find((name) => plan[name] !== undefined);
}

/** How tensors take turns by a plan, if they do. */
export function turnsOf(plan: CompleteStructures): TensorTurns | undefined {
  const name = structureIn(plan);
  return name && structureOf(name).turns?.(plan[name]!);
}

/** A direction's seed with what the structure of a plan says of it in its second word. */
export function structuredSeed(
  plan: CompleteStructures,
  master: Seed,
  draw: number,
  direction: number,
  seed: Seed,
): Seed {
  const name = structureIn(plan);
  if (name === undefined) return seed;
  return [seed[0], structureOf(name).word(plan[name]!, master, draw, direction, seed[1])];
}
