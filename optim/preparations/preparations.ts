/**
 * The preparations that plans may have, as a table.
 *
 * @module
 */
import type { CompleteStructures } from "../directions/structures.ts";
import { type CompleteGains, type Gains, gains } from "./gains.ts";
import { type CompleteMagnitude, type Magnitude, magnitude } from "./magnitude.ts";
import type { Preparation, PreparationKind } from "./preparation.ts";
import { preparedShares } from "./shares.ts";

/** A line for each: plans, options and ledgers follow. */
export interface Preparations {
  /** Which offsets are trained at all. The others are frozen. */
  readonly magnitude: PreparationKind<Magnitude, CompleteMagnitude>;
  /** How z differs in size between tensors, each of which then has a gain. */
  readonly gains: PreparationKind<Gains, CompleteGains>;
}

/** All preparations with options of their own, by name. */
export const preparations: Preparations = { magnitude, gains };

/** What a preparation is called. */
export type PreparationName = keyof Preparations;

/** All names, in the order that ledgers have them. */
export const preparationNames: readonly PreparationName[] = Object.keys(
  preparations,
) as PreparationName[];

/** What people write of each. */
export type PreparationOptions = {
  readonly [Name in PreparationName]?: Parameters<Preparations[Name]["complete"]>[0] | undefined;
};

/** The same with nothing left open. */
export type CompletePreparations = {
  readonly [Name in PreparationName]?: ReturnType<Preparations[Name]["complete"]>;
};

/** A preparation that may be any. */
type AnyPreparation = PreparationKind<object, object>;

/** A preparation of the table, whichever it is. */
export function preparationOf(name: PreparationName): AnyPreparation {
  return preparations[name] as unknown as AnyPreparation;
}

/** What is to be looked at for a plan, in order: of its own, and for its structure. */
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
