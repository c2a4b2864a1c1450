/**
 * The interface of an adapter scheme. An adapter is a set of small tensors next to a base model that does not change; the scheme defines their
 * effect on the forward pass. To add one, write a file and add a line to `schemes.ts` (docs/adding/adapter.md).
 *
 * @module
 */

import type { DeviceTensor, ForwardContext, Storage, Value } from "../../kernels/mod.ts";
import type {
  DeclaredBase,
  DeclaredChoice,
  DeclaredFlag,
  DeclaredNumber,
} from "../../optim/declared_option.ts";
import type { JsonValue } from "../../optim/mod.ts";
import type { LayerPart } from "../../optim/trainable.ts";
import type { ModelConfig } from "../model_config.ts";
import type { PeftForm } from "./peft_form.ts";
import type { Tokenizer } from "../tokenizers/tokenizer.ts";

/**
 * The initial values of an adapter's tensor: zeros, numbers from a uniform distribution between `-uniform` and `uniform`, numbers from a normal
 * distribution with this standard deviation, or given values.
 */
export type InitialValues =
  | "zeros"
  | { readonly uniform: number }
  | { readonly normal: number }
  | { readonly values: Float32Array<ArrayBuffer> };

/** A tensor of an adapter, in f32, with a multiple of 4 columns. */
export interface AdapterTensor {
  /** Name in this library and in ledgers, such as `blk.0.attn_q.weight.lora_a`. */
  readonly name: string;
  /** Rows on the device. */
  readonly rows: number;
  /** Columns on the device. */
  readonly columns: number;
  /** Initial values, unless a file provides others. */
  readonly initial: InitialValues;
  /** Index of its layer. Undefined if it belongs to no layer. */
  readonly layer?: number | undefined;
  /** The half of the layer that it belongs to. */
  readonly part?: LayerPart | undefined;
}

/** A product with a matrix of the base model, which a scheme may change. */
export interface LinearStep {
  /** Graph, branches, offsets and noise. */
  readonly context: ForwardContext;
  /** Input, `[B][M][inputs]`. */
  readonly x: Value | Storage;
  /** Rows per branch (M). */
  readonly rows: number;
  /** Matrix of the base model. */
  readonly matrix: DeviceTensor;
  /** Residual to add to the result, `[B][M][outputs]`. Undefined if there is none. */
  readonly residual: Value | Storage | undefined;
  /** Returns a tensor of the adapter by name. */
  readonly tensor: (name: string) => DeviceTensor;
  /** Records the base model's own product with its bias and, if given, `residual`. `input` replaces x if it is given. */
  readonly product: (residual?: Value | Storage, input?: Value | Storage) => Value;
}

/** What an adapter puts before every sequence. */
export interface Lead {
  /** Number of leading tokens, which are in no vocabulary; {@linkcode ForwardHooks.vectors} replace their embeddings. */
  readonly tokens: number;
  /** Position of a sequence's first own token. */
  readonly positions: number;
}

/** The effect of a scheme on the forward pass. Missing members leave the base model's behaviour unchanged. */
export interface ForwardHooks {
  /** Records the product with a matrix and its residual. If it returns undefined, the base model's own product is used. */
  linear?(step: LinearStep): Value | undefined;
  /** What precedes every sequence. Default: nothing. */
  readonly lead?: Lead;
  /** Name of the tensor whose rows replace the embeddings of the leading tokens, after the factor for embeddings has been applied. */
  readonly vectors?: string;
  /**
   * Names of tensors of keys and values, `[count][keyValueHeads * headDimension]`, to which every token of a layer attends as if they preceded
   * it. The keys must be in the form they have after rotation.
   */
  sharedKeys?(layer: number): { readonly keys: string; readonly values: string } | undefined;
}

/** Changes rows of a tensor of the base model in place: `[rows][columns]`, starting at row `first`. */
export type MergedRows = (values: Float32Array, first: number, rows: number) => void;

/** An adapter, and the base model that it is merged into. */
export interface MergedAdapter {
  /** Returns the trained values of a tensor of the adapter. */
  readonly values: (name: string) => Float32Array;
  /** Whether the base model has a tensor of that name. */
  readonly has: (name: string) => boolean;
}

/** One of several adapters to combine. */
export interface MixedPart<P = AdapterPlan> {
  /** Its plan. */
  readonly plan: P;
  /** Its weight. */
  readonly weight: number;
  /** Returns the trained values of one of its tensors. */
  readonly values: (name: string) => Float32Array<ArrayBuffer>;
}

/** The combination of several adapters. */
export interface MixedValues<P = AdapterPlan> {
  /** Its plan. */
  readonly plan: P;
  /** Its values, by tensor. */
  readonly values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/**
 * The plan of an adapter for one model, in JSON. Tensors and forward pass follow from the plan alone, so later changes of defaults do not affect
 * it.
 */
export type AdapterPlan = { readonly [key: string]: JsonValue };

/** An option of a scheme that is not a number, a word or a flag. */
export interface DeclaredNames extends DeclaredBase {
  /**
   * `"names"`: a list of names, or one text; `"text"`; `"layers"`: the first and last layer, inclusive; `"patterns"`: numbers by regular
   * expression.
   */
  readonly holds: "names" | "text" | "layers" | "patterns";
}

/** The declaration of a scheme's option, from which its type, its check and its key in configurations follow. */
export type AdapterOption = DeclaredNumber | DeclaredChoice | DeclaredFlag | DeclaredNames;

/** Values of a scheme's options. Undefined values have their defaults. */
export type AdapterSettings = Readonly<
  Record<
    string,
    | number
    | string
    | boolean
    | readonly string[]
    | readonly [number, number]
    | Readonly<Record<string, number>>
    | undefined
  >
>;

/**
 * A scheme of adapters.
 *
 * @typeParam P Type of its plans.
 */
export interface AdapterScheme<P extends AdapterPlan = AdapterPlan> {
  /** Name in configurations and ledgers, and the kind of its trainable parameters. */
  readonly name: string;
  /** Description of what it trains: a phrase that begins in lower case. */
  readonly summary: string;
  /**
   * Typical magnitude of its values relative to those of LoRA, to which default epsilons and learning rates apply. If only the adapter is
   * trained, they are multiplied accordingly. Default 1.
   */
  readonly size?: number;
  /** Whether its effect is a product of its tensors, such as LoRA's `B A`: some optimisers then use a smaller default epsilon. Default false. */
  readonly isProduct?: boolean;
  /** The user's options: the keys of the section with its name. */
  readonly options: Readonly<Record<string, AdapterOption>>;
  /**
   * Creates an adapter.
   *
   * @throws {RangeError} for settings that do not fit the model.
   */
  make(
    model: { readonly config: ModelConfig; readonly tokenizer?: Tokenizer | undefined },
    settings: AdapterSettings & { readonly seed?: number },
  ): Adapter;
  /**
   * Checks a plan from a file.
   *
   * @throws {RangeError | TypeError} naming the error.
   */
  parse(plan: AdapterPlan): P;
  /**
   * Its tensors on a model.
   *
   * @throws {RangeError} for a plan that does not fit the model.
   */
  tensors(config: ModelConfig, plan: P): readonly AdapterTensor[];
  /** Its effect on the forward pass. */
  hooks(plan: P): ForwardHooks;
  /** Completes the plan of an adapter whose initial values are computed by the base model. */
  started?(plan: P, found: Started): P;
  /**
   * The changes to the base model when the adapter is merged into it, by tensor name. Absent if the scheme cannot be merged.
   *
   * @throws {RangeError} for a plan that requires tensors the base model does not have.
   */
  merge?(plan: P, adapter: MergedAdapter): ReadonlyMap<string, MergedRows>;
  /**
   * Combines several adapters into one whose effect is their weighted sum. Absent if the scheme cannot do so.
   *
   * @throws {RangeError} for adapters that cannot be combined.
   */
  mix?(config: ModelConfig, parts: readonly MixedPart<P>[]): MixedValues<P>;
  /** How PEFT stores it as tensors next to modules. Absent if PEFT does not have the scheme, or stores it in another form. */
  readonly peft?: PeftForm<P>;
}

/** What an adapter starts from: the results that its base model computes for a sequence of these tokens. */
export interface AdapterStart {
  /** Tokens of the base model's vocabulary. */
  readonly tokens: readonly number[];
  /** The results to use: the embeddings as they enter the model, or the keys and values of every layer as attention reads them. */
  readonly of: "embeddings" | "keysAndValues";
}

/** What a base model computed for the tokens of an {@linkcode AdapterStart}. */
export interface Started {
  /** Embeddings, `[tokens][width]`. Empty if keys and values are used. */
  readonly embeddings: Float32Array<ArrayBuffer>;
  /** Keys by layer, `[tokens][keyValueHeads * headDimension]`. Empty if embeddings are used. */
  readonly keys: readonly Float32Array<ArrayBuffer>[];
  /** Values by layer, laid out like the keys. */
  readonly values: readonly Float32Array<ArrayBuffer>[];
}

/** An adapter before training. */
export interface Adapter {
  /** Name of its scheme, such as `lora`. */
  readonly scheme: string;
  /** Its plan. */
  readonly plan: AdapterPlan;
  /** Seed of its random initial values. */
  readonly seed: number;
  /** Values from a file, by tensor as laid out on the device. */
  readonly values?: ReadonlyMap<string, Float32Array<ArrayBuffer>> | undefined;
  /**
   * Tensors of the base model that it replaces, by name, in f32 as laid out on the device: biases and whole modules that were trained with it.
   * Default: none.
   */
  readonly replaced?: ReadonlyMap<string, Float32Array<ArrayBuffer>> | undefined;
  /** What its base model must compute first, with {@linkcode startedAdapter}. Default: nothing. */
  readonly start?: AdapterStart | undefined;
  /** Name of its base model, if its file contains one. */
  readonly base?: string | undefined;
}
