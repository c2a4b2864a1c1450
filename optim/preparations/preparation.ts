/**
 * Preparations: measurements before steps, and the facts or changes of offsets that result from them.
 *
 * @module
 */
import type { Trainable } from "../trainable.ts";

/** The facts about a tensor that preparations find. They are stored in ledgers and never measured again. */
export type FoundFact = "share" | "gain";

/** The facts found for a tensor. */
export type FoundFacts = Pick<Trainable, FoundFact>;

/**
 * How the sensitivity of a loss is measured: the number of directions in each tensor separately, and their distance; or the number of exact
 * gradients.
 */
export interface SlopeLooks {
  /** Number of directions in each tensor. */
  readonly queries: number;
  /** Distance in units of the offset. */
  readonly epsilon: number;
  /** Number of batches whose exact gradient is used instead. Default: none. */
  readonly gradients?: number | undefined;
}

/** A tensor whose offsets a preparation changes. */
export interface MaskedTensor extends Pick<Trainable, "name" | "form"> {
  /** The value that each offset tunes (the mean magnitude of several); NaN for padding. */
  readonly bases: Float32Array;
  /** The offsets, to be changed in place. */
  readonly offsets: Float32Array;
}

/** A preparation that derives a fact about each tensor from the values its offsets tune, before the first step. */
export interface BasesPreparation {
  /** Name for errors. */
  readonly name: string;
  /** What it examines. */
  readonly looks: "bases";
  /** The fact that it finds. */
  readonly fact: FoundFact;
  /** Returns the fact of each tensor, given the value that each of its offsets tunes (NaN for padding). */
  find(bases: readonly Float32Array[]): readonly number[];
}

/** A preparation that derives a fact about each tensor from the sensitivity of the loss to it, before the first step. */
export interface SlopesPreparation {
  /** Name for errors. */
  readonly name: string;
  /** What it examines. */
  readonly looks: "slopes";
  /** How the sensitivity is measured. */
  readonly slopes: SlopeLooks;
  /** The fact that it finds. */
  readonly fact: FoundFact;
  /** Returns the fact of each tensor, given the mean square of the derivatives in it and its number of offsets. */
  find(squares: readonly number[], counts: readonly number[]): readonly number[];
}

/** A preparation that changes offsets, before the first step and at intervals if requested. */
export interface OffsetsPreparation {
  /** Name for errors. */
  readonly name: string;
  /** What it examines. */
  readonly looks: "offsets";
  /**
   * Interval: it is done before each step that is a multiple of this. If absent, it is done before the first step of a run, and repeating it
   * changes nothing.
   */
  readonly every?: number;
  /** Changes offsets in place. */
  change(tensors: readonly MaskedTensor[]): void;
}

/** A preparation, without side effects itself: the executor of steps performs the measurements, because it has the data. */
export type Preparation = BasesPreparation | SlopesPreparation | OffsetsPreparation;

/** A kind of preparation that a plan can have. To add one, write a file here and add an entry to the table {@linkcode preparations}. */
export interface PreparationKind<Options extends object, Complete extends object> {
  /** Name in plans, options and ledgers. */
  readonly name: string;
  /**
   * Fills in the defaults of the options.
   *
   * @throws {RangeError} for a value out of range.
   */
  complete(options: Options): Complete;
  /** The preparation to perform for these options. */
  prepare(options: Complete): Preparation;
}

/** Performs measurements, with access to the base model and to losses. */
export interface Looker<Tensor> {
  /** Returns the value that each offset of a tensor tunes; NaN for padding. */
  bases(tensor: Tensor): Promise<Float32Array>;
  /** Returns the mean square of the derivatives along directions in each tensor separately. */
  slopes(looks: SlopeLooks, tensors: readonly Tensor[]): Promise<readonly number[]>;
}

/**
 * The same tensors with the facts that `preparations` find.
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

/** Runs one after another, because each may read back a large tensor. */
async function inTurn<One, Result>(
  list: readonly One[],
  make: (one: One) => Promise<Result>,
): Promise<Result[]> {
  const made: Result[] = [];
  for (const one of list) made.push(await make(one));
  return made;
}

/** What a tensor with a fact is said to have, in errors. */
export const factNames: Readonly<Record<FoundFact, string>> = {
  share: "share of the mask",
  gain: "gain",
};

/**
 * The first tensor that lacks a fact which `preparations` find, or that has a fact which they do not find because it belongs to another
 * optimiser.
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

/** Only the facts that were found for a tensor. */
export function foundFacts({ share, gain }: FoundFacts = {}): FoundFacts {
  return {
    ...(share === undefined ? {} : { share }),
    ...(gain === undefined ? {} : { gain }),
  };
}

/** Consecutive steps, with preparations only before the first. */
export interface Period {
  /** Index of the first step. */
  readonly from: number;
  /** End of the steps, exclusive. */
  readonly to: number;
  /** Changes of offsets before the first step. */
  readonly due: readonly OffsetsPreparation[];
}

/**
 * The changes of offsets that are due before a step: those whose interval divides it, and all of them before the `first` step of a run.
 *
 * @example A mask that is drawn anew every four steps
 * ```ts
 * import { dueBefore, preparationsOf, sparseMezo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const preparations = preparationsOf(sparseMezo({ resample: 4 }).plan);
 * assertEquals([0, 1, 4].map((step) => dueBefore(preparations, step, 0).length), [1, 0, 1]);
 * ```
 */
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
 * The steps from `from` to before `to`, divided by the changes of offsets before them.
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
    // At the end of the run, repeated preparations are not performed.
    out.push({ from: at, to: end, due: at < to ? due : due.filter((one) => !one.every) });
    if (end >= to) return out;
    at = end;
  }
}
