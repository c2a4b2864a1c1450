/**
 * Which forward belongs to which architecture: a new one is a file like `llama.ts` and a line here.
 *
 * @module
 */

import type { ForwardContext, Storage, Value } from "../kernels/mod.ts";
import type { ModelConfig } from "./model_config.ts";
import {
  type ChannelScaling,
  type KeyValueCache,
  llamaBlock,
  llamaEmbedding,
  type LlamaParameters,
  llamaScalings,
  llamaWeights,
  type WeightShape,
} from "./architectures/llama.ts";

/** The parts of a decoder's forward. */
export interface DecoderParts {
  /** Every weight, in the order of the forward. */
  readonly weights: (config: ModelConfig) => WeightShape[];
  /** What a block's channels may be scaled by without changing the model. */
  readonly scalings: (config: ModelConfig, index: number) => ChannelScaling[];
  /** Records what enters the first block. */
  readonly embedding: (
    context: ForwardContext,
    config: ModelConfig,
    parameters: LlamaParameters,
  ) => Value;
  /** Records one block. */
  readonly block: (
    context: ForwardContext,
    config: ModelConfig,
    parameters: LlamaParameters,
    hidden: Value | Storage,
    index: number,
    cache?: KeyValueCache,
  ) => Value;
}

/** A decoder: its weights and its forward, whole and in parts. */
export interface Architecture extends DecoderParts {
  /** Records the forward up to the last layer. */
  readonly forward: (
    context: ForwardContext,
    config: ModelConfig,
    parameters: LlamaParameters,
    cache?: KeyValueCache,
  ) => Value;
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama: decoder({
    weights: llamaWeights,
    scalings: llamaScalings,
    embedding: llamaEmbedding,
    block: llamaBlock,
  }),
};

function decoder(parts: DecoderParts): Architecture {
  return {
    ...parts,
    forward: (context, config, parameters, cache) => {
      let hidden = parts.embedding(context, config, parameters);
      for (let i = 0; i < config.layers; i++) {
        hidden = parts.block(context, config, parameters, hidden, i, cache);
      }
      return hidden;
    },
  };
}

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
