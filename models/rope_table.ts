/**
 * cos and sin of rotary positions, computed on the host in f64: adapters differ in cos by up to 4e-3.
 *
 * @module
 */

import type { ModelConfig } from "./config.ts";

/** Angular frequency of each pair of a head, with scaling applied. `factors` divide them (GGUF's `rope_freqs.weight`). */
export function ropeFrequencies(config: ModelConfig, factors?: Float32Array): Float64Array {
  const { headDimension, ropeTheta, ropeScaling } = config;
  const pairs = headDimension / 2;
  return Float64Array.from({ length: pairs }, (_, i) => {
    const frequency = ropeTheta ** (-2 * i / headDimension);
    if (factors) return frequency / factors[i];
    if (!ropeScaling) return frequency;
    if (ropeScaling.type === "linear") return frequency / ropeScaling.factor;
    const { factor, lowFrequencyFactor = 1, highFrequencyFactor = 4, originalContext = 8192 } =
      ropeScaling;
    const turns = originalContext * frequency / (2 * Math.PI);
    const smooth = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
    const share = Math.min(1, Math.max(0, smooth));
    return frequency * (share + (1 - share) / factor);
  });
}

/** `[positions][pairs](cos, sin)` for the kernels. */
export function ropeTable(
  config: ModelConfig,
  positions: number,
  factors?: Float32Array,
): Float32Array<ArrayBuffer> {
  const frequencies = ropeFrequencies(config, factors);
  const table = new Float32Array(positions * frequencies.length * 2);
  for (let p = 0, at = 0; p < positions; p++) {
    for (const frequency of frequencies) {
      table[at++] = Math.cos(p * frequency);
      table[at++] = Math.sin(p * frequency);
    }
  }
  return table;
}
