/**
 * The interface of methods that quantise with calibration text, and the part shared by methods that process one linear layer after another.
 *
 * @module
 */

import type { Computation } from "../../../quant/quantisers/computation.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import type { Format } from "../../../quant/formats/format.ts";
import { formatByName } from "../../../quant/formats/formats.ts";
import type { ComputedQuantizer, GptqOptions } from "../../../quant/quantisers/gptq_quantize.ts";
import type { InputStatistics } from "../../../quant/quantisers/input_statistics.ts";
import type { PackedTensor } from "../../../quant/layouts/layout.ts";
import { outputErrorComputation } from "../../../quant/quantisers/output_error.ts";
import type { QuantizeOptions } from "../../../quant/quantisers/round_to_nearest.ts";
import type { CalibrationBlock } from "./calibrate.ts";
import { checkTensorValues } from "../../checkpoints/derived/check_tensor_values.ts";
import type { ModelConfig } from "../../model_config.ts";
import type { TensorSource } from "../../checkpoints/checkpoint.ts";

/** Options of all methods. Each method uses its own subset. */
export interface MethodOptions extends GptqOptions, Omit<QuantizeOptions, "statistics"> {}

/** The result for one linear layer. */
export interface QuantizedLayer {
  /** Name as in GGUF. */
  readonly name: string;
  /** Name of the format. */
  readonly format: string;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Root mean squared error of the weights, relative to their root mean square. */
  readonly weightError: number;
  /** The same error of the layer's outputs, over the calibration text. */
  readonly outputError: number;
}

/** The input of a method: one block to quantise. */
export interface BlockWork {
  /** Configuration of the model. */
  readonly config: ModelConfig;
  /** The current block. The method replaces its tensors. */
  readonly block: CalibrationBlock;
  /** Target format of a linear layer. Undefined if the layer is to be kept. */
  readonly formatOf: (name: string) => string | undefined;
  /** Options as given by the user. */
  readonly options: MethodOptions;
  /** Runs a computation, with its large products computed by the available hardware. */
  readonly compute: <T>(computation: Computation<T>) => Promise<T>;
  /** Must be called for each layer with a target format, when it is finished. */
  readonly done: (layer: QuantizedLayer) => void;
}

/** A method of quantising a model's linear layers. */
export interface QuantizeMethod {
  /** Name as users type it. */
  readonly name: string;
  /** One-line description. */
  readonly summary: string;
  /** Whether it uses calibration text. If not, no text is needed. */
  readonly calibrated: boolean;
  /** Whether it supports a format. */
  readonly applies: (format: Format) => boolean;
  /** Replaces tensors of a block. */
  readonly quantizeBlock: (work: BlockWork) => Promise<void>;
}

/** A method that quantises linear layers one by one. When the inputs of a layer are measured, the layers before it are already quantised. */
export function layerMethod(
  { quantizer, ...about }: Omit<QuantizeMethod, "quantizeBlock"> & {
    /** Created once for the layers that share an input. */
    readonly quantizer: (statistics: InputStatistics, options: MethodOptions) => ComputedQuantizer;
  },
): QuantizeMethod {
  return {
    ...about,
    quantizeBlock: async ({ block, formatOf, options, compute, done }) => {
      for (const stage of block.stages) {
        const names = stage.filter((name) => formatOf(name) !== undefined);
        if (names.length === 0) continue;
        const statistics = await block.statistics(names[0]);
        const quantize = quantizer(statistics, options);
        for (const name of names) {
          const tensor = block.tensors.get(name)!;
          const { rows, columns } = tensor;
          const format = formatOf(name)!;
          const values = decode(await tensor.read(0, rows));
          checkTensorValues(tensor, values, format);
          const packed = await compute(quantize(values, rows, columns, format));
          await block.replace(heldTensor(tensor, format, packed));
          const errors = layerErrors(values, decode(packed), rows, columns, statistics);
          done({ name, format, rows, columns, ...await compute(errors) });
        }
      }
    },
  };
}

/** A copy of a tensor source whose planes are held in memory. */
export function heldTensor(
  tensor: TensorSource,
  format: string,
  packed: PackedTensor,
): TensorSource {
  return {
    ...tensor,
    format: formatByName(format),
    whole: true,
    stored: undefined,
    read: () => Promise.resolve(packed),
  };
}

/** The errors of weights and outputs after the weights have been replaced. */
export function* layerErrors(
  values: Float32Array,
  instead: Float32Array,
  rows: number,
  columns: number,
  statistics: InputStatistics,
): Computation<Pick<QuantizedLayer, "weightError" | "outputError">> {
  let error = 0;
  let power = 0;
  for (let i = 0; i < values.length; i++) {
    error += (values[i] - instead[i]) ** 2;
    power += values[i] ** 2;
  }
  return {
    weightError: error > 0 ? Math.sqrt(error / power) : 0,
    outputError: yield* outputErrorComputation(values, instead, rows, columns, statistics),
  };
}
