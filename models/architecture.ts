/**
 * What an architecture is to the rest of the library: a value that says how files spell its configuration, what its weights are, and what its
 * forward does. A new one is a file in `architectures/` and a line in `architectures/mod.ts` (docs/adding/architecture.md).
 *
 * @module
 */

import type { RowList, Value } from "../kernels/mod.ts";
import type { GgufTyped, GgufValue } from "../quant/mod.ts";
import type { ModelConfig } from "./model_config.ts";
import type { Fields, KeyTable, Note } from "./config/config_keys.ts";
import type { Hidden, Recorder } from "./recorder.ts";

/**
 * What a weight is: a `"matrix"` may be quantised; a `"norm"` is a gain and a `"bias"` is added, both f32 on the device; `"embedding"` and
 * `"head"` are the vocabulary's tables, `"positions"` is that of learned positions, `"types"` that of token types.
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
 * What a token attends to in its sequence: itself and those before it, so that the next one can be predicted (decoders); or all, so that masked
 * ones can be (encoders).
 */
export type Sight = "earlier" | "all";

/** A weight of a model. */
export interface Weight {
  /** Inside, in ledgers and in GGUF files, such as `blk.0.attn_q.weight`. */
  readonly name: string;
  /** In a Hugging Face folder, such as `model.layers.0.self_attn.q_proj.weight`. */
  readonly huggingFace: string;
  /** Output features, or entries of a table; 1 for vectors. */
  readonly rows: number;
  /** Input features, or elements of a vector. */
  readonly columns: number;
  /** What it is. */
  readonly role: WeightRole;
  /** The layer that it is in, if it is in one. */
  readonly layer?: number;
  /** The half of its layer that it is in. */
  readonly part?: "attention" | "mlp";
  /**
   * Set where GGUF files and folders have the rows of rotated heads in different orders: how many heads the rows are, and whether the two
   * elements of a pair lie side by side (GGUF) or half a head apart (folders) in this model.
   */
  readonly rotary?: { readonly heads: number; readonly interleaved: boolean };
  /** Dense, a folder has it with a row for each input. */
  readonly transposed?: boolean;
  /** Of a norm: a folder has its gain as the distance from 1; GGUF files, and models, have the gain. */
  readonly fromOne?: boolean;
}

/** Channels that may be divided where they arise when the columns that read them are multiplied: the model stays the same. */
export interface ChannelScaling {
  /** A norm's gain, or a matrix whose rows are the channels. A bias of that name has them too. */
  readonly from: string;
  /** The matrices that read them, and nothing else does. */
  readonly into: readonly string[];
  /** By column of those, the channel that it reads. Default: that of the same number. */
  readonly sources?: Uint32Array;
}

/** A table that the forward reads and no file has. */
export interface Constant {
  /** Its length. */
  readonly words: number;
  /** Makes it. */
  readonly values: () => Float32Array<ArrayBuffer>;
}

/** What a reader of a configuration is told besides its fields. */
export interface ReadAbout {
  /** What is read, for messages, such as `"model/config.json"` with its quotes. */
  readonly what: string;
  /** Told what a user should know. */
  readonly note: Note;
}

/** How folders of Hugging Face spell an architecture. */
export interface HuggingFaceForm<C extends ModelConfig> {
  /** Values of `model_type`. */
  readonly modelTypes: readonly string[];
  /** What the names in `architectures` begin with, such as `Llama` of `LlamaForCausalLM`; the first names the architecture in messages. */
  readonly classes: readonly string[];
  /** What they end with in a model that is read with its head, the plainest first. Default `ForCausalLM`. */
  readonly headClass?: string | readonly string[];
  /** What the names of weights begin with, and do not in the file of a model without its head: `model`. */
  readonly base: string;
  /** Ends of names that older folders have, and what they are called now. */
  readonly olderNames?: readonly (readonly [RegExp, string])[];
  /** Tensors that folders may have beside the weights and that say nothing: what they are, and by which names. */
  readonly leftOut?: readonly { readonly pattern: RegExp; readonly what: string }[];
  /** Every key of `config.json`, and what becomes of it. */
  readonly keys: KeyTable;
  /** The configuration in `config.json`, whose keys have been held against the table. @throws {RangeError} naming key and value */
  read(json: Fields, about: ReadAbout): C;
  /**
   * What {@linkcode read} makes the same configuration of, but for the special tokens. @throws {RangeError} For what has no form there
   *
   * @param ropeFactors Divisors of the rotary frequencies, when the model's file brought them
   */
  write(config: C, ropeFactors?: Float32Array): Record<string, unknown>;
}

/** How GGUF files spell an architecture. */
export interface GgufForm<C extends ModelConfig> {
  /** Every key under the architecture's prefix, and what becomes of it. */
  readonly keys: KeyTable;
  /**
   * The configuration in the fields under the prefix, which have been held against the table.
   *
   * @throws {RangeError} naming key and value
   */
  read(fields: Fields, tensors: TensorsRead, about: ReadAbout): C;
  /** The fields that {@linkcode read} makes the same configuration of. @throws {RangeError} For what has no form there */
  write(config: C): Record<string, GgufValue | GgufTyped>;
  /** Divisors of the rotary frequencies that say what fields cannot; the method is there if files may bring some. */
  ropeFactors?(config: C): Float32Array<ArrayBuffer> | undefined;
  /** Vectors of positive numbers beside the weights that belong to the configuration. */
  readonly vectors?: {
    /** Those that a file may have. */
    readonly names: readonly string[];
    /** Those of a configuration, by name. */
    of(config: C): ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  };
}

/** What the reader of a GGUF file's configuration is told of its tensors. */
export interface TensorsRead {
  /** Rows of the embedding table, which are the vocabulary. */
  readonly embeddingRows: number;
  /** Whether a head is there. */
  readonly hasHead: boolean;
  /** Those of {@linkcode GgufForm.vectors} that are there, by name. */
  readonly vectors?: ReadonlyMap<string, Float32Array>;
}

/** An architecture. */
export interface Architecture<C extends ModelConfig = ModelConfig> {
  /** As GGUF spells it; {@linkcode ModelConfig.architecture} of its configurations. */
  readonly name: string;
  /** What a token attends to; examples are made accordingly. Default `"earlier"`. */
  readonly sees?: Sight;
  /** In folders. */
  readonly huggingFace: HuggingFaceForm<C>;
  /** In GGUF files; absent where llama.cpp does not know it. */
  readonly gguf?: GgufForm<C>;
  /** Why there is no {@linkcode gguf}, where llama.cpp knows it: said where such a file is refused. */
  readonly noGguf?: string;
  /** Every weight, in the order of the forward. */
  weights(config: C): readonly Weight[];
  /** Tables by the names that the forward has for them, long enough for sequences of `positions` tokens. */
  constants?(
    config: C,
    positions: number,
    ropeFactors?: Float32Array,
  ): Readonly<Record<string, Constant>>;
  /** The hidden states that enter the first block: `[B][M][hidden]`. */
  embed(x: Recorder, config: C): Value;
  /** Hidden states that enter a block to those that leave it. */
  block(x: Recorder, config: C, hidden: Hidden, layer: number): Value;
  /** Logits from what leaves the last block: of all rows, or of those of a list. `[B][rows][vocabulary]`. */
  head(x: Recorder, config: C, hidden: Hidden, rows?: RowList): Value;
  /** What the channels of a block may be scaled by without changing the model. */
  scalings?(config: C, layer: number): readonly ChannelScaling[];
}
