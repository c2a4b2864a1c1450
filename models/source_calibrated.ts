/**
 * A model quantised with calibration text: block by block, each with the inputs that the quantised blocks before it leave.
 *
 * @module
 */

import type { Gpu } from "../kernels/mod.ts";
import type { PlanOptions } from "../quant/plan.ts";
import { architectureOf } from "./architectures.ts";
import type { Example } from "./batch.ts";
import { calibrate } from "./calibration.ts";
import type { MethodOptions, QuantizedLayer } from "./quantize_method.ts";
import { quantizeMethodByName } from "./quantize_methods.ts";
import type { ModelSource, TensorSource } from "./source.ts";
import { quantizedSource } from "./source_quantized.ts";

/** How to quantise. */
export interface CalibratedSourceOptions extends PlanOptions, MethodOptions {
  /** Format of the matrices, such as `"int4_g128"` or `"Q4_0"`. */
  readonly format: string;
  /** A name of {@linkcode QUANTIZE_METHODS}. */
  readonly method: string;
  /** Called after each layer. */
  readonly onLayer?: (layer: QuantizedLayer, done: number, total: number) => void;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

/**
 * The same model with its dense matrices in `options.format`, quantised with text. Formats are chosen per tensor as by
 * `quantizedSource`; embeddings, and what is not multiplied, are rounded to nearest as they are read. The quantised matrices are
 * held in memory.
 *
 * @param windows Text as the model is to see it, such as `languageModellingExamples` makes
 * @throws {RangeError} For an unknown method or format, a format that the method cannot quantise to, no windows, or what the method refuses
 */
export async function calibratedSource(
  gpu: Gpu,
  source: ModelSource,
  windows: readonly Example[],
  options: CalibratedSourceOptions,
): Promise<ModelSource> {
  const { onLayer, signal } = options;
  const method = quantizeMethodByName(options.method);
  const nearest = quantizedSource(source, options);
  // Until its turn comes, a linear layer is what it was.
  const formats = new Map<string, string>();
  const tensors = new Map<string, TensorSource>(nearest.tensors);
  for (const { name, kind } of architectureOf(source.config).weights(source.config)) {
    const was = source.tensors.get(name);
    const format = nearest.tensors.get(name)?.format;
    if (kind !== "matrix" && kind !== "head" || !was || !format || was.format === format) continue;
    if (format.layout.kind === "dense") continue;
    if (!method.applies(format)) {
      throw new RangeError(
        `Cannot quantise "${name}" to ${format.name} with ${method.name}: it is not made for such formats`,
      );
    }
    formats.set(name, format.name);
    tensors.set(name, was);
  }
  let done = 0;
  const before = { ...nearest, tensors };
  const result = new Map<string, TensorSource>(nearest.tensors);
  for await (const block of calibrate(gpu, before, windows, signal ? { signal } : {})) {
    await method.quantizeBlock({
      config: source.config,
      block,
      formatOf: (name) => formats.get(name),
      options,
      done: (layer) => onLayer?.(layer, ++done, formats.size),
    });
    for (const [name, tensor] of block.tensors) {
      if (tensor !== tensors.get(name)) result.set(name, tensor);
    }
  }
  return { ...nearest, tensors: result };
}
