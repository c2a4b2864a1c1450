/**
 * A model on the device: packed tensors that are read once and shared by any number of fine-tunes.
 *
 * @module
 */

import { assertOptions } from "../../optim/options.ts";
import { type AdapterClass, DeviceTensor, type Gpu, Storage } from "../../kernels/mod.ts";
import { integerWithin } from "../../optim/check.ts";
import type { Layout, PackedTensor } from "../../quant/layouts/layout.ts";
import { secondPart } from "../../quant/layouts/trained_part.ts";
import {
  adapterDeviceTensor,
  adapterValues,
  assertStarted,
  denseRows,
  fitAdapter,
  type FittedAdapter,
  positionsLeft,
} from "../adapters/adapted.ts";
import type { Adapter } from "../adapters/scheme.ts";
import { architectureOf } from "../architectures.ts";
import { ColumnOrders } from "./column_orders.ts";
import type { ModelConfig } from "../model_config.ts";
import {
  BaseHash,
  type BaseIdentity,
  loadedFormat,
  olderFingerprint,
  rememberFingerprint,
} from "../checkpoints/fingerprint.ts";
import type { ForwardModel } from "../forward.ts";
import { closedFile } from "../checkpoints/disk/places.ts";
import { whyNotFinite } from "../checkpoints/non_finite_weight.ts";
import type { ModelSource } from "../checkpoints/checkpoint.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { loadTensors } from "./load_tensors.ts";

/** Progress of loading. */
export interface LoadProgress {
  /** The tensor that was just loaded. */
  readonly tensor: string;
  /** Number of tensors loaded. */
  readonly done: number;
  /** Total number of tensors. */
  readonly total: number;
}

/** Options for loading a model. */
export interface LoadOptions {
  /** Longest sequence in tokens. Default: the model's context, at most 4096. */
  readonly maxPositions?: number;
  /** Called after each tensor. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Aborts loading. */
  readonly signal?: AbortSignal;
}

/** The tensors of a model as they are laid out on a device, whether or not there is one. */
export interface ModelPlan extends ForwardModel {
  /** Longest sequence in tokens. */
  readonly maxPositions: number;
  /** Orders of columns, for matrices whose columns were reordered. */
  readonly columnOrders: ColumnOrders;
  /** Names of tensors whose files store zero points as integers, so that trained zero points cannot be written back. */
  readonly integerMinima: ReadonlySet<string>;
}

/**
 * A loaded model. Dispose it to free its memory.
 *
 * @example Its tokenizer and its shape
 * ```ts
 * import { loadModel, openGpu, openModelSource } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * const { architecture, layers } = model.config;
 * assertEquals([architecture, layers, model.maxPositions], ["llama", 3, 128]);
 * assertEquals(model.tokenizer?.decode(model.tokenizer.encode("A fine film")), "A fine film");
 * ```
 */
export class Model implements ModelPlan, BaseIdentity, Disposable {
  /** The device. */
  readonly gpu: Gpu;
  /** Shape and constants. */
  readonly config: ModelConfig;
  /** Tensors by GGUF name, including those of its adapter. */
  readonly tensors: ReadonlyMap<string, DeviceTensor>;
  /** The adapter; see {@linkcode withAdapter}. Undefined if there is none. */
  readonly adapter: FittedAdapter | undefined;
  /** The architecture's tables, by name. */
  readonly constants: ReadonlyMap<string, Storage>;
  /** Orders of columns, for matrices whose columns were reordered. */
  readonly columnOrders: ColumnOrders;
  /** Names of tensors whose files store zero points as integers, so that trained zero points cannot be written back. */
  readonly integerMinima: ReadonlySet<string>;
  /** Longest sequence in tokens. */
  readonly maxPositions: number;
  /** Tokenizer, if the files contain one. */
  readonly tokenizer: Tokenizer | undefined;
  /** Identifies the base model in ledgers. */
  readonly fingerprint: string;
  /** The fingerprint of older versions of this library ({@linkcode olderFingerprint}). Reads some rows of the source, which must be open. */
  readonly olderFingerprint: () => Promise<string>;
  /**
   * Explains in one sentence why a loss is not finite. It searches all weights of the source, which must be open.
   *
   * @param tuned Whether offsets were applied to the weights. Default false.
   */
  readonly whyNotFinite: (tuned?: boolean) => Promise<string>;
  /** Name of each tensor's format. */
  readonly formats: ReadonlyMap<string, string>;

  #disposed = false;
  /** The memory it owns. A view made by an adapter shares the rest with its base. */
  readonly #owned: readonly Disposable[];
  readonly #base: Model | undefined;

  /** Called by {@linkcode loadModel} and {@linkcode withAdapter}. */
  constructor(
    gpu: Gpu,
    plan: ModelPlan,
    source: ModelIdentity,
    base?: { readonly model: Model; readonly owned: readonly Disposable[] },
  ) {
    this.gpu = gpu;
    this.config = plan.config;
    this.tensors = plan.tensors;
    this.adapter = plan.adapter;
    this.#base = base?.model;
    this.#owned = base?.owned ??
      [...plan.tensors.values(), ...plan.constants.values(), plan.columnOrders];
    this.constants = plan.constants;
    this.columnOrders = plan.columnOrders;
    this.integerMinima = plan.integerMinima;
    this.maxPositions = plan.maxPositions;
    this.tokenizer = source.tokenizer;
    this.fingerprint = source.fingerprint;
    this.olderFingerprint = source.olderFingerprint;
    this.whyNotFinite = source.whyNotFinite;
    this.formats = source.formats;
  }

  /**
   * The same model with an adapter, sharing the weights: each adapter of the same base needs only its own memory. An existing adapter is replaced.
   * Disposing the result does not affect the base.
   *
   * @throws {RangeError} when the adapter does not fit the model.
   *
   * @example Two adapters for one base model
   * ```ts
   * import { openGpu } from "@qzo/qzo/kernels";
   * import { loadModel, loraAdapter, openModelSource } from "@qzo/qzo/models";
   * import { assertEquals } from "@std/assert";
   *
   * using gpu = await openGpu();
   * using source = await openModelSource("demo/model.gguf");
   * using base = await loadModel(gpu, source);
   * using one = base.withAdapter(loraAdapter(base, { rank: 4 }));
   * using other = base.withAdapter(loraAdapter(base, { rank: 8, targets: "all-linear" }));
   * assertEquals(one.tensors.get("output_norm.weight"), other.tensors.get("output_norm.weight"));
   * ```
   */
  withAdapter(adapter: Adapter): Model {
    assertNotDisposed(this, "add an adapter to a model");
    assertStarted(adapter);
    const base = this.#base ?? this;
    const plan = withAdapterPlanned(base, adapter, this.gpu.maxBinding);
    using held = new DisposableStack();
    const owned: Disposable[] = [];
    const place = (name: string, packed: (tensor: DeviceTensor) => PackedTensor) => {
      const placed = held.use(plan.tensors.get(name)!);
      placed.write(this.gpu, packed(placed));
      owned.push(placed);
    };
    for (const [name, tensor] of plan.adapter.tensors) {
      place(name, () => adapterValues(adapter, tensor));
    }
    const { replaced = new Map<string, Float32Array<ArrayBuffer>>() } = adapter;
    for (const [name, values] of replaced) place(name, (tensor) => denseRows(values, tensor));
    held.move();
    const { tokenizer, fingerprint, olderFingerprint, whyNotFinite } = base;
    const formats = new Map(base.formats);
    for (const name of replaced.keys()) formats.set(name, "F32");
    const identity = { tokenizer, fingerprint, olderFingerprint, whyNotFinite, formats };
    return new Model(this.gpu, plan, identity, { model: base, owned });
  }

  /** Class of the device's adapter. */
  get adapterClass(): AdapterClass {
    return this.gpu.adapterClass;
  }

  /** Whether its memory has been freed. */
  get isDisposed(): boolean {
    return this.#disposed || (this.#base?.isDisposed ?? false);
  }

  /** Frees its tensors. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const part of this.#owned) part[Symbol.dispose]();
  }
}

/** The properties of a model other than its shape. */
type ModelIdentity = Pick<
  Model,
  "tokenizer" | "fingerprint" | "olderFingerprint" | "whyNotFinite" | "formats"
>;

const DENSE: Layout = { kind: "dense", type: "f32" };

/**
 * The plan of a model with an adapter.
 *
 * @throws {RangeError} when the adapter does not fit the model.
 */
export function withAdapterPlanned(
  plan: ModelPlan,
  adapter: Adapter,
  maxBinding: number,
): ModelPlan & { readonly adapter: FittedAdapter } {
  const fitted = fitAdapter(plan.config, adapter);
  const own = [...fitted.tensors].map(([name, tensor]) =>
    [name, adapterDeviceTensor(tensor, maxBinding)] as const
  );
  const { config, constants, adapterClass } = plan;
  const maxPositions = positionsLeft(fitted, plan.maxPositions);
  const names = [...adapter.replaced?.keys() ?? []];
  const replaced = names.map((name) => {
    const { rows, columns } = plan.tensors.get(name)!;
    return [name, new DeviceTensor(name, DENSE, rows, columns, maxBinding)] as const;
  });
  return {
    ...{ config, constants, adapterClass, maxPositions },
    columnOrders: names.length === 0 ? plan.columnOrders : plan.columnOrders.without(names),
    integerMinima: new Set([...plan.integerMinima].filter((name) => !names.includes(name))),
    tensors: new Map([...plan.tensors, ...replaced, ...own]),
    adapter: fitted,
  };
}

/** Throws a TypeError if a model's memory has been freed. */
export function assertNotDisposed({ isDisposed }: Pick<Model, "isDisposed">, what: string): void {
  if (!isDisposed) return;
  throw new TypeError(
    `Cannot ${what}: the model has been disposed and its memory freed; keep it as long as it is used (the end of the block with its "using" disposes it), or load it again`,
  );
}

const MOST_POSITIONS = 2 ** 24;

/** Throws an explanation when a ledger needs a model's files after they were closed. */
function stillOpen(error: unknown): never {
  throw closedFile(
    error,
    "Cannot find the older fingerprint of a model whose source was disposed of: keep it open while older ledgers are used",
  );
}

/**
 * The tensors of `source` as they will be laid out on a device, not yet allocated. Gains of norms and biases become f32.
 *
 * @throws {RangeError} when a tensor is missing or does not fit the device, or when `maxPositions` exceeds the number of learned positions.
 */
export function planModel(
  source: Pick<ModelSource, "config" | "tensors">,
  device: { readonly adapterClass: AdapterClass; readonly maxBinding: number },
  maxPositions: number = Math.min(source.config.context, 4096),
): ModelPlan {
  const { config } = source;
  integerWithin("a model's plan", "maxPositions", maxPositions, 1, MOST_POSITIONS);
  const tensors = new Map<string, DeviceTensor>();
  const architecture = architectureOf(config);
  for (const { name, role } of architecture.weights(config)) {
    const tensor = source.tensors.get(name);
    if (!tensor) throw new RangeError(`Cannot plan a model: it has no tensor "${name}"`);
    if (role === "positions" && maxPositions > config.context) {
      throw new RangeError(
        `Cannot plan a model for ${maxPositions} positions: "${name}" has ${config.context} learned ones`,
      );
    }
    const { layout } = loadedFormat(role, tensor.format);
    tensors.set(
      name,
      new DeviceTensor(name, layout, tensor.rows, tensor.columns, device.maxBinding),
    );
  }
  return {
    config,
    tensors,
    constants: new Map(
      Object.entries(architecture.constants?.(config, maxPositions) ?? {}).map(
        ([name, { words }]) => [name, new Storage(`${name} table`, words * 4, "weights")],
      ),
    ),
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
 * Streams a model to the device in pieces, so host memory use does not grow with the size of the file. Its fingerprint is computed at the same time.
 *
 * @throws {RangeError} when a tensor does not fit the device, or contains a weight that is not finite.
 *
 * @example Quantise the bundled model as it is loaded
 * ```ts
 * import { loadModel, openGpu, openModelSource, quantizedSource } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * const quantised = quantizedSource(source, { format: "Q4_0" });
 * using model = await loadModel(gpu, quantised, { maxPositions: 64 });
 * assertEquals(model.formats.get("blk.0.attn_q.weight"), "Q4_0");
 * ```
 */
export async function loadModel(
  gpu: Gpu,
  source: ModelSource,
  options: LoadOptions = {},
): Promise<Model> {
  assertOptions("load a model", options, { maxPositions: "any", onProgress: "any", signal: "any" });
  const { maxPositions, onProgress, signal } = options;
  const plan = planModel(source, gpu, maxPositions);
  const { tensors, columnOrders } = plan;
  using hash = new BaseHash(source);
  using held = new DisposableStack();
  for (const part of [...tensors.values(), ...plan.constants.values(), columnOrders]) {
    held.use(part);
  }
  loadConstants(gpu, plan, source);
  columnOrders.load(gpu);
  let done = 0;
  for await (const name of loadTensors(gpu, source.tensors, tensors.values(), { signal, hash })) {
    done++;
    onProgress?.({ tensor: name, done, total: tensors.size });
  }
  gpu.check();
  const fingerprint = await hash.digest(signal);
  rememberFingerprint(source, fingerprint);
  held.move();
  return new Model(gpu, plan, identityOf(source, fingerprint));
}

function identityOf(source: ModelSource, fingerprint: string): ModelIdentity {
  let older: Promise<string> | undefined;
  return {
    tokenizer: source.tokenizer,
    fingerprint,
    olderFingerprint: () => older ??= olderFingerprint(source).catch(stillOpen),
    whyNotFinite: (tuned = false) => whyNotFinite(source.tensors.values(), tuned),
    formats: new Map([...source.tensors].map(([name, t]) => [name, t.format.name])),
  };
}

/** Computes the architecture's tables and writes them to the device. */
export function loadConstants(
  gpu: Gpu,
  { constants, maxPositions }: ModelPlan,
  { config, ropeFactors }: Pick<ModelSource, "config" | "ropeFactors">,
): void {
  const made = architectureOf(config).constants?.(config, maxPositions, ropeFactors) ?? {};
  for (const [name, storage] of constants) {
    gpu.write(storage.allocate(gpu).buffer, made[name].values());
  }
}
