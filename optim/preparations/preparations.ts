/**
 * The table of preparations that plans can have.
 *
 * @module
 */
import type { CompleteStructures } from "../directions/structures.ts";
import { type CompleteGains, type Gains, gains } from "./gains.ts";
import { type CompleteMagnitude, type Magnitude, magnitude } from "./magnitude.ts";
import type { Preparation, PreparationKind } from "./preparation.ts";
import { preparedShares } from "./shares.ts";

/** The preparations. Plans, options and ledgers follow from these entries. */
export interface Preparations {
  /** Selects the offsets that are trained; the others are frozen. */
  readonly magnitude: PreparationKind<Magnitude, CompleteMagnitude>;
  /** Makes z differ in magnitude between tensors, each of which gets a gain. */
  readonly gains: PreparationKind<Gains, CompleteGains>;
}

/** All preparations that have options, by name. */
export const preparations: Preparations = { magnitude, gains };

/** The name of a preparation. */
export type PreparationName = keyof Preparations;

/** All names, in the order used in ledgers. */
export const preparationNames: readonly PreparationName[] = Object.keys(
  preparations,
) as PreparationName[];

/** The options of each preparation. */
export type PreparationOptions = {
  readonly [Name in PreparationName]?: Parameters<Preparations[Name]["complete"]>[0] | undefined;
};

/** The options with defaults filled in. */
export type CompletePreparations = {
  readonly [Name in PreparationName]?: ReturnType<Preparations[Name]["complete"]>;
};

/** Any of the preparations. */
type AnyPreparation = PreparationKind<object, object>;

/** The preparation with this name. */
export function preparationOf(name: PreparationName): AnyPreparation {
  return preparations[name] as unknown as AnyPreparation;
}

/**
 * The preparations of a plan, in order: its own, and those of its structure.
 *
 * @example One preparation of a named optimiser
 * ```ts
 * import { preparationsOf, sparseMezo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(preparationsOf(sparseMezo().plan).map(({ looks }) => looks), ["offsets"]);
 * ```
 */
export function preparationsOf(
  plan: CompletePreparations & Pick<CompleteStructures, "mask">,
): Preparation[] {
  const shares = plan.mask && preparedShares(plan.mask);
  return [
    ...(shares ? [shares] : []),
    ...preparationNames.flatMap((name) =>
      plan[name] ? [preparationOf(name).prepare(plan[name]!)] : []
    ),
  ];
}
