/**
 * The tensors of a Hugging Face folder, in whichever of its files they lie.
 *
 * @module
 */

import type { SafetensorsTensor } from "../../../quant/files/safetensors.ts";
import type { FileSource } from "../disk/files.ts";
import type { TensorSource } from "../checkpoint.ts";

/** Where a tensor lies. */
export interface StoredTensorPlace extends SafetensorsTensor {
  /** Open as long as the model's source is. */
  readonly file: FileSource;
  /** Every tensor of that file. */
  readonly planes: Map<string, SafetensorsTensor>;
}

/** Places by name in the file. */
export type StoredTensors = ReadonlyMap<string, StoredTensorPlace>;

/** Which tensor is wanted. */
export interface WantedTensor {
  /** GGUF name. */
  readonly name: string;
  /** Name in the folder, such as `model.layers.0.mlp.up_proj.weight`. */
  readonly stored: string;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
}

/** The quantised tensors of a folder. */
export interface QuantizedTensors {
  /** Whether the tensor that would be `stored` if it were dense is quantised. */
  has(stored: string): boolean;
  /** Checks the planes of a tensor that `has` knows. @throws {RangeError | TypeError} naming tensor and field. */
  open(wanted: WantedTensor): TensorSource | Promise<TensorSource>;
  /** What a user should know of the tensors opened so far. */
  notes?(): readonly string[];
}

/**
 * A way to quantise a folder: reads its settings, finds its tensors.
 *
 * @param settings What `quantization_config` holds, not checked yet
 * @param what The file of the settings, for messages
 * @throws {RangeError} for settings that are missing or not supported.
 */
export type QuantizationMethod = (
  settings: Readonly<Record<string, unknown>>,
  tensors: StoredTensors,
  what: string,
) => QuantizedTensors;
