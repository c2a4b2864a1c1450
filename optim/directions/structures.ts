/**
 * The table of structures that directions can have.
 *
 * @module
 */
import { type Blocks, blocks } from "./blocks.ts";
import { type LowRank, lowRank } from "./low_rank.ts";
import { type CompleteMask, type Mask, mask } from "./mask.ts";
import type { Seed } from "./seed.ts";
import type { Structure, TensorTurns } from "./structure.ts";

/** The structures. Plans, options, ledgers, noise and shaders follow from these entries. */
export interface Structures {
  /** Selects the elements of z that are not zero. */
  readonly mask: Structure<Mask, CompleteMask>;
  /** Selects the tensors that are perturbed. */
  readonly blocks: Structure<Blocks, Required<Blocks>>;
  /** Makes directions products of thin factors. */
  readonly lowRank: Structure<LowRank, Required<LowRank>>;
}

/** All structures by name. A direction has at most one, because the second word of its seed describes it completely. */
export const structures: Structures = { mask, blocks, lowRank };

/** The name of a structure. */
export type StructureName = keyof Structures;

/** All names, in the order used in ledgers. */
export const structureNames: readonly StructureName[] = Object.keys(structures) as StructureName[];

/** The options of each structure. */
export type StructureOptions = {
  readonly [Name in StructureName]?: Parameters<Structures[Name]["complete"]>[0] | undefined;
};

/** The options with defaults filled in. */
export type CompleteStructures = {
  readonly [Name in StructureName]?: ReturnType<Structures[Name]["complete"]>;
};

/** The structure with this name. */
export function structureOf(name: StructureName): Structure<object, object> {
  return structures[name] as unknown as Structure<object, object>;
}

/** The structure that a plan has, or undefined. */
export function structureIn(plan: CompleteStructures): StructureName | undefined {
  return structureNames.find((name) => plan[name] !== undefined);
}

/** How tensors take turns in a plan, or undefined. */
export function turnsOf(plan: CompleteStructures): TensorTurns | undefined {
  const name = structureIn(plan);
  return name && structureOf(name).turns?.(plan[name]!);
}

/** The seed of a direction, with the description of the plan's structure in its second word. */
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
