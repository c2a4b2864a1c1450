/**
 * Quantises a model with calibration text, block by block. Each block is calibrated with the outputs of the quantised blocks before it.
 *
 * @module
 */

import { assertOptions, count } from "../../../optim/options.ts";
import type { FormatName } from "../../../quant/formats/format_name.ts";
import type { Gpu } from "../../../kernels/mod.ts";
import { runWith } from "../../../quant/quantisers/computation.ts";
import type { PlanOptions } from "../../../quant/formats/choose_format.ts";
import { weightsOf } from "../../architectures.ts";
import type { Example } from "../../batch.ts";
import { calibrate } from "./calibrate.ts";
import { CalibrationProducts } from "./products.ts";
import type { MethodOptions, QuantizedLayer, QuantizeMethod } from "./method.ts";
import { quantizeMethodByName } from "./methods.ts";
import type { ModelSource, TensorSource } from "../../checkpoints/checkpoint.ts";
import { quantizedNearest, quantizedSourceRules } from "../../checkpoints/derived/quantised.ts";
import { isQuantised } from "../../../quant/layouts/layout.ts";

/** The name of a method in {@linkcode QUANTIZE_METHODS}. */
export type MethodName =
  | "rtn"
  | "gptq"
  | "imatrix"
  | "codebook"
  | "awq"
  | (string & Record<never, never>);

/** Options for quantising with calibration text. */
export interface CalibratedSourceOptions extends PlanOptions, MethodOptions {
  /** Format of the matrices, such as `"int4_g128"` or `"Q4_0"`. */
  readonly format: FormatName;
  /** Name of a method in {@linkcode QUANTIZE_METHODS}. */
  readonly method: MethodName;
  /** Called after each linear layer. */
  readonly onLayer?: (layer: QuantizedLayer, done: number, total: number) => void;
  /** Aborts between two batches. */
  readonly signal?: AbortSignal;
}

/**
 * The same model with its dense matrices in `options.format`, quantised with calibration text. The format of each tensor is chosen as by
 * `quantizedSource`. Embeddings, and tensors that are not multiplied with inputs, are rounded to nearest as they are read. The quantised
 * matrices are held in memory.
 *
 * @param windows Calibration text as token windows, such as those of `languageModellingExamples`.
 * @throws {RangeError} for an unknown method or format, a format that the method does not support, no windows, or an error of the method.
 *
 * @example GPTQ on one sentence
 * ```ts
 * import { calibratedSource, openGpu, openModelSource } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * const tokens = source.tokenizer!.encode("a quiet film, and a good one");
 * const windows = [{ prompt: [], candidates: [tokens], label: 0 }];
 * const quantised = await calibratedSource(gpu, source, windows, { method: "gptq", format: "Q4_0" });
 * assertEquals(quantised.tensors.get("blk.0.attn_q.weight")?.format.name, "Q4_0");
 * ```
 */
export async function calibratedSource(
  gpu: Gpu,
  source: ModelSource,
  windows: readonly Example[],
  options: CalibratedSourceOptions,
): Promise<ModelSource> {
  const plan = planCalibration(source, options);
  const tensors = new Map(plan.nearest.tensors);
  for await (const block of quantizedBlocks(gpu, windows, options, plan)) {
    for (const [name, tensor] of block) {
      if (tensor !== plan.before.tensors.get(name)) tensors.set(name, tensor);
    }
  }
  return { ...plan.nearest, tensors };
}

/** A model whose blocks are quantised as they are read. Disposing it aborts the calibration. */
export interface CalibratedStream extends ModelSource, AsyncDisposable {}

/**
 * {@linkcode calibratedSource} for models larger than the host's memory. The result must be read once, in the order of its tensors, as
 * `writeModel` does. A block is quantised when its first tensor is read, and dropped when a tensor of a later block is read.
 *
 * @throws {RangeError} as `calibratedSource`, in part only when a tensor is read, and when a tensor of a dropped block is read.
 *
 * @example Quantise the bundled model to four bits
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { calibratedStream, openModelSource, writeModel } from "@qzo/qzo/models";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * const tokens = source.tokenizer!.encode("a quiet film, and a good one");
 * const windows = [{ prompt: [], candidates: [tokens], label: 0 }];
 * await using stream = calibratedStream(gpu, source, windows, { method: "gptq", format: "Q4_0" });
 * const path = await Deno.makeTempFile({ suffix: ".gguf" });
 * await writeModel(stream, path);
 * await Deno.remove(path);
 * ```
 */
export function calibratedStream(
  gpu: Gpu,
  source: ModelSource,
  windows: readonly Example[],
  options: CalibratedSourceOptions,
): CalibratedStream {
  const plan = planCalibration(source, options);
  const blocks = quantizedBlocks(gpu, windows, options, plan);
  let current: ReadonlyMap<string, TensorSource> = new Map();
  const now = async (name: string): Promise<TensorSource> => {
    for (;;) {
      const found = current.get(name);
      if (found) return found;
      current = new Map(); // Freed before the next block is created.
      const next = await blocks.next();
      if (next.done) {
        throw new RangeError(
          `Cannot read tensor "${name}": its block has already been passed; read the tensors of a stream once, in order`,
        );
      }
      current = next.value;
    }
  };
  const { tensors } = plan.nearest;
  const weights = weightsOf(source.config).filter(({ name }) => tensors.has(name));
  const ofBlocks = weights.filter(({ name, layer }) =>
    plan.formats.has(name) || layer !== undefined
  );
  const streamed = ofBlocks.map(({ name }): [string, TensorSource] => {
    const read = async (first: number, rows: number) => (await now(name)).read(first, rows);
    return [name, { ...tensors.get(name)!, whole: true, stored: undefined, read }];
  });
  const own = new Map(streamed);
  const ordered = new Set([...weights.map(({ name }) => name), ...tensors.keys()]);
  return {
    ...plan.nearest,
    tensors: new Map([...ordered].map((name) => [name, own.get(name) ?? tensors.get(name)!])),
    [Symbol.asyncDispose]: async () => {
      await blocks.return();
    },
  };
}

/** The planned outcome for a model's tensors. */
interface CalibrationPlan {
  readonly method: QuantizeMethod;
  /** All tensors, quantised by rounding to nearest as they are read. */
  readonly nearest: ModelSource;
  /** The model to calibrate. A linear layer is unquantised until its turn. */
  readonly before: ModelSource;
  /** Target format of each linear layer that is to be quantised. */
  readonly formats: ReadonlyMap<string, string>;
}

function planCalibration(source: ModelSource, options: CalibratedSourceOptions): CalibrationPlan {
  assertOptions("calibrate a model", options, {
    ...quantizedSourceRules,
    method: "any",
    damping: "any",
    actOrder: "any",
    blockSize: count,
    onLayer: "any",
    signal: "any",
  });
  const method = quantizeMethodByName(options.method);
  const nearest = quantizedNearest(source, options);
  const formats = new Map<string, string>();
  const tensors = new Map<string, TensorSource>(nearest.tensors);
  for (const { name, role } of weightsOf(source.config)) {
    const was = source.tensors.get(name);
    const format = nearest.tensors.get(name)?.format;
    if (role !== "matrix" && role !== "head" || !was || !format || was.format === format) continue;
    if (!isQuantised(format.layout)) continue;
    if (!method.applies(format)) {
      throw new RangeError(
        `Cannot quantise "${name}" to ${format.name} with ${method.name}: it does not support this format`,
      );
    }
    formats.set(name, format.name);
    tensors.set(name, was);
  }
  return { method, nearest, before: { ...nearest, tensors }, formats };
}

/** Yields the tensors of each block when it is finished. */
async function* quantizedBlocks(
  gpu: Gpu,
  windows: readonly Example[],
  options: CalibratedSourceOptions,
  { method, before, formats }: CalibrationPlan,
): AsyncGenerator<ReadonlyMap<string, TensorSource>, void, void> {
  const { onLayer, signal } = options;
  using products = new CalibrationProducts(gpu);
  let done = 0;
  for await (const block of calibrate(gpu, before, windows, signal ? { signal } : {})) {
    await method.quantizeBlock({
      config: before.config,
      block,
      formatOf: (name) => formats.get(name),
      options,
      compute: (computation) => runWith(computation, products, signal),
      done: (layer) => onLayer?.(layer, ++done, formats.size),
    });
    yield block.tensors;
  }
}
