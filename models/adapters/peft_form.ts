/**
 * How PEFT stores the adapters of a scheme as tensors next to modules of the base. The description is used for reading and for writing folders.
 *
 * @module
 */

import type { Fields, KeyTable } from "../config/config_keys.ts";
import type { ModelConfig } from "../model_config.ts";

/** A tensor of an adapter in a PEFT file. */
export interface PeftTensor {
  /** Name of the adapter's tensor. */
  readonly name: string;
  /** Matrix of its module, such as `blk.0.attn_q.weight`. */
  readonly matrix: string;
  /** Suffix after the module's path in the file, such as `lora_A.weight`. */
  readonly suffix: string;
  /** Shape in the file. */
  readonly shape: readonly number[];
  /** Whether its rows in the file correspond to those of the matrix, `[outputs][n]`, so that it is transposed on the device: `[n][outputs]`. */
  readonly byOutput: boolean;
}

/** The contents of a PEFT file, as passed to a scheme. */
export interface PeftFile {
  /** Configuration of the model. */
  readonly config: ModelConfig;
  /** Contents of `adapter_config.json`, whose keys have been checked against the table. */
  readonly settings: Fields;
  /** Name of the settings for messages, such as `"adapter/adapter_config.json"`. */
  readonly what: string;
  /** Returns the shape of a matrix's tensor with this suffix. Undefined if there is none. */
  readonly shapeOf: (matrix: string, suffix: string) => readonly number[] | undefined;
}

/** How PEFT stores the adapters of a scheme. */
export interface PeftForm<P> {
  /** Value of `peft_type`. */
  readonly type: string;
  /** How the keys of `adapter_config.json` specific to the scheme are treated. */
  readonly keys: KeyTable;
  /** Derives the plan of a file's adapter. Undefined if the file has none of its tensors. @throws {RangeError} when parts do not fit together. */
  plan(file: PeftFile): P | undefined;
  /** The tensors of a plan, in the order of the forward pass. */
  tensors(config: ModelConfig, plan: P): readonly PeftTensor[];
  /** Values of the keys of `adapter_config.json` specific to the scheme. */
  settings(config: ModelConfig, plan: P): Readonly<Record<string, unknown>>;
  /** Whether its settings have the key `bias`, for biases of the base that are stored with the adapter. Default false. */
  readonly hasBias?: boolean;
  /** Describes an unsupported tensor of the file by its name, as in `is of DoRA, which is not computed here`. Undefined if it is not known. */
  foreign?(name: string): string | undefined;
}
