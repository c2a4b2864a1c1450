/**
 * A model quantised with calibration text: block by block, each with the inputs that the quantised blocks before it leave.
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

/** The name of a method: one of {@linkcode QUANTIZE_METHODS}. */
export type MethodName =
  | "rtn"
  | "gptq"
  | "imatrix"
  | "codebook"
  | "awq"
  | (string & Record<never, never>);

/** How to quantise. */
export interface CalibratedSourceOptions extends PlanOptions, MethodOptions {
  /** Format of the matrices, such as `"int4_g128"` or `"Q4_0"`. */
  readonly format: FormatName;
  /** A name of {@linkcode QUANTIZE_METHODS}. */
  readonly method: MethodName;
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
  const plan = planCalibration(source, options);
  const tensors = new Map(plan.nearest.tensors);
  for await (const block of quantizedBlocks(gpu, windows, options, plan)) {
    for (const [name, tensor] of block) {
      if (tensor !== plan.before.tensors.get(name)) tensors.set(name, tensor);
    }
  }
  return { ...plan.nearest, tensors };
}

/** A model whose blocks are quantised as they are read; disposing it stops the calibration. */
export interface CalibratedStream extends ModelSource, AsyncDisposable {}

/**
 * {@linkcode calibratedSource} for models larger than the host's memory: to be read once, in the order of its tensors, as `writeModel`
 * does. A block is quantised when its first tensor is read, and forgotten when one of the next is.
 *
 * @throws {RangeError} As `calibratedSource` does, some of it when a tensor is read; and when one of a block is read that was forgotten
 *
 * @example The bundled model to four bits
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
      current = new Map(); // before the next is made
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

/** What is to become of a model's tensors. */
interface CalibrationPlan {
  readonly method: QuantizeMethod;
  /** All quantised as they are read. */
  readonly nearest: ModelSource;
  /** What is calibrated: until its turn comes, a linear layer is what it was. */
  readonly before: ModelSource;
  /** By linear layer that is to be quantised. */
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

/** The tensors of each block when it is done. */
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
