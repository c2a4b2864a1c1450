/**
 * Preparations: what is looked at before steps, and what follows for tensors or offsets.
 *
 * @module
 */
import type { Trainable } from "../trainable.ts";

/** Facts of a tensor that preparations find; a ledger keeps them, nothing looks for them again. */
export type FoundFact = "share" | "gain";

/** Facts that were found of a tensor. */
export type FoundFacts = Pick<Trainable, FoundFact>;

/** How the steepness of a loss is looked at: along so many directions in each tensor alone, so far; or by the gradient. */
export interface SlopeLooks {
  /** Directions in each tensor. */
  readonly queries: number;
  /** How far, in units of the offset. */
  readonly epsilon: number;
  /** Batches whose exact gradient is looked at in place of that; none by default. */
  readonly gradients?: number | undefined;
}

/** A tensor whose offsets a preparation changes. */
export interface MaskedTensor extends Pick<Trainable, "name" | "form"> {
  /** What each offset tunes, NaN where it only pads: a value, or the mean size of several. */
  readonly bases: Float32Array;
  /** The offsets, changed in place. */
  readonly offsets: Float32Array;
}

/** A preparation that finds a fact of each tensor from what its offsets tune, before the first step. */
export interface BasesPreparation {
  /** What errors call it. */
  readonly name: string;
  /** What it looks at. */
  readonly looks: "bases";
  /** What it finds. */
  readonly fact: FoundFact;
  /** The fact of each tensor, from what each of its offsets tunes (NaN where it only pads). */
  find(bases: readonly Float32Array[]): readonly number[];
}

/** A preparation that finds a fact of each tensor from how steep the loss is along it, before the first step. */
export interface SlopesPreparation {
  /** What errors call it. */
  readonly name: string;
  /** What it looks at. */
  readonly looks: "slopes";
  /** How. */
  readonly slopes: SlopeLooks;
  /** What it finds. */
  readonly fact: FoundFact;
  /** The fact of each tensor, from the mean square of the derivatives in it and its number of offsets. */
  find(squares: readonly number[], counts: readonly number[]): readonly number[];
}

/** A preparation that changes offsets: before the first step, and anew where it says so. */
export interface OffsetsPreparation {
  /** What errors call it. */
  readonly name: string;
  /** What it looks at. */
  readonly looks: "offsets";
  /** Done before each step that is a multiple of this; absent: before the first of a run, and doing it again changes nothing. */
  readonly every?: number;
  /** Changes offsets in place. */
  change(tensors: readonly MaskedTensor[]): void;
}

/** What is looked at before steps. Pure: who executes steps looks, where the data lie. */
export type Preparation = BasesPreparation | SlopesPreparation | OffsetsPreparation;

/** A kind of preparation that a plan may have: one file here, and one entry in the table of {@linkcode preparations}. */
export interface PreparationKind<Options extends object, Complete extends object> {
  /** As plans, options and ledgers name it. */
  readonly name: string;
  /** The options with nothing left open; throws a RangeError for what is out of range. */
  complete(options: Options): Complete;
  /** What is to be done for them. */
  prepare(options: Complete): Preparation;
}

/** Who looks for facts: where the base and the losses are. */
export interface Looker<Tensor> {
  /** What each offset of a tensor tunes, NaN where it only pads. */
  bases(tensor: Tensor): Promise<Float32Array>;
  /** The mean square of the derivatives along directions in each tensor alone. */
  slopes(looks: SlopeLooks, tensors: readonly Tensor[]): Promise<readonly number[]>;
}

/**
 * The same tensors with the facts that `preparations` find of them.
 *
 * @example The shares of a mask: three of four large values are in the second tensor
 * ```ts
 * import { findFacts, preparationsOf, sparseZo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { plan } = sparseZo({ sparsity: 0.5, budget: "global" });
 * const tensors = [{ count: 4, values: [1, 2, 3, 9] }, { count: 4, values: [6, 7, 8, 5] }];
 * const found = await findFacts(preparationsOf(plan), tensors, {
 *   bases: ({ values }) => Promise.resolve(Float32Array.from(values)),
 *   slopes: () => Promise.reject(new Error("no slopes are asked for")),
 * });
 * assertEquals(found.map(({ share }) => share), [0.25 * 65536, 0.75 * 65536]);
 * ```
 */
export async function findFacts<Tensor extends { readonly count: number }>(
  preparations: readonly Preparation[],
  tensors: readonly Tensor[],
  looker: Looker<Tensor>,
): Promise<(Tensor & FoundFacts)[]> {
  let known: readonly (Tensor & FoundFacts)[] = tensors;
  for (const one of preparations) {
    if (one.looks === "offsets") continue;
    const found = one.looks === "bases"
      ? one.find(await inTurn(known, (tensor) => looker.bases(tensor)))
      : one.find(await looker.slopes(one.slopes, known), known.map(({ count }) => count));
    known = known.map((tensor, i) => ({ ...tensor, [one.fact]: found[i] }));
  }
  return [...known];
}

/** One after the other: each may read a large tensor back. */
async function inTurn<One, Result>(
  list: readonly One[],
  make: (one: One) => Promise<Result>,
): Promise<Result[]> {
  const made: Result[] = [];
  for (const one of list) made.push(await make(one));
  return made;
}

/** What a tensor with a fact has, in errors. */
export const factNames: Readonly<Record<FoundFact, string>> = {
  share: "share of the mask",
  gain: "gain",
};

/**
 * The first tensor that lacks a fact which `preparations` find, or has one that they do not: what was found for another optimiser.
 */
export function wrongFact<Tensor extends FoundFacts>(
  preparations: readonly Preparation[],
  tensors: readonly Tensor[],
): { readonly tensor: Tensor; readonly fact: FoundFact; readonly missing: boolean } | undefined {
  for (const fact of Object.keys(factNames) as FoundFact[]) {
    const wanted = preparations.some((one) => one.looks !== "offsets" && one.fact === fact);
    const tensor = tensors.find((one) => (one[fact] !== undefined) !== wanted);
    if (tensor) return { tensor, fact, missing: wanted };
  }
  return undefined;
}

/** The facts that were found of a tensor, alone. */
export function foundFacts({ share, gain }: FoundFacts = {}): FoundFacts {
  return {
    ...(share === undefined ? {} : { share }),
    ...(gain === undefined ? {} : { gain }),
  };
}

/** Steps over which nothing is prepared but before the first. */
export interface Period {
  /** The first. */
  readonly from: number;
  /** The first of the next, or of none. */
  readonly to: number;
  /** What is done to offsets before the first. */
  readonly due: readonly OffsetsPreparation[];
}

/** What is done to offsets before a step: anew where it is a multiple of what is said, all of it before the `first` of a run. */
export function dueBefore(
  preparations: readonly Preparation[],
  step: number,
  first: number,
): OffsetsPreparation[] {
  return preparations.filter((one) => one.looks === "offsets").filter(({ every }) =>
    every === undefined ? step === first : step % every === 0
  );
}

/**
 * The steps from `from` to before `to` by what is done to offsets before them.
 *
 * @example Masks of four steps, resumed after three of them
 * ```ts
 * import { periods, preparationsOf, sparseMezo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const preparations = preparationsOf(sparseMezo({ resample: 4 }).plan);
 * assertEquals(periods(preparations, 3, 10).map(({ from, to, due }) => [from, to, due.length]), [
 *   [3, 4, 0],
 *   [4, 8, 1],
 *   [8, 10, 1],
 * ]);
 * ```
 */
export function periods(
  preparations: readonly Preparation[],
  from: number,
  to: number,
): Period[] {
  const changing = preparations.filter((one) => one.looks === "offsets");
  const out: Period[] = [];
  for (let at = from;;) {
    const next = changing.map(({ every = Infinity }) => at - at % every + every);
    const end = Math.max(at, Math.min(to, ...next));
    const due = dueBefore(changing, at, from);
    // Nothing is done anew for steps that are not made.
    out.push({ from: at, to: end, due: at < to ? due : due.filter((one) => !one.every) });
    if (end >= to) return out;
    at = end;
  }
}
