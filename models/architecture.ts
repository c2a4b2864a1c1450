/**
 * The interface of an architecture: a value that describes how files spell its configuration, what its weights are, and how its forward pass is
 * computed. To add one, write a file in `architectures/` and add a line to `architectures/mod.ts` (docs/adding/architecture.md).
 *
 * @module
 */

import type { RowList, Value } from "../kernels/mod.ts";
import type { GgufTyped, GgufValue } from "../quant/mod.ts";
import type { ModelConfig } from "./model_config.ts";
import type { Fields, KeyTable, Note } from "./config/config_keys.ts";
import type { Hidden, Recorder } from "./recorder.ts";

/**
 * The role of a weight. A `"matrix"` can be quantised. A `"norm"` is a gain and a `"bias"` is added; both are f32 on the device. `"embedding"`
 * and `"head"` are the tables of the vocabulary, `"positions"` is the table of learned positions, and `"types"` that of token types.
 */
export type WeightRole =
  | "matrix"
  | "norm"
  | "bias"
  | "embedding"
  | "positions"
  | "types"
  | "head";

/**
 * Which tokens of its sequence a token attends to: itself and earlier ones, to predict the next token (decoders), or all of them, to predict
 * masked tokens (encoders).
 */
export type Sight = "earlier" | "all";

/** A weight of a model. */
export interface Weight {
  /** Name in this library, in ledgers and in GGUF files, such as `blk.0.attn_q.weight`. */
  readonly name: string;
  /** Name in a Hugging Face folder, such as `model.layers.0.self_attn.q_proj.weight`. */
  readonly huggingFace: string;
  /** Output features, or entries of a table. 1 for vectors. */
  readonly rows: number;
  /** Input features, or elements of a vector. */
  readonly columns: number;
  /** Role in the model. */
  readonly role: WeightRole;
  /** Index of its layer. Undefined if it belongs to no layer. */
  readonly layer?: number;
  /** The half of the layer that it belongs to. */
  readonly part?: "attention" | "mlp";
  /**
   * Set if GGUF files and folders store the rows of rotated heads in different orders: the number of heads in the rows, and whether in this
   * model the two elements of a pair are adjacent (GGUF) or half a head apart (folders).
   */
  readonly rotary?: { readonly heads: number; readonly interleaved: boolean };
  /** Whether a folder stores it transposed, with one row per input, if it is dense. */
  readonly transposed?: boolean;
  /** For a norm: whether a folder stores the gain minus 1. GGUF files and loaded models contain the gain itself. */
  readonly fromOne?: boolean;
}

/**
 * Channels that can be divided by factors at their origin, if the columns that read them are multiplied by the same factors. The model then
 * computes the same function.
 */
export interface ChannelScaling {
  /** Name of a norm's gain, or of a matrix whose rows are the channels. A bias of the same name is scaled too. */
  readonly from: string;
  /** Names of all matrices that read the channels. */
  readonly into: readonly string[];
  /** For each column of these matrices, the index of the channel it reads. Default: the column's own index. */
  readonly sources?: Uint32Array;
}

/** A table that the forward pass reads and that is computed rather than stored in files. */
export interface Constant {
  /** Length in f32 words. */
  readonly words: number;
  /** Computes the table. */
  readonly values: () => Float32Array<ArrayBuffer>;
}

/** Context for reading a configuration. */
export interface ReadAbout {
  /** Name of the file for messages, such as `"model/config.json"`, quotes included. */
  readonly what: string;
  /** Called with information for the user. */
  readonly note: Note;
}

/** How Hugging Face folders spell an architecture. */
export interface HuggingFaceForm<C extends ModelConfig> {
  /** Values of `model_type` that belong to it. */
  readonly modelTypes: readonly string[];
  /** Prefixes of the names in `architectures`, such as `Llama` for `LlamaForCausalLM`. Messages use the first. */
  readonly classes: readonly string[];
  /** Suffixes of these names for models that are read with their head, most common first. Default `ForCausalLM`. */
  readonly headClass?: string | readonly string[];
  /** Prefix of the weights' names, such as `model`. Files of a model without a head lack it. */
  readonly base: string;
  /** Patterns for the ends of names in older folders, with their replacements. */
  readonly olderNames?: readonly (readonly [RegExp, string])[];
  /** Tensors that folders may contain besides the weights and that do not affect the model: what they are, and a pattern for their names. */
  readonly leftOut?: readonly { readonly pattern: RegExp; readonly what: string }[];
  /** How every key of `config.json` is treated. */
  readonly keys: KeyTable;
  /**
   * Reads the configuration from `config.json`, whose keys have already been checked against the table.
   *
   * @throws {RangeError} naming the key and the value.
   */
  read(json: Fields, about: ReadAbout): C;
  /**
   * The inverse of {@linkcode read}, except for special tokens.
   *
   * @param ropeFactors Divisors of the rotary frequencies, if they came with the model's file.
   * @throws {RangeError} for a configuration that cannot be written in this form.
   */
  write(config: C, ropeFactors?: Float32Array): Record<string, unknown>;
}

/** How GGUF files spell an architecture. */
export interface GgufForm<C extends ModelConfig> {
  /** How every key under the architecture's prefix is treated. */
  readonly keys: KeyTable;
  /**
   * Reads the configuration from the fields under the prefix, which have already been checked against the table.
   *
   * @throws {RangeError} naming the key and the value.
   */
  read(fields: Fields, tensors: TensorsRead, about: ReadAbout): C;
  /**
   * The inverse of {@linkcode read}.
   *
   * @throws {RangeError} for a configuration that cannot be written in this form.
   */
  write(config: C): Record<string, GgufValue | GgufTyped>;
  /** Divisors of the rotary frequencies, for scaling that the metadata fields cannot express. Present if files may contain them. */
  ropeFactors?(config: C): Float32Array<ArrayBuffer> | undefined;
  /** Vectors of positive numbers that are stored as tensors but belong to the configuration. */
  readonly vectors?: {
    /** Names that a file may contain. */
    readonly names: readonly string[];
    /** The vectors of a configuration, by name. */
    of(config: C): ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  };
}

/** Facts about the tensors of a GGUF file, for reading its configuration. */
export interface TensorsRead {
  /** Rows of the embedding table, which are the size of the vocabulary. */
  readonly embeddingRows: number;
  /** Whether there is a separate head. */
  readonly hasHead: boolean;
  /** The vectors of {@linkcode GgufForm.vectors} that the file contains, by name. */
  readonly vectors?: ReadonlyMap<string, Float32Array>;
}

/** An architecture. */
export interface Architecture<C extends ModelConfig = ModelConfig> {
  /** Name as spelled by GGUF; the {@linkcode ModelConfig.architecture} of its configurations. */
  readonly name: string;
  /** Which tokens a token attends to. Examples are built accordingly. Default `"earlier"`. */
  readonly sees?: Sight;
  /** Its form in Hugging Face folders. */
  readonly huggingFace: HuggingFaceForm<C>;
  /** Its form in GGUF files. Absent if llama.cpp does not support it. */
  readonly gguf?: GgufForm<C>;
  /** If llama.cpp supports it but {@linkcode gguf} is absent: the reason, which is shown when such a file is rejected. */
  readonly noGguf?: string;
  /** Every weight, in the order of the forward pass. */
  weights(config: C): readonly Weight[];
  /** Tables by the names the forward pass uses, long enough for sequences of `positions` tokens. */
  constants?(
    config: C,
    positions: number,
    ropeFactors?: Float32Array,
  ): Readonly<Record<string, Constant>>;
  /** Records the hidden states that enter the first block: `[B][M][hidden]`. */
  embed(x: Recorder, config: C): Value;
  /** Records a block: hidden states in, hidden states out. */
  block(x: Recorder, config: C, hidden: Hidden, layer: number): Value;
  /** Records the logits from the output of the last block, for all rows or those of a list: `[B][rows][vocabulary]`. */
  head(x: Recorder, config: C, hidden: Hidden, rows?: RowList): Value;
  /** The channels of a block that can be scaled without changing the model's function. */
  scalings?(config: C, layer: number): readonly ChannelScaling[];
}
