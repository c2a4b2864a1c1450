/**
 * What a method of quantising with calibration text is, and what those share that take one linear layer after the other.
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

/** Options of all methods; each reads its own. */
export interface MethodOptions extends GptqOptions, Omit<QuantizeOptions, "statistics"> {}

/** What became of a linear layer. */
export interface QuantizedLayer {
  /** GGUF name. */
  readonly name: string;
  /** Name of the format. */
  readonly format: string;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Root mean squared error of the weights over their root mean square. */
  readonly weightError: number;
  /** The same of the outputs over the calibration text. */
  readonly outputError: number;
}

/** The part of a model's quantisation that a method sees. */
export interface BlockWork {
  /** Of the model. */
  readonly config: ModelConfig;
  /** The block at its turn; what is replaced is the result. */
  readonly block: CalibrationBlock;
  /** The format that a linear layer is to have; undefined: it stays as it is. */
  readonly formatOf: (name: string) => string | undefined;
  /** As they were given. */
  readonly options: MethodOptions;
  /** Runs what needs large products where those are computed. */
  readonly compute: <T>(computation: Computation<T>) => Promise<T>;
  /** To be called for each layer that has a format, when it is done. */
  readonly done: (layer: QuantizedLayer) => void;
}

/** A way to quantise the linear layers of a model. */
export interface QuantizeMethod {
  /** As people type it. */
  readonly name: string;
  /** In one line. */
  readonly summary: string;
  /** Whether it makes use of calibration text; what does not can do without. */
  readonly calibrated: boolean;
  /** Whether it can quantise to a format. */
  readonly applies: (format: Format) => boolean;
  /** Replaces tensors of a block. */
  readonly quantizeBlock: (work: BlockWork) => Promise<void>;
}

/** A method that takes linear layers one by one: those before a layer are quantised when its inputs are looked at. */
export function layerMethod(
  { quantizer, ...about }: Omit<QuantizeMethod, "quantizeBlock"> & {
    /** Made once for the layers that share an input. */
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

/** A tensor whose planes are held in memory, in place of another. */
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

/** The errors of weights and outputs that other weights make. */
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
