/**
 * What an adapter is to the rest of the library: small tensors beside a base that stays as it is, and what they do in its forward. A new
 * scheme is a file and a line in `schemes.ts` (docs/adding/adapter.md).
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
 * What a tensor of an adapter holds before it is trained: zeros, numbers drawn evenly from `-uniform` to `uniform` or from a normal distribution of
 * that deviation, or these.
 */
export type InitialValues =
  | "zeros"
  | { readonly uniform: number }
  | { readonly normal: number }
  | { readonly values: Float32Array<ArrayBuffer> };

/** A tensor of an adapter: f32, a multiple of 4 columns. */
export interface AdapterTensor {
  /** Inside and in ledgers, such as `blk.0.attn_q.weight.lora_a`. */
  readonly name: string;
  /** Rows as it lies on the device. */
  readonly rows: number;
  /** Columns as it lies on the device. */
  readonly columns: number;
  /** Before training, where no file says otherwise. */
  readonly initial: InitialValues;
  /** The layer that it is in, if it is in one. */
  readonly layer?: number | undefined;
  /** The half of its layer that it is in. */
  readonly part?: LayerPart | undefined;
}

/** A product with a matrix of the base, as a scheme may change it. */
export interface LinearStep {
  /** Graph, branches, offsets and noise. */
  readonly context: ForwardContext;
  /** What is multiplied: `[B][M][inputs]`. */
  readonly x: Value | Storage;
  /** Rows of one branch (M). */
  readonly rows: number;
  /** The matrix of the base. */
  readonly matrix: DeviceTensor;
  /** To be added to the result, if there is one: `[B][M][outputs]`. */
  readonly residual: Value | Storage | undefined;
  /** A tensor of the adapter by its name. */
  readonly tensor: (name: string) => DeviceTensor;
  /** The base's own product with its bias, and `residual` if it is given; of `input` in place of x, if that is given. */
  readonly product: (residual?: Value | Storage, input?: Value | Storage) => Value;
}

/** What an adapter puts before every sequence. */
export interface Lead {
  /** Tokens that no vocabulary has, and that every sequence begins with; {@linkcode ForwardHooks.vectors} stand for them. */
  readonly tokens: number;
  /** The position of a sequence's first own token. */
  readonly positions: number;
}

/** What a scheme does in a forward. What it leaves out is the base's own. */
export interface ForwardHooks {
  /** The product with a matrix and its residual; undefined: as the base has it. */
  linear?(step: LinearStep): Value | undefined;
  /** What every sequence begins with. Default: nothing. */
  readonly lead?: Lead;
  /** The tensor whose rows enter the model in place of the leading tokens' embeddings, after what these are multiplied by. */
  readonly vectors?: string;
  /**
   * Tensors of keys and values, `[count][keyValueHeads * headDimension]`, that every token of a layer sees as if they stood before it; keys
   * as they are after rotation.
   */
  sharedKeys?(layer: number): { readonly keys: string; readonly values: string } | undefined;
}

/** What becomes of rows of a tensor of the base, `[rows][columns]` from row `first` on, changed in place. */
export type MergedRows = (values: Float32Array, first: number, rows: number) => void;

/** The adapter and the base that it is merged into. */
export interface MergedAdapter {
  /** The values of a tensor of the adapter, trained. */
  readonly values: (name: string) => Float32Array;
  /** Whether the base has a tensor of that name. */
  readonly has: (name: string) => boolean;
}

/** One of several adapters that become one. */
export interface MixedPart<P = AdapterPlan> {
  /** What it consists of. */
  readonly plan: P;
  /** How much of it. */
  readonly weight: number;
  /** The values of one of its tensors, trained. */
  readonly values: (name: string) => Float32Array<ArrayBuffer>;
}

/** What several adapters become. */
export interface MixedValues<P = AdapterPlan> {
  /** What it consists of. */
  readonly plan: P;
  /** By tensor. */
  readonly values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
}

/** What a scheme's adapter consists of on one model, in JSON: what its forward and its tensors follow from, whatever later versions have as defaults. */
export type AdapterPlan = { readonly [key: string]: JsonValue };

/** An option of a scheme that is no number, word or flag. */
export interface DeclaredNames extends DeclaredBase {
  /**
   * `"names"`: a list of names, or one text; `"text"`; `"layers"`: the first and last, inclusive; `"patterns"`: numbers by regular expression.
   */
  readonly holds: "names" | "text" | "layers" | "patterns";
}

/** An option of a scheme: its type, its check and its key in configurations follow from it. */
export type AdapterOption = DeclaredNumber | DeclaredChoice | DeclaredFlag | DeclaredNames;

/** Values of a scheme's options; what is undefined has its default. */
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
 * @typeParam P What its adapters consist of
 */
export interface AdapterScheme<P extends AdapterPlan = AdapterPlan> {
  /** In configurations and ledgers; the kind of what it trains. */
  readonly name: string;
  /** What it trains: a phrase that begins in lower case. */
  readonly summary: string;
  /**
   * How large what its tensors hold is beside LoRA's, which default epsilons and learning rates are for: they are multiplied accordingly where the adapter alone
   * is trained. Default 1.
   */
  readonly size?: number;
  /** Whether what it does is a product of its tensors, as LoRA's `B A`: some optimisers look less far by default then. Default false. */
  readonly isProduct?: boolean;
  /** What users choose: the keys of the section of its name. */
  readonly options: Readonly<Record<string, AdapterOption>>;
  /** A new one. @throws {RangeError} For settings that do not fit the model */
  make(
    model: { readonly config: ModelConfig; readonly tokenizer?: Tokenizer | undefined },
    settings: AdapterSettings & { readonly seed?: number },
  ): Adapter;
  /** What a plan in a file holds, checked. @throws {RangeError | TypeError} naming what is amiss */
  parse(plan: AdapterPlan): P;
  /** Its tensors on a model. @throws {RangeError} For a plan that does not fit the model */
  tensors(config: ModelConfig, plan: P): readonly AdapterTensor[];
  /** What it does in a forward. */
  hooks(plan: P): ForwardHooks;
  /** The plan of an adapter that was to begin with what the base computes, with that. */
  started?(plan: P, found: Started): P;
  /**
   * What of the base changes, by the names of its tensors, where the adapter can be merged into it; absent of a scheme that cannot.
   *
   * @throws {RangeError} For a plan that this base has no tensors for
   */
  merge?(plan: P, adapter: MergedAdapter): ReadonlyMap<string, MergedRows>;
  /** Several as one that does the weighted sum of what they do; absent of a scheme that has none. @throws {RangeError} For those that have no sum */
  mix?(config: ModelConfig, parts: readonly MixedPart<P>[]): MixedValues<P>;
  /** How PEFT stores it as tensors beside modules; absent of a scheme that PEFT does not have, or stores otherwise. */
  readonly peft?: PeftForm<P>;
}

/** What an adapter is to begin with: what its base computes for a sequence of these tokens alone. */
export interface AdapterStart {
  /** In the base's vocabulary. */
  readonly tokens: readonly number[];
  /** What is taken: what enters the model in their place, or every layer's keys and values as attention sees them. */
  readonly of: "embeddings" | "keysAndValues";
}

/** What a base computed for the tokens of an {@linkcode AdapterStart}. */
export interface Started {
  /** `[tokens][width]`; empty where keys and values are taken. */
  readonly embeddings: Float32Array<ArrayBuffer>;
  /** By layer, `[tokens][keyValueHeads * headDimension]`; none where embeddings are taken. */
  readonly keys: readonly Float32Array<ArrayBuffer>[];
  /** By layer, as keys. */
  readonly values: readonly Float32Array<ArrayBuffer>[];
}

/** An adapter: what is beside a base, before training. */
export interface Adapter {
  /** Name of its scheme, such as `lora`. */
  readonly scheme: string;
  /** What it consists of. */
  readonly plan: AdapterPlan;
  /** What is drawn is drawn from this seed. */
  readonly seed: number;
  /** Values that are not drawn, by tensor as it lies on the device: those of a file. */
  readonly values?: ReadonlyMap<string, Float32Array<ArrayBuffer>> | undefined;
  /**
   * Tensors of the base that it brings its own of, by name, in f32 as they lie on the device: biases and whole modules that were trained with it. Default:
   * none.
   */
  readonly replaced?: ReadonlyMap<string, Float32Array<ArrayBuffer>> | undefined;
  /** What its base is to compute for it first: by {@linkcode startedAdapter}. Default: nothing. */
  readonly start?: AdapterStart | undefined;
  /** What the file says of its base's name, if it does. */
  readonly base?: string | undefined;
}
