/**
 * Structures of directions: which elements of z are not zero, or how all elements follow from fewer numbers.
 *
 * @module
 */
import type { Distribution } from "./law.ts";
import type { NoisePlace } from "../trainable.ts";
import type { Seed } from "./seed.ts";

/** Position of a tensor in the model. Layers and parts are counted from 1; 0 means that the tensor belongs to none, and is never selected. */
export interface BlockPlace {
  /** Layer, from 1. */
  readonly layer: number;
  /** Part of the layer: 1 for attention, 2 for the MLP. */
  readonly part: number;
  /** Index among the trained tensors, from 0. */
  readonly tensor: number;
}

/** Fills `out` with the elements `start`, `start + 1`, ... of a direction, before multiplication by the tensor's gain. */
export type FillNoise = (
  dense: Distribution,
  seed: Seed,
  tensorId: number,
  start: number,
  out: Float32Array,
  place: NoisePlace,
) => void;

/** How tensors take turns: each direction perturbs one group of them. */
export interface TensorTurns {
  /** Number of groups. */
  readonly count: number;
  /** The part of a tensor's place that determines its group. */
  readonly by: keyof BlockPlace;
  /** The group of a tensor, from 0. For a tensor in no group, `count`. */
  of(place: BlockPlace): number;
  /** The group perturbed by a direction, from 0. */
  at(seed: Seed): number;
}

/** The code of a structure in the noise shader. */
export interface StructureShader {
  /** Functions called by `z`. Default: none. */
  readonly functions?: string;
  /**
   * The body of `noise4` after `gain` has been computed; it returns four elements. If absent, the elements follow the distribution alone. It can
   * use `seed`, `tensor`, `traits`, `quad`, `width` and `gain`, and the functions `threefry`, `lanes4` and `level4`.
   */
  readonly z?: string;
  /**
   * For structures in which tensors take turns: functions for the update shader, and a WGSL expression for whether the tensor of `section` takes
   * part in `step`.
   */
  readonly turns?: { readonly functions: string; readonly takesPart: string };
}

/**
 * A structure that directions can have. To add one, write a file here and add an entry to the table {@linkcode structures}; plans, ledgers,
 * options, noise and shaders follow from it. `Options` is what users write. `Complete` is what plans and ledgers store: plain data, with `keep`,
 * counted in draws of directions, if the structure is kept for some time.
 */
export interface Structure<Options extends object, Complete extends Options> {
  /** Name in plans, options and ledgers. */
  readonly name: string;
  /**
   * Fills in the defaults of the options.
   *
   * @throws {RangeError} for a value out of range.
   */
  complete(options: Options): Complete;
  /**
   * Checks that a step with this many directions can have the structure.
   *
   * @throws {RangeError} when it cannot.
   */
  assertFits?(options: Complete, directions: number): void;
  /**
   * The second word of a direction's seed, into which the structure encodes the properties of the direction, so that the seed alone is
   * sufficient.
   *
   * @param draw Index of the draw of directions, from 0.
   * @param word The second word without a structure, as random as the first.
   */
  word(options: Complete, master: Seed, draw: number, direction: number, word: number): number;
  /** Computes the elements of a direction. If absent, they follow the distribution alone. */
  readonly fill?: FillNoise;
  /** How tensors take turns. If absent, all take part in every direction. */
  turns?(options: Complete): TensorTurns;
  /** Whether a tensor takes part in a direction. If absent, all do. */
  takesPart?(seed: Seed, place: BlockPlace): boolean;
  /** The same on the device. Required if one of the two functions above is present. */
  readonly wgsl?: StructureShader;
}
