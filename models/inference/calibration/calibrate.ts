/**
 * Measures the inputs of a model's linear layers on calibration text, block by block. A quantiser reads the statistics of a block and replaces its
 * tensors. The next block then receives the outputs of the replaced ones (GPTQ, arXiv 2210.17323, section 4).
 *
 * @module
 */

import {
  type DeviceTensor,
  type Gpu,
  Graph,
  InputSums,
  type Storage,
  type Value,
} from "../../../kernels/mod.ts";
import type { InputStatistics } from "../../../quant/quantisers/input_statistics.ts";
import { architectureOf, weightsOf } from "../../architectures.ts";
import type { Example } from "../../batch.ts";
import { CalibrationWindows, type RecordedPass, type WindowsInput } from "./windows.ts";
import { forwardContext, type ForwardModel, recorderOf } from "../../forward.ts";
import { loadTensors } from "../load_tensors.ts";
import { loadConstants, type ModelPlan, planModel } from "../model.ts";
import type { Hidden, Recorder } from "../../recorder.ts";
import type { ModelSource, TensorSource } from "../../checkpoints/checkpoint.ts";

/** Options of calibration. */
export interface CalibrationOptions {
  /** Maximum number of token rows in a forward pass. A longer window is run alone. Default 2048. */
  readonly rows?: number;
  /** Aborts between two batches. */
  readonly signal?: AbortSignal;
}

/** One block of a model. If they have linear layers, there are additional blocks for the embedding before the first and the head after the last. */
export interface CalibrationBlock {
  /** Index of the block: -1 for the embedding, the number of blocks for the head. */
  readonly index: number;
  /** Names of the linear layers in the order of the forward pass. Those of a stage share an input. */
  readonly stages: readonly (readonly string[])[];
  /** All tensors that the block reads, in their current state. */
  readonly tensors: ReadonlyMap<string, TensorSource>;
  /**
   * Statistics of a linear layer's inputs, with the current tensors of the block, some of which may have been replaced. Columns are in the order of
   * the tensor's columns.
   *
   * @throws {RangeError} when the block has no linear layer with that name.
   */
  statistics(name: string): Promise<InputStatistics>;
  /** Replaces the tensor of the same name. @throws {RangeError} when name or shape do not match. */
  replace(tensor: TensorSource): Promise<void>;
}

/**
 * Visits the blocks of a model in the order of the forward pass. Requesting the next block completes the current one: the windows are passed through
 * it in its current state. The device holds the weights of one block, the input sums of one layer while they are gathered, and the hidden states of
 * the windows (4 bytes per token and hidden unit).
 *
 * @param windows Calibration text as the model is to read it, such as that of `languageModellingExamples`. The last token of each window is not an
 * input.
 * @throws {RangeError} when there are no windows, or one does not fit the model.
 */
export async function* calibrate(
  gpu: Gpu,
  source: ModelSource,
  windows: readonly Example[],
  { rows = 2048, signal }: CalibrationOptions = {},
): AsyncGenerator<CalibrationBlock> {
  const { config } = source;
  const { embed, block, head } = architectureOf(config);
  const plan = planModel(source, gpu);
  using states = new CalibrationWindows(gpu, windows, plan, rows);
  using held = new DisposableStack();
  for (const storage of [...plan.constants.values(), plan.columnOrders]) held.use(storage);
  loadConstants(gpu, plan, source);
  plan.columnOrders.load(gpu);
  const load = (index: number, record: PartOfForward) =>
    Block.load({ gpu, source, plan, states, signal, record }, index);
  {
    using first = await load(-1, (x) => embed(x, config));
    if (first.stages.length > 0) yield first;
    await first.pass();
  }
  for (let index = 0; index < config.layers; index++) {
    using current = await load(index, (x, hidden) => block(x, config, hidden, index));
    yield current;
    await current.pass();
  }
  const last: PartOfForward = (x, hidden) => head(x, config, hidden);
  if (!Block.hasLayers({ gpu, source, plan, states, signal, record: last })) return;
  using current = await load(config.layers, last);
  yield current;
}

/** Records a part of the forward pass on hidden states, and returns the result. */
type PartOfForward = (x: Recorder, hidden: Storage) => Value;

/** Properties shared by all blocks of a calibration, and the recording function of one block. */
interface BlockOptions {
  readonly gpu: Gpu;
  readonly source: ModelSource;
  readonly plan: ModelPlan;
  readonly states: CalibrationWindows;
  readonly signal: AbortSignal | undefined;
  readonly record: PartOfForward;
}

/** Callbacks for the weights and inputs that a part of the forward pass reads while it is recorded. */
interface Watch {
  readonly weight?: (name: string, tensor: DeviceTensor) => void;
  readonly input?: (input: Hidden, name: string, graph: Graph) => void;
}

class Block implements CalibrationBlock, Disposable {
  readonly index: number;
  readonly stages: readonly (readonly string[])[];
  readonly #tensors = new Map<string, TensorSource>();
  readonly #onDevice = new Map<string, DeviceTensor>();
  readonly #options: BlockOptions;

  constructor(options: BlockOptions, index: number) {
    this.#options = options;
    this.index = index;
    const { source, plan, states } = options;
    const stages = new Map<Hidden, string[]>();
    // A head that shares the embedding is not a separate layer.
    const tables = new Set(
      weightsOf(source.config).filter(({ role }) => role === "embedding").map(({ name }) => name),
    );
    this.#record(states.shapes[0], plan, {
      weight: (name, tensor) => {
        this.#tensors.set(name, source.tensors.get(name)!);
        this.#onDevice.set(name, tensor);
      },
      input: (value, name) => {
        if (!tables.has(name)) stages.set(value, [...stages.get(value) ?? [], name]);
      },
    });
    this.stages = [...stages.values()];
  }

  /** Whether a part of the forward pass has linear layers. Nothing is loaded. */
  static hasLayers(options: BlockOptions): boolean {
    return new Block(options, 0).stages.length > 0;
  }

  static async load(options: BlockOptions, index: number): Promise<Block> {
    const block = new Block(options, index);
    try {
      await block.#load(block.#onDevice.values());
      return block;
    } catch (error) {
      block[Symbol.dispose]();
      throw error;
    }
  }

  get tensors(): ReadonlyMap<string, TensorSource> {
    return this.#tensors;
  }

  async statistics(name: string): Promise<InputStatistics> {
    const { gpu, states } = this.#options;
    const tensor = this.#tensors.get(name);
    if (!tensor || !this.stages.some((names) => names.includes(name))) {
      throw new RangeError(
        `Cannot calibrate "${name}": the linear layers of block ${this.index} are ${
          this.stages.flat().join(", ")
        }`,
      );
    }
    using sums = new InputSums(tensor.columns, gpu.maxBinding).allocate(gpu);
    await this.#run((input) => {
      let end = 0;
      const { graph } = this.#recordLoaded(input, {
        input: (value, tapped, graph) => {
          if (tapped !== name) return;
          sums.record(graph, value, input.used);
          end = graph.dispatches.length;
        },
      });
      graph.dispatches.splice(end); // Later dispatches do not affect the sums.
      return { graph };
    });
    const { moments, absolute } = await sums.read(gpu);
    const { tokens } = states;
    for (let i = 0; i < moments.length; i++) moments[i] /= tokens;
    return {
      columns: tensor.columns,
      tokens,
      moments,
      magnitudes: absolute.map((sum) => sum / tokens),
    };
  }

  async replace(tensor: TensorSource): Promise<void> {
    const { name, rows, columns } = tensor;
    const was = this.#tensors.get(name);
    if (!was || was.rows !== rows || was.columns !== columns) {
      throw new RangeError(
        `Cannot replace "${name}" of ${rows} x ${columns} in block ${this.index}: ${
          was
            ? `it has ${was.rows} x ${was.columns}`
            : `it reads ${[...this.#tensors.keys()].join(", ")}`
        }`,
      );
    }
    const { gpu, source } = this.#options;
    this.#tensors.set(name, tensor);
    const tensors = new Map([...source.tensors, ...this.#tensors]);
    const planned = planModel({ ...source, tensors }, gpu).tensors.get(name)!;
    this.#onDevice.get(name)?.[Symbol.dispose]();
    this.#onDevice.set(name, planned);
    await this.#load([planned]);
  }

  /** Passes the windows through the block in its current state. */
  async pass(): Promise<void> {
    await this.#run((input) => this.#recordLoaded(input, {}));
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#onDevice.values()) tensor[Symbol.dispose]();
  }

  async #load(tensors: Iterable<DeviceTensor>): Promise<void> {
    const { gpu, signal } = this.#options;
    for await (const _ of loadTensors(gpu, this.#tensors, tensors, { signal }));
    gpu.check();
  }

  async #run(record: (input: WindowsInput) => RecordedPass): Promise<void> {
    await this.#options.states.run(record, this.#options.signal);
  }

  #recordLoaded(input: WindowsInput, watch: Watch): RecordedPass {
    return this.#record(input, { ...this.#options.plan, tensors: this.#onDevice }, watch);
  }

  #record(input: WindowsInput, model: ForwardModel, watch: Watch): RecordedPass {
    const graph = new Graph();
    const context = forwardContext(model, graph, input.shape, 1, input.batch);
    const inputs = model.columnOrders.inputs(graph);
    const x = recorderOf(model, context, {
      weight: (name) => {
        const tensor = model.tensors.get(name);
        if (tensor) watch.weight?.(name, tensor);
        return tensor;
      },
      inputOf: (input, name) => {
        const value = inputs(input, name);
        watch.input?.(value, name, graph);
        return value;
      },
    });
    return { graph, next: this.#options.record(x, input.hidden) };
  }
}
