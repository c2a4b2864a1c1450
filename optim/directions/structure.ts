/**
 * Structures of directions: which elements of z there are, or how they follow from fewer numbers.
 *
 * @module
 */
import type { Distribution } from "./law.ts";
import type { NoisePlace } from "../trainable.ts";
import type { Seed } from "./seed.ts";

/** Where a tensor belongs. Layers and parts are counted from 1; 0 is what belongs to none, and is never taken. */
export interface BlockPlace {
  /** Layer, from 1. */
  readonly layer: number;
  /** 1 for attention, 2 for the MLP. */
  readonly part: number;
  /** Position among the trained tensors, from 0. */
  readonly tensor: number;
}

/** Fills `out` with the elements `start`, `start + 1`, ... of a direction, before the tensor's gain. */
export type FillNoise = (
  dense: Distribution,
  seed: Seed,
  tensorId: number,
  start: number,
  out: Float32Array,
  place: NoisePlace,
) => void;

/** How tensors take turns: a group of them in each direction. */
export interface TensorTurns {
  /** How many groups there are. */
  readonly count: number;
  /** What decides the group of a tensor. */
  readonly by: keyof BlockPlace;
  /** The group of a tensor, from 0; `count` for one that is in none. */
  of(place: BlockPlace): number;
  /** The group whose turn a direction is, from 0. */
  at(seed: Seed): number;
}

/** A structure in the shader of the noise. */
export interface StructureShader {
  /** Functions that `z` calls; none by default. */
  readonly functions?: string;
  /**
   * The body of `noise4`, from `gain` on: returns four elements; that of the law alone if absent. It sees `seed`, `tensor`, `traits`, `quad`, `width` and `gain`, and the functions
   * `threefry`, `lanes4` and `level4`.
   */
  readonly z?: string;
  /** Where tensors take turns: functions for the update, and whether the tensor of `section` takes part in `step`, an expression of WGSL. */
  readonly turns?: { readonly functions: string; readonly takesPart: string };
}

/**
 * A structure that directions may have: one file here, and one entry in the table of {@linkcode structures}. Plans, ledgers, options, noise and shaders
 * follow from it.
 *
 * `Options` are what people write, `Complete` what plans and ledgers hold of it: plain data, with `keep` where it stays for a while,
 * counted in draws of directions.
 */
export interface Structure<Options extends object, Complete extends Options> {
  /** As plans, options and ledgers name it. */
  readonly name: string;
  /** The options with nothing left open; throws a RangeError for what is out of range. */
  complete(options: Options): Complete;
  /** Throws a RangeError where a step of so many directions cannot have it. */
  assertFits?(options: Complete, directions: number): void;
  /**
   * The second word of a direction's seed: what the structure says of the direction stands there, so that whoever has a seed knows it.
   *
   * @param draw counts the draws of directions, from 0.
   * @param word the second word without a structure, as random as the first.
   */
  word(options: Complete, master: Seed, draw: number, direction: number, word: number): number;
  /** The elements of a direction; those of the law alone if absent. */
  readonly fill?: FillNoise;
  /** How tensors take turns; all take part in every direction if absent. */
  turns?(options: Complete): TensorTurns;
  /** Whether a tensor takes part in a direction; all do if absent. */
  takesPart?(seed: Seed, place: BlockPlace): boolean;
  /** The same on the device; needed where there is one of the two. */
  readonly wgsl?: StructureShader;
}
