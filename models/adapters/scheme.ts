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

/** What a tensor of an adapter holds before it is trained: zeros, or numbers drawn evenly from `-uniform` to `uniform`. */
export type InitialValues = "zeros" | { readonly uniform: number };

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
  /** The base's own product with its bias, and `residual` if it is given. */
  readonly product: (residual?: Value | Storage) => Value;
}

/** What a scheme does in a forward. What it leaves out is the base's own. */
export interface ForwardHooks {
  /** The product with a matrix and its residual; undefined: as the base has it. */
  linear?(step: LinearStep): Value | undefined;
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

/** What a scheme's adapter consists of on one model, in JSON: what its forward and its tensors follow from, whatever later versions have as defaults. */
export type AdapterPlan = { readonly [key: string]: JsonValue };

/** An option of a scheme that is no number, word or flag. */
export interface DeclaredNames extends DeclaredBase {
  /**
   * `"names"`: a list of names, or one text; `"layers"`: the first and last, inclusive; `"patterns"`: numbers by regular expression.
   */
  readonly holds: "names" | "layers" | "patterns";
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
  /** What users choose: the keys of the section of its name. */
  readonly options: Readonly<Record<string, AdapterOption>>;
  /** A new one. @throws {RangeError} For settings that do not fit the model */
  make(
    model: { readonly config: ModelConfig },
    settings: AdapterSettings & { readonly seed?: number },
  ): Adapter;
  /** What a plan in a file holds, checked. @throws {RangeError | TypeError} naming what is amiss */
  parse(plan: AdapterPlan): P;
  /** Its tensors on a model. @throws {RangeError} For a plan that does not fit the model */
  tensors(config: ModelConfig, plan: P): readonly AdapterTensor[];
  /** What it does in a forward. */
  hooks(plan: P): ForwardHooks;
  /**
   * What of the base changes, by the names of its tensors, where the adapter can be merged into it; absent of a scheme that cannot.
   *
   * @throws {RangeError} For a plan that this base has no tensors for
   */
  merge?(plan: P, adapter: MergedAdapter): ReadonlyMap<string, MergedRows>;
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
  /** What the file says of its base's name, if it does. */
  readonly base?: string | undefined;
}
