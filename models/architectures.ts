/**
 * Which forward belongs to which architecture: a new one is a file like `llama.ts` and a line here.
 *
 * @module
 */

import type { ForwardContext, Value } from "../kernels/mod.ts";
import type { ModelConfig } from "./config.ts";
import {
  type KeyValueCache,
  llama,
  type LlamaParameters,
  llamaWeights,
  type WeightShape,
} from "./llama.ts";

/** A decoder: its weights and its forward. */
export interface Architecture {
  /** Every weight, in the order of the forward. */
  readonly weights: (config: ModelConfig) => WeightShape[];
  /** Records the forward up to the last layer. */
  readonly forward: (
    context: ForwardContext,
    config: ModelConfig,
    parameters: LlamaParameters,
    cache?: KeyValueCache,
  ) => Value;
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama: { weights: llamaWeights, forward: llama },
};

/** The architecture of a configuration. @throws {RangeError} When it is not known */
export function architectureOf(config: ModelConfig): Architecture {
  const found = ARCHITECTURES[config.architecture];
  if (!found) {
    throw new RangeError(
      `Cannot build a model: architecture "${config.architecture}" is not known, known are ${
        Object.keys(ARCHITECTURES).join(", ")
      }`,
    );
  }
  return found;
}
