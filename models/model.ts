/**
 * A model on the device: packed tensors, read once, that any number of fine-tunes share.
 *
 * @module
 */

import { type AdapterClass, DeviceTensor, type Gpu, Storage } from "../kernels/mod.ts";
import { integerWithin } from "../optim/check.ts";
import { decode } from "../quant/decode.ts";
import { formatByName } from "../quant/formats.ts";
import type { PackedTensor } from "../quant/layout.ts";
import { secondPart } from "../quant/trained_part.ts";
import { architectureOf } from "./architectures.ts";
import { ColumnOrders } from "./column_order.ts";
import type { ModelConfig } from "./config.ts";
import type { ForwardModel } from "./forward.ts";
import { ropeTable } from "./rope_table.ts";
import { fingerprint, type ModelSource, rowsPerPiece, type TensorSource } from "./source.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Progress of loading. */
export interface LoadProgress {
  /** The tensor just done. */
  readonly tensor: string;
  /** Tensors done. */
  readonly done: number;
  /** Tensors in all. */
  readonly total: number;
}

/** How to load. */
export interface LoadOptions {
  /** Longest sequence to prepare for. Default: the model's context, at most 4096. */
  readonly maxPositions?: number;
  /** Called after each tensor. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Stops loading. */
  readonly signal?: AbortSignal;
}

/** What a model's tensors look like on a device, with or without one. */
export interface ModelPlan extends ForwardModel {
  /** Longest sequence. */
  readonly maxPositions: number;
  /** Of matrices whose columns are not in their place. */
  readonly columnOrders: ColumnOrders;
  /** Tensors whose files have zero points as integers, so that trained ones cannot go back. */
  readonly integerMinima: ReadonlySet<string>;
}

/** A loaded model. Dispose to free its memory. */
export class Model implements ModelPlan, Disposable {
  /** Where it lies. */
  readonly gpu: Gpu;
  /** Shape and constants. */
  readonly config: ModelConfig;
  /** By GGUF name. */
  readonly tensors: ReadonlyMap<string, DeviceTensor>;
  /** `[positions][pairs](cos, sin)`. */
  readonly ropeTable: Storage;
  /** Of matrices whose columns are not in their place. */
  readonly columnOrders: ColumnOrders;
  /** Tensors whose files have zero points as integers, so that trained ones cannot go back. */
  readonly integerMinima: ReadonlySet<string>;
  /** Longest sequence. */
  readonly maxPositions: number;
  /** If the file brought one. */
  readonly tokenizer: Tokenizer | undefined;
  /** Identifies the base to ledgers. */
  readonly fingerprint: string;
  /** Format by tensor. */
  readonly formats: ReadonlyMap<string, string>;

  /** Made by {@linkcode loadModel}. */
  constructor(
    gpu: Gpu,
    plan: ModelPlan,
    source: ModelSource,
    fingerprint: string,
  ) {
    this.gpu = gpu;
    this.config = plan.config;
    this.tensors = plan.tensors;
    this.ropeTable = plan.ropeTable;
    this.columnOrders = plan.columnOrders;
    this.integerMinima = plan.integerMinima;
    this.maxPositions = plan.maxPositions;
    this.tokenizer = source.tokenizer;
    this.fingerprint = fingerprint;
    this.formats = new Map([...source.tensors].map(([name, t]) => [name, t.format.name]));
  }

  /** Of the device. */
  get adapterClass(): AdapterClass {
    return this.gpu.adapterClass;
  }

  /** Frees its tensors. */
  [Symbol.dispose](): void {
    for (const tensor of this.tensors.values()) tensor[Symbol.dispose]();
    this.ropeTable[Symbol.dispose]();
    this.columnOrders[Symbol.dispose]();
  }
}

const F32 = formatByName("F32");
const MOST_POSITIONS = 2 ** 24;

/** The tensors of `source` as they will lie on a device, not allocated. Gains of norms become f32. */
export function planModel(
  source: Pick<ModelSource, "config" | "tensors">,
  device: { readonly adapterClass: AdapterClass; readonly maxBinding: number },
  maxPositions: number = Math.min(source.config.context, 4096),
): ModelPlan {
  const { config } = source;
  integerWithin("a model's plan", "maxPositions", maxPositions, 1, MOST_POSITIONS);
  const tensors = new Map<string, DeviceTensor>();
  for (const { name, kind } of architectureOf(config).weights(config)) {
    const tensor = source.tensors.get(name);
    if (!tensor) throw new RangeError(`Cannot plan a model: it has no tensor "${name}"`);
    const layout = kind === "norm" ? F32.layout : tensor.format.layout;
    tensors.set(
      name,
      new DeviceTensor(name, layout, tensor.rows, tensor.columns, device.maxBinding),
    );
  }
  return {
    config,
    tensors,
    ropeTable: new Storage("rope table", maxPositions * config.headDimension * 4, "weights"),
    columnOrders: new ColumnOrders(source.tensors.values()),
    integerMinima: new Set(
      [...source.tensors.values()].filter(({ stored, format }) =>
        stored && !stored.minima && secondPart(format.layout) === "minima"
      ).map(({ name }) => name),
    ),
    adapterClass: device.adapterClass,
    maxPositions,
  };
}

/**
 * Streams a model to the device in pieces: host memory stays small whatever the file's size.
 *
 * @throws {RangeError} When a tensor does not fit the device
 */
export async function loadModel(
  gpu: Gpu,
  source: ModelSource,
  { maxPositions, onProgress, signal }: LoadOptions = {},
): Promise<Model> {
  const plan = planModel(source, gpu, maxPositions);
  const id = await fingerprint(source);
  const table = ropeTable(source.config, plan.maxPositions, source.ropeFactors);
  const model = new Model(gpu, plan, source, id);
  try {
    gpu.write(plan.ropeTable.allocate(gpu).buffer, table);
    plan.columnOrders.load(gpu);
    let done = 0;
    for await (const name of loadTensors(gpu, source.tensors, plan.tensors.values(), signal)) {
      done++;
      onProgress?.({ tensor: name, done, total: plan.tensors.size });
    }
    gpu.check();
    return model;
  } catch (error) {
    model[Symbol.dispose]();
    throw error;
  }
}

/**
 * Streams tensors to the device in pieces, and names each when it is done.
 *
 * @param sources Where they come from, by name
 */
export async function* loadTensors(
  gpu: Gpu,
  sources: ReadonlyMap<string, TensorSource>,
  tensors: Iterable<DeviceTensor>,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const uploads = new Uploads(gpu);
  for (const tensor of tensors) {
    signal?.throwIfAborted();
    await loadTensor(gpu, sources.get(tensor.name)!, tensor, uploads);
    yield tensor.name;
  }
}

/** Queued writes hold host copies until they are submitted: submits them before they grow. */
class Uploads {
  readonly #gpu: Gpu;
  #pending = 0;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  async add(bytes: number): Promise<void> {
    this.#pending += bytes;
    if (this.#pending < 64 * 2 ** 20) return;
    this.#pending = 0;
    this.#gpu.device.queue.submit([]);
    await this.#gpu.device.queue.onSubmittedWorkDone();
  }
}

async function loadTensor(
  gpu: Gpu,
  source: TensorSource,
  tensor: DeviceTensor,
  uploads: Uploads,
): Promise<void> {
  const step = rowsPerPiece(source);
  for (let first = 0; first < source.rows; first += step) {
    const packed = await source.read(first, Math.min(step, source.rows - first));
    tensor.write(gpu, asLayout(packed, tensor), first);
    await uploads.add(packed.codes.byteLength + packed.scales.byteLength);
  }
}

function asLayout(packed: PackedTensor, tensor: DeviceTensor): PackedTensor {
  if (packed.layout.kind !== "dense" || tensor.layout.kind !== "dense") return packed;
  if (packed.layout.type === tensor.layout.type) return packed;
  const values = decode(packed);
  return { ...packed, layout: tensor.layout, codes: new Uint32Array(values.buffer as ArrayBuffer) };
}
