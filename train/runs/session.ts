/**
 * Opens what a configuration needs: the device, the model on it, and its adapter.
 *
 * @module
 */
import { type Gpu, type GpuOptions, openGpu, type PacingLimits } from "../../kernels/mod.ts";
import { fitAdapter } from "../../models/adapters/adapted.ts";
import type { Adapter } from "../../models/adapters/scheme.ts";
import { adapterScheme } from "../../models/adapters/schemes.ts";
import { mixedAdapter } from "../../models/adapters/mixed.ts";
import {
  isBesideModel,
  openAdapter,
  type OpenedAdapter,
  otherBaseNote,
} from "../../models/checkpoints/adapters/open_adapter.ts";
import { adaptedSource } from "../../models/checkpoints/derived/tuned_values.ts";
import { loadModel, type LoadOptions, type Model } from "../../models/inference/model.ts";
import { startedAdapter } from "../../models/inference/start_adapter.ts";
import { openModelSource } from "../../models/checkpoints/open.ts";
import { rangeOfLayers, type Selection } from "../selection.ts";
import type { ModelSource } from "../../models/checkpoints/checkpoint.ts";
import { exactlyQuantizedSource } from "../../models/checkpoints/derived/wide_values.ts";
import { isQuantised } from "../../quant/layouts/layout.ts";
import type { TrainConfig } from "../config/schema.ts";
import { adapterOfScheme } from "../config/scheme_schema.ts";

/** A loaded model and its device. Disposing frees both. */
export interface RunSession extends Disposable {
  /** The device. */
  readonly gpu: Gpu;
  /** The model as stored on disk. */
  readonly stored: ModelSource;
  /** The base model as loaded: quantised, if the configuration says so. */
  readonly source: ModelSource;
  /** The base model on the device, with the requested adapter. */
  readonly model: Model;
  /** Information for the user about the requested adapter, one sentence each. */
  readonly notes: readonly string[];
}

/** The options of the configured device. */
export function gpuOptions(
  { device: { adapter, submission } }: Pick<TrainConfig, "device">,
): GpuOptions {
  return {
    ...adapter === undefined
      ? {}
      : adapter === "high-performance" || adapter === "low-power"
      ? { powerPreference: adapter }
      : { adapter },
    ...submission === undefined
      ? {}
      : { pacing: { dispatch: Math.min(50, submission / 5), submission } },
  };
}

/**
 * The stored model as it is loaded: if `quantize.format` is set, it is quantised as it is read, except for tensors that F16 would have to hold
 * but cannot. Its notes name them.
 *
 * @example A model that is quantised while it is read
 * ```ts
 * import { openModelSource } from "@qzo/qzo/models";
 * import { configuredSource, parseTrainConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const config = parseTrainConfig("model: demo/model.gguf\ntask: sst2\nquantize: {format: Q4_0}", "a.yaml");
 * using stored = await openModelSource(config.model);
 * const source = await configuredSource(stored, config);
 * assertEquals(source.tensors.get("blk.0.attn_q.weight")?.format.name, "Q4_0");
 * ```
 */
export async function configuredSource(
  stored: ModelSource,
  config: TrainConfig,
  signal?: AbortSignal,
): Promise<ModelSource> {
  const { format } = config.quantize;
  return format === undefined ? stored : await exactlyQuantizedSource(stored, { format }, signal);
}

/** One of several adapters whose sum a session uses. */
export interface AdapterShare {
  /** Path of a file of tuned scales that replace the model's, or of an adapter that is added to it. */
  readonly path: string;
  /** Weight in the sum, see {@linkcode mixedAdapter}. Must be 1 for tuned scales. Default 1. */
  readonly weight?: number | undefined;
}

/** Options for opening a session. */
export interface RunSessionOptions extends LoadOptions {
  /**
   * Path of a file of tuned scales that replace the model's, or of an adapter that is added to it, or several of these, whose sum is used.
   * Default: `adapter` of the configuration.
   */
  readonly adapter?: string | readonly AdapterShare[] | undefined;
  /** Limits of running time, instead of the configured ones. */
  readonly pacing?: PacingLimits | undefined;
  /** Called with the base model before the device is opened. If it throws, for example because of `assertExportable`, nothing is opened. */
  readonly check?: ((source: ModelSource) => void | Promise<void>) | undefined;
  /**
   * Returns the adapter to add to the base model, given the one in `adapter`: {@linkcode configuredAdapter}, or that of a ledger. Default: the
   * given one.
   */
  readonly beside?: ((source: ModelSource, given?: Adapter) => Adapter | undefined) | undefined;
}

/**
 * The adapter of a configuration's scheme: a new one, or the one in the file it names. Undefined if the scheme has none.
 *
 * @param given The adapter from the file.
 * @throws {RangeError} when it does not fit.
 *
 * @example A new LoRA adapter
 * ```ts
 * import { openModelSource } from "@qzo/qzo/models";
 * import { configuredAdapter, parseTrainConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const yaml = "model: demo/model.gguf\ntask: sst2\nscheme: lora\nlora: {rank: 4}\nseed: 7";
 * const config = parseTrainConfig(yaml, "a.yaml");
 * using source = await openModelSource(config.model);
 * const adapter = configuredAdapter(config, source);
 * assertEquals([adapter?.scheme, adapter?.seed], ["lora", 7]);
 * ```
 */
export function configuredAdapter(
  config: TrainConfig,
  model: Pick<ModelSource, "config"> & Partial<Pick<ModelSource, "tokenizer">>,
  given?: Adapter,
): Adapter | undefined {
  const { seed } = config;
  const scheme = adapterOfScheme(config.scheme);
  if (scheme === undefined) return undefined;
  if (given && given.scheme !== scheme) {
    throw new RangeError(
      `Cannot train "${config.adapter}" with scheme ${scheme}: it is an adapter of scheme ${given.scheme}`,
    );
  }
  if (given) return given;
  const { options, make } = adapterScheme(scheme);
  const { layers } = config.groups[scheme] ?? {};
  // Layers in which the adapter is not trained need none.
  const own = layers === undefined || !Object.hasOwn(options, "layers")
    ? {}
    : { layers: rangeOfLayers(layers, model.config.layers) };
  const said = Object.entries(config[scheme] ?? {}).filter(([, value]) => value !== undefined);
  return make(model, { ...own, ...Object.fromEntries(said), seed });
}

/**
 * The path of the file of tuned scales among adapters. Undefined if there is none.
 *
 * @throws {RangeError} when there are several, or the weight of one is not 1.
 */
function scalesAmong(shares: readonly AdapterShare[]): string | undefined {
  const [first, second] = shares.filter(({ path }) => !isBesideModel(path));
  if (second) {
    throw new RangeError(
      `Cannot use "${second.path}" together with "${first.path}": both are files of tuned scales, which have no sum; use one of them`,
    );
  }
  if (first?.weight !== undefined && first.weight !== 1) {
    throw new RangeError(
      `Cannot use ${first.weight} times "${first.path}": a file of tuned scales can only be used as a whole`,
    );
  }
  return first?.path;
}

/** The sum of the adapters in files, and the contents of the files. */
async function sumOf(
  shares: readonly AdapterShare[],
  base: ModelSource,
): Promise<
  { readonly adapter?: Adapter; readonly parts: readonly (OpenedAdapter & AdapterShare)[] }
> {
  const parts: (OpenedAdapter & AdapterShare)[] = [];
  for (const share of shares) parts.push({ ...await openAdapter(share.path, base), ...share });
  const [first] = parts;
  if (!first) return { parts };
  const isWhole = parts.length === 1 && (first.weight ?? 1) === 1;
  return { adapter: isWhole ? first.adapter : mixedAdapter(base, parts), parts };
}

/**
 * Opens the device and loads the configured model.
 *
 * @throws {NoAdapterError} when there is no device with that name.
 * @throws Any error of opening and loading the model.
 *
 * @example The bundled model, quantised while it is loaded
 * ```ts
 * import { openRunSession, parseTrainConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const yaml = "model: demo/model.gguf\ntask: sst2\nquantize: {format: Q4_0}";
 * using session = await openRunSession(parseTrainConfig(yaml, "a.yaml"));
 * assertEquals(session.model.formats.get("blk.0.attn_q.weight"), "Q4_0");
 * ```
 */
export async function openRunSession(
  config: TrainConfig,
  { adapter, pacing, check, beside, ...options }: RunSessionOptions = {},
): Promise<RunSession> {
  using stack = new DisposableStack();
  const stored = stack.use(await openModelSource(config.model));
  const base = await configuredSource(stored, config, options.signal);
  const named = adapter ?? config.adapter ?? [];
  const shares = typeof named === "string" ? [{ path: named }] : named;
  const scales = scalesAmong(shares);
  const source = scales === undefined ? base : stack.use(await adaptedSource(base, scales));
  const opened = await sumOf(shares.filter(({ path }) => isBesideModel(path)), base);
  await check?.(source);
  // Checked before anything that takes long.
  const added = beside ? beside(source, opened.adapter) : opened.adapter;
  if (added) fitAdapter(source.config, added);
  const gpu = stack.use(await openGpu({ ...gpuOptions(config), ...pacing ? { pacing } : {} }));
  const loaded = stack.use(await loadModel(gpu, source, options));
  const begun = added && await startedAdapter(loaded, added);
  const model = begun ? stack.use(loaded.withAdapter(begun)) : loaded;
  const owned = stack.move();
  const about = { fingerprint: model.fingerprint, name: source.name };
  const notes = opened.parts.flatMap((part) => {
    const note = otherBaseNote(part, { path: part.path, model: about });
    return [...part.notes ?? [], ...note === undefined ? [] : [note]];
  });
  return { gpu, stored, source, model, notes, [Symbol.dispose]: () => owned.dispose() };
}

/**
 * The configured selection, in the form that models take. Settings that are not given have their defaults. If a word selects a layer that has
 * not been determined yet, it contains all layers; see {@linkcode chooseLayers}.
 *
 * @example Scales and norms of four layers
 * ```ts
 * import { parseTrainConfig, selectionOfConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const yaml = 'model: a.gguf\ntask: sst2\ntrainables: {kinds: [scales, norms], layers: "2-5"}';
 * const selection = selectionOfConfig(parseTrainConfig(yaml, "a.yaml"));
 * assertEquals(selection, { kinds: ["scales", "norms"], layers: [2, 5] });
 * ```
 */
export function selectionOfConfig({ trainables, groups }: TrainConfig): Selection {
  const { include, exclude, layers, kinds, span } = trainables;
  const layersOf = Object.fromEntries(
    kinds.flatMap((kind) => {
      const own = groups[kind]?.layers;
      return own === undefined ? [] : [[kind, own]];
    }),
  );
  return {
    kinds,
    ...(Object.keys(layersOf).length > 0 ? { layersOf } : {}),
    ...(span ? { span } : {}),
    ...(include ? { include } : {}),
    ...(exclude ? { exclude } : {}),
    ...(typeof layers === "object" ? { layers } : {}),
  };
}

/**
 * Explains what to do about a model without scales; the selection alone cannot know this.
 *
 * @throws {RangeError} when only scales are to be trained, and the model has none.
 */
export function assertTrainable(
  { trainables: { kinds }, quantize }: TrainConfig,
  { source }: RunSession,
): void {
  const dense = [...source.tensors.values()].every(({ format }) => !isQuantised(format.layout));
  if (dense && kinds.every((kind) => kind === "scales")) {
    throw new RangeError(
      `Cannot train the scales of "${source.name}": ${
        quantize?.format === undefined
          ? "it is not quantised. Set quantize.format, for example to Q4_0, or"
          : `quantize.format ${quantize.format} does not fit any of its matrices, as the notes explain. Choose a format with smaller blocks, or set`
      } trainables.kinds to dense`,
    );
  }
}
