/**
 * Converts between two forms of rotary scaling: the `rope_scaling` of a folder, and divisors of the frequencies, which GGUF files contain for
 * Llama 3 scaling (`rope_freqs.weight`).
 *
 * @module
 */

import type { RopeScaling } from "./model_config.ts";
import { type RotaryShape, scaledFrequency, unscaledFrequencies } from "./rope_table.ts";

/** Name of the tensor of divisors in GGUF files. */
export const ROPE_FACTORS_NAME = "rope_freqs.weight";

/** Error of computing a fraction between 0 and 1 in f32. */
const SHARE_ERROR = 2e-6;
const USUAL = { lowFrequencyFactor: 1, highFrequencyFactor: 4 };

/**
 * The divisors that express a configuration's scaling in a GGUF file, as llama.cpp's converter writes them. For `"llama3"` they are 1 for short
 * wavelengths, the factor for long ones, and interpolated in between. Undefined if no tensor is needed: without scaling, and for `"linear"`,
 * which is stored as metadata.
 *
 * @example Only long wavelengths are divided
 * ```ts
 * import { ropeFactorsOf } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const config = {
 *   headDimension: 16,
 *   ropeTheta: 1e4,
 *   ropeScaling: {
 *     type: "llama3" as const, factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 64,
 *   },
 * };
 * assertEquals(ropeFactorsOf(config)?.[0], 1);
 * assertEquals(ropeFactorsOf(config)?.at(-1), 8);
 * ```
 */
export function ropeFactorsOf(shape: RotaryShape): Float32Array<ArrayBuffer> | undefined {
  if (shape.ropeScaling?.type !== "llama3") return undefined;
  return Float32Array.from(
    unscaledFrequencies(shape),
    (frequency) => frequency / scaledFrequency(frequency, shape.ropeScaling),
  );
}

/**
 * Finds the scaling that has these divisors: none, linear, or Llama 3. The divisors do not determine the original frequency factors and context,
 * so any values that reproduce the divisors are returned.
 *
 * @throws {RangeError} when no scaling that `config.json` can express has these divisors.
 */
export function scalingOfRopeFactors(
  config: RotaryShape & { readonly context: number },
  factors: Float32Array,
): RopeScaling | undefined {
  const { type = "linear" } = config.ropeScaling ?? {};
  if (type !== "linear") {
    throw new RangeError(
      `Cannot write "${ROPE_FACTORS_NAME}" into a folder: its divisors cannot be combined with a scaling of type "${type}" there; write a .gguf file instead`,
    );
  }
  const before = config.ropeScaling?.factor ?? 1;
  const largest = factors.reduce((most, value) => Math.max(most, value), 0);
  if (factors.every((value) => value === largest)) {
    return largest * before === 1 ? undefined : { type: "linear", factor: largest * before };
  }
  const found = before === 1
    ? factorsNear(largest).map((factor) => llama3Of(config, factors, factor)).find((it) => it)
    : undefined;
  if (found) return found;
  throw new RangeError(
    `Cannot write "${ROPE_FACTORS_NAME}" into a folder: its ${factors.length} divisors from ${
      factors[0]
    } to ${
      factors.at(-1)
    } are not those of a llama3 or linear rope_scaling; write a .gguf file instead`,
  );
}

/** Candidates for the factor: the largest divisor, unless even the longest wavelength lies within the transition. */
function factorsNear(largest: number): number[] {
  const usual = [2, 4, 8, 16, 32, 64].filter((factor) => factor > largest);
  const whole = Math.round(largest);
  return Math.abs(whole / largest - 1) < 1e-6 ? [whole, ...usual] : [largest, ...usual];
}

/** The unscaled fraction rises linearly with frequency from 0 to 1, so two points in between determine it. */
function llama3Of(
  config: RotaryShape & { readonly context: number },
  factors: Float32Array,
  factor: number,
): RopeScaling | undefined {
  const frequencies = unscaledFrequencies(config);
  const shares = Float64Array.from(factors, (it) => (1 / it - 1 / factor) / (1 - 1 / factor));
  const agrees = (scaling: RopeScaling): boolean =>
    frequencies.every((frequency, i) => {
      const share = (scaledFrequency(frequency, scaling) / frequency - 1 / factor) /
        (1 - 1 / factor);
      return Math.abs(share - shares[i]) <= SHARE_ERROR;
    });
  return candidates(config.context, frequencies, shares)
    .map((it): RopeScaling => ({ type: "llama3", factor, ...it })).find(agrees);
}

type Borders = Required<
  Pick<RopeScaling, "lowFrequencyFactor" | "highFrequencyFactor" | "originalContext">
>;

/** Candidate borders: those of published models first, and those that are not round numbers last. */
function candidates(context: number, frequencies: Float64Array, shares: Float64Array): Borders[] {
  const between = [...shares.keys()]
    .filter((i) => shares[i] > SHARE_ERROR && shares[i] < 1 - SHARE_ERROR);
  const turn = 2 * Math.PI;
  /** The fraction goes from 0 to 1 between two frequencies. */
  const borders = (zero: number, one: number, originalContext: number, low?: number): Borders[] => {
    const lowFrequencyFactor = low ?? originalContext * zero / turn;
    const exact = lowFrequencyFactor + originalContext * (one - zero) / turn;
    const highs = low === undefined ? [exact] : [Math.round(exact), round3(exact), exact];
    return highs.filter((high) => high > lowFrequencyFactor && lowFrequencyFactor > 0)
      .map((highFrequencyFactor) => ({ lowFrequencyFactor, highFrequencyFactor, originalContext }));
  };
  // Frequencies decrease from pair to pair. These are the last unscaled one, and the first that is divided by the whole factor.
  const stays = frequencies[shares.findLastIndex((share) => share >= 1 - SHARE_ERROR)] ?? Infinity;
  const whole = frequencies[shares.findIndex((share) => share <= SHARE_ERROR)] ?? 0;
  const { lowFrequencyFactor: low, highFrequencyFactor: high } = USUAL;
  if (between.length === 0) {
    const contexts = Array.from({ length: 25 }, (_, power) => 2 ** power);
    const third = (stays / whole) ** (1 / 3);
    return [
      ...contexts.map((originalContext) => ({ ...USUAL, originalContext })),
      ...borders(whole * third, stays / third, context),
    ];
  }
  const [i, k] = [between[0], between.at(-1)!];
  const wanted = (low + shares[i] * (high - low)) * turn / frequencies[i];
  const usual = { ...USUAL, originalContext: Math.max(1, Math.round(wanted)) };
  if (i === k) {
    // Any line through the only point in the transition, as long as its ends do not reach the neighbouring pairs.
    const [frequency, share] = [frequencies[i], shares[i]];
    const least = Math.max(whole, (frequency / share - stays) / (1 / share - 1));
    const zero = (least + frequency) / 2;
    return [usual, ...borders(zero, zero + (frequency - zero) / share, context)];
  }
  const slope = (shares[i] - shares[k]) / (frequencies[i] - frequencies[k]);
  const zero = frequencies[k] - shares[k] / slope;
  const one = zero + 1 / slope;
  return [
    usual,
    ...[1, 2, 4, 8, 16, 32].flatMap((it) =>
      borders(zero, one, Math.max(1, Math.round(it * turn / zero)), it)
    ),
    ...borders(zero, one, context),
  ];
}

function round3(value: number): number {
  return Math.round(value * 1e3) / 1e3;
}
