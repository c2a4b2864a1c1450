/**
 * cos and sin of rotary positions, computed on the host in f64: adapters differ in cos by up to 4e-3.
 *
 * @module
 */

import type { RopeScaling } from "./model_config.ts";

/** What rotary positions are made of. */
export interface RotaryShape {
  /** Width of a head. */
  readonly headDimension: number;
  /** Base of the frequencies. */
  readonly ropeTheta: number;
  /** How they are stretched; undefined for not. */
  readonly ropeScaling?: RopeScaling | undefined;
}

/** Angular frequency of each pair of a head before any scaling. */
export function unscaledFrequencies({ headDimension, ropeTheta }: RotaryShape): Float64Array {
  return Float64Array.from(
    { length: headDimension / 2 },
    (_, i) => ropeTheta ** (-2 * i / headDimension),
  );
}

/** What a scaling makes of an angular frequency. */
export function scaledFrequency(frequency: number, scaling: RopeScaling | undefined): number {
  if (!scaling) return frequency;
  if (scaling.type === "linear") return frequency / scaling.factor;
  const { factor, lowFrequencyFactor = 1, highFrequencyFactor = 4, originalContext = 8192 } =
    scaling;
  const turns = originalContext * frequency / (2 * Math.PI);
  const smooth = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
  const share = Math.min(1, Math.max(0, smooth));
  return frequency * (share + (1 - share) / factor);
}

/**
 * Angular frequency of each pair of a head, with scaling applied. `factors` divide them (GGUF's `rope_freqs.weight`), beside a linear
 * scaling if there is one, as in llama.cpp.
 */
export function ropeFrequencies(shape: RotaryShape, factors?: Float32Array): Float64Array {
  return unscaledFrequencies(shape).map((frequency, i) =>
    scaledFrequency(frequency, shape.ropeScaling) / (factors?.[i] ?? 1)
  );
}

/** `[positions][pairs](cos, sin)` for the kernels. */
export function ropeTable(
  shape: RotaryShape,
  positions: number,
  factors?: Float32Array,
): Float32Array<ArrayBuffer> {
  const frequencies = ropeFrequencies(shape, factors);
  const table = new Float32Array(positions * frequencies.length * 2);
  for (let p = 0, at = 0; p < positions; p++) {
    for (const frequency of frequencies) {
      table[at++] = Math.cos(p * frequency);
      table[at++] = Math.sin(p * frequency);
    }
  }
  return table;
}
