/**
 * Cosines and sines of rotary positions, computed on the host in f64, because the cosines of GPU adapters differ by up to 4e-3.
 *
 * @module
 */

import type { RopeScaling } from "./model_config.ts";

/** The properties that determine rotary positions. */
export interface RotaryShape {
  /** Width of a head. */
  readonly headDimension: number;
  /** Base of the frequencies. */
  readonly ropeTheta: number;
  /** Scaling. Undefined if there is none. */
  readonly ropeScaling?: RopeScaling | undefined;
  /** The longest sequence before dynamic scaling takes effect. Default: not checked. */
  readonly context?: number | undefined;
}

/** Angular frequency of each pair of a head, before scaling. */
export function unscaledFrequencies({ headDimension, ropeTheta }: RotaryShape): Float64Array {
  return Float64Array.from(
    { length: headDimension / 2 },
    (_, i) => ropeTheta ** (-2 * i / headDimension),
  );
}

/** Applies a scaling that depends on the frequency alone. */
export function scaledFrequency(frequency: number, scaling: RopeScaling | undefined): number {
  if (!scaling || scaling.type === "dynamic") return frequency;
  if (scaling.type === "linear") return frequency / scaling.factor;
  const { factor, lowFrequencyFactor = 1, highFrequencyFactor = 4, originalContext = 8192 } =
    scaling;
  const turns = originalContext * frequency / (2 * Math.PI);
  const smooth = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  const share = Math.min(1, Math.max(0, smooth));
  return frequency * (share + (1 - share) / factor);
}

/**
 * Angular frequency of each pair of a head, with scaling applied. `factors` divide the frequencies (GGUF's `rope_freqs.weight`), in addition to
 * linear scaling if there is any, as in llama.cpp.
 */
export function ropeFrequencies(shape: RotaryShape, factors?: Float32Array): Float64Array {
  const { ropeScaling: scaling } = shape;
  const stays = scaling?.type === "yarn" ? yarnShares(shape, scaling) : undefined;
  return unscaledFrequencies(shape).map((frequency, i) => {
    const scaled = stays
      ? frequency * (stays[i] + (1 - stays[i]) / scaling!.factor)
      : scaledFrequency(frequency, scaling);
    return scaled / (factors?.[i] ?? 1);
  });
}

/** The fraction of its frequency that each pair keeps: 1 for pairs that turn often within the original context, 0 for those that hardly turn. */
function yarnShares({ headDimension, ropeTheta }: RotaryShape, scaling: RopeScaling): Float64Array {
  const { originalContext = 8192, betaFast = 32, betaSlow = 1, truncate = true } = scaling;
  /** The pair that turns this often, as a fractional index. */
  const pairOf = (turns: number) =>
    headDimension * Math.log(originalContext / (2 * Math.PI * turns)) / (2 * Math.log(ropeTheta));
  const [first, last] = [pairOf(betaFast), pairOf(betaSlow)];
  const low = Math.max(0, truncate ? Math.floor(first) : first);
  const high = Math.min(headDimension - 1, truncate ? Math.ceil(last) : last);
  const width = low === high ? 1e-3 : high - low;
  return Float64Array.from(
    { length: headDimension / 2 },
    (_, i) => 1 - Math.min(1, Math.max(0, (i - low) / width)),
  );
}

/** The factor of a scaling for cosines and sines. */
export function ropeMagnitude(scaling: RopeScaling | undefined): number {
  if (scaling?.type !== "yarn") return 1;
  return scaling.magnitude ?? usualMagnitude(scaling.factor);
}

/** YaRN's default factor for cosines and sines. */
export function usualMagnitude(factor: number): number {
  return factor <= 1 ? 1 : 0.1 * Math.log(factor) + 1;
}

/**
 * Computes the table `[positions][pairs](cos, sin)` for the kernels.
 *
 * @throws {RangeError} when scaling is dynamic and there are more positions than the context, because each sequence length then has its own
 * frequencies.
 */
export function ropeTable(
  shape: RotaryShape,
  positions: number,
  factors?: Float32Array,
): Float32Array<ArrayBuffer> {
  const { ropeScaling, context = Infinity } = shape;
  if (ropeScaling?.type === "dynamic" && positions > context) {
    throw new RangeError(
      `Cannot rotate ${positions} positions: the model's rope_scaling "dynamic" has different frequencies for each length beyond its context of ${context}, which is not supported; load it for at most ${context} positions, or use a scaling that is the same for all lengths, such as yarn`,
    );
  }
  const frequencies = ropeFrequencies(shape, factors);
  const magnitude = ropeMagnitude(shape.ropeScaling);
  const table = new Float32Array(positions * frequencies.length * 2);
  for (let p = 0, at = 0; p < positions; p++) {
    for (const frequency of frequencies) {
      table[at++] = magnitude * Math.cos(p * frequency);
      table[at++] = magnitude * Math.sin(p * frequency);
    }
  }
  return table;
}
