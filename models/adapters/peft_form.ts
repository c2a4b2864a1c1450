/**
 * How PEFT stores the adapters of a scheme: as tensors beside the modules of the base. What a scheme says here is read from folders and written to
 * them.
 *
 * @module
 */

import type { Fields, KeyTable } from "../config/config_keys.ts";
import type { ModelConfig } from "../model_config.ts";

/** A tensor of an adapter in a file of PEFT. */
export interface PeftTensor {
  /** The adapter's own. */
  readonly name: string;
  /** Its module's matrix, such as `blk.0.attn_q.weight`. */
  readonly matrix: string;
  /** What stands behind the module's path in the file, such as `lora_A.weight`. */
  readonly suffix: string;
  /** In the file. */
  readonly shape: readonly number[];
  /** Whether its rows in the file are those of the matrix, `[outputs][n]`, and lie by column on the device: `[n][outputs]`. */
  readonly byOutput: boolean;
}

/** A file of PEFT as a scheme is asked about it. */
export interface PeftFile {
  /** The model that it is read for. */
  readonly config: ModelConfig;
  /** `adapter_config.json`, whose keys have been held against the table. */
  readonly settings: Fields;
  /** It, for messages: `"adapter/adapter_config.json"`. */
  readonly what: string;
  /** The shape of the tensor of that suffix beside a matrix; undefined if there is none. */
  readonly shapeOf: (matrix: string, suffix: string) => readonly number[] | undefined;
}

/** How PEFT stores the adapters of a scheme. */
export interface PeftForm<P> {
  /** `peft_type`. */
  readonly type: string;
  /** What becomes of the keys of `adapter_config.json` that not all schemes have. */
  readonly keys: KeyTable;
  /** What a file's adapter consists of; undefined if it has none of its tensors. @throws {RangeError} For what does not fit together */
  plan(file: PeftFile): P | undefined;
  /** Its tensors, in the order of the forward. */
  tensors(config: ModelConfig, plan: P): readonly PeftTensor[];
  /** The keys of `adapter_config.json` that not all schemes have. */
  settings(config: ModelConfig, plan: P): Readonly<Record<string, unknown>>;
  /** Whether it has a word for biases of the base that come with an adapter: `bias`. Default false. */
  readonly hasBias?: boolean;
  /** What a tensor of the file is that belongs to nothing, by its name: such as `is of DoRA, which is not computed here`. */
  foreign?(name: string): string | undefined;
}
