/**
 * AWQ (Lin et al., arXiv 2306.00978) for the blocks of a model: factors are folded into what comes before a linear layer, so that the result
 * is an ordinary model.
 *
 * @module
 */

import {
  awqComputation,
  dividedInputs,
  timesColumns,
} from "../../../quant/quantisers/awq_scales.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import type { InputStatistics } from "../../../quant/quantisers/input_statistics.ts";
import {
  quantize,
  quantizeComputation,
  weighsColumns,
} from "../../../quant/quantisers/round_to_nearest.ts";
import type { ChannelScaling } from "../../architecture.ts";
import { architectureOf } from "../../architectures.ts";
import type { CalibrationBlock } from "./calibrate.ts";
import { checkTensorValues } from "../../checkpoints/derived/check_tensor_values.ts";
import { type BlockWork, heldTensor, layerErrors, type QuantizeMethod } from "./method.ts";
import type { TensorSource } from "../../checkpoints/checkpoint.ts";
import { isQuantised } from "../../../quant/layouts/layout.ts";

/** The AWQ method. Layers whose input channels cannot be divided are only rounded by importance. */
export const awqMethod: QuantizeMethod = {
  name: "awq",
  summary: "columns with large inputs are scaled up before rounding (arXiv 2306.00978)",
  calibrated: true,
  applies: weighsColumns,
  quantizeBlock,
};

/** A linear layer to be quantised, in its state while factors are folded. */
interface Layer {
  values: Float32Array<ArrayBuffer>;
  statistics: InputStatistics;
  readonly rows: number;
  readonly format: string;
}

async function quantizeBlock(work: BlockWork): Promise<void> {
  const { config, block, options, compute, done } = work;
  const layers = await layersOf(block, work.formatOf);
  const isOfLayer = block.index >= 0 && block.index < config.layers;
  const scalings = isOfLayer ? architectureOf(config).scalings?.(config, block.index) : [];
  for (const scaling of scalings ?? []) await fold(scaling, work, layers);
  for (const [name, { values, statistics, rows, format }] of layers) {
    const tensor = block.tensors.get(name)!;
    const { columns } = tensor;
    checkTensorValues(tensor, values, format);
    const packed = await compute(
      quantizeComputation(values, rows, columns, format, { ...options, statistics }),
    );
    await block.replace(heldTensor(tensor, format, packed));
    const errors = layerErrors(values, decode(packed), rows, columns, statistics);
    done({ name, format, rows, columns, ...await compute(errors) });
  }
}

async function layersOf(
  block: CalibrationBlock,
  formatOf: (name: string) => string | undefined,
): Promise<Map<string, Layer>> {
  const layers = new Map<string, Layer>();
  for (const stage of block.stages) {
    const names = stage.filter((name) => formatOf(name) !== undefined);
    if (names.length === 0) continue;
    const statistics = await block.statistics(names[0]);
    for (const name of names) {
      const tensor = block.tensors.get(name)!;
      const values = decode(await tensor.read(0, tensor.rows));
      layers.set(name, { values, statistics, rows: tensor.rows, format: formatOf(name)! });
    }
  }
  return layers;
}

/** Searches for the factors of layers that read the same channels, multiplies their columns by them, and divides the channels. */
async function fold(
  { from, into, sources }: ChannelScaling,
  { block, options, compute }: BlockWork,
  layers: Map<string, Layer>,
): Promise<void> {
  const readers = into.map((name) => layers.get(name));
  const gain = block.tensors.get(from);
  const source = layers.get(from);
  const isGain = gain?.rows === 1 && !isQuantised(gain.format.layout);
  if (!readers.every((layer) => layer !== undefined) || !source && !isGain) return;
  const { statistics } = readers[0];
  const { factors, exponent } = await compute(
    awqComputation(readers, statistics, { ...options, sources }),
  );
  if (exponent === 0) return;
  for (const reader of readers) {
    reader.values = timesColumns(reader.values, factors);
    reader.statistics = dividedInputs(statistics, factors);
  }
  const ofChannel = new Float32Array(source?.rows ?? gain!.columns);
  factors.forEach((factor, k) => ofChannel[sources?.[k] ?? k] = factor);
  const bias = block.tensors.get(from.replace(/weight$/, "bias"));
  if (bias) await divideVector(block, bias, ofChannel);
  if (source) {
    const { values, rows } = source;
    const columns = values.length / rows;
    source.values = values.map((value, i) => value / ofChannel[Math.floor(i / columns)]);
    return;
  }
  await divideVector(block, gain!, ofChannel);
}

async function divideVector(
  block: CalibrationBlock,
  vector: TensorSource,
  by: Float32Array,
): Promise<void> {
  const divided = decode(await vector.read(0, 1)).map((value, k) => value / by[k]);
  await block.replace(heldTensor(vector, "F32", quantize(divided, 1, divided.length, "F32")));
}
