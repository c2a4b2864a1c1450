/**
 * Positions of the tensors in the files of a Hugging Face folder.
 *
 * @module
 */

import type { SafetensorsTensor } from "../../../quant/files/safetensors.ts";
import type { FileSource } from "../disk/files.ts";
import type { TensorSource } from "../checkpoint.ts";

/** Position of a tensor. */
export interface StoredTensorPlace extends SafetensorsTensor {
  /** The file. It is open as long as the model's source is. */
  readonly file: FileSource;
  /** All tensors of that file, by name. */
  readonly planes: Map<string, SafetensorsTensor>;
}

/** Positions by name in the file. */
export type StoredTensors = ReadonlyMap<string, StoredTensorPlace>;

/** The tensor to open. */
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
  /** Whether the tensor that would be named `stored` if it were dense is quantised. */
  has(stored: string): boolean;
  /**
   * Checks the planes of a tensor for which `has` is true, and opens it.
   *
   * @throws {RangeError | TypeError} when they do not fit. The message names tensor and field.
   */
  open(wanted: WantedTensor): TensorSource | Promise<TensorSource>;
  /** Information for the user about the tensors opened so far. */
  notes?(): readonly string[];
}

/**
 * A quantisation method: reads the settings of a folder and finds its quantised tensors.
 *
 * @param settings Contents of `quantization_config`, not validated.
 * @param what Path of the settings, for messages.
 * @throws {RangeError} when settings are missing or not supported.
 */
export type QuantizationMethod = (
  settings: Readonly<Record<string, unknown>>,
  tensors: StoredTensors,
  what: string,
) => QuantizedTensors;
