/**
 * The operations an architecture can use in its forward pass. Everything that acts on weights by name is handled here, and architectures do not
 * mention it: biases, offsets and noise, column orders, calibration and the cache of keys and values.
 *
 * @module
 */

import {
  type ActivationKind,
  add,
  attention,
  type AttentionShape,
  capLogits,
  type ColumnRange,
  type DeviceTensor,
  embedding,
  type EmbeddingIndex,
  type ForwardContext,
  matmul,
  type MatmulOptions,
  type NormKind,
  perturbedVector,
  pickColumns,
  pickRows,
  rope,
  type RowList,
  type Storage,
  storeRows,
  type Value,
} from "../kernels/mod.ts";
import { perturbationsOf } from "../kernels/matmul/perturbed_plane.ts";
import { sharedBehind, storeShared } from "../kernels/operations/leading/copy_rows.ts";
import { virtualTokens } from "../kernels/operations/leading/virtual_tokens.ts";
import { activationOf } from "../kernels/operations/activations/activations.ts";
import { normOf } from "../kernels/operations/norms/norms.ts";
import type { ForwardHooks } from "./adapters/scheme.ts";

/** Keys and values of earlier tokens, by layer: `[rows][keyValueHeads * headDimension]`. */
export interface KeyValueCache {
  /** Number of slots that rows of a batch can use. */
  readonly slots: number;
  /** Number of rows, by layer. If there are fewer rows than slots, a later token overwrites the one that many rows before it. */
  readonly rows: readonly number[];
  /** Keys by layer. An adapter's shared keys follow the rows. */
  readonly keys: readonly Storage[];
  /** Values by layer, laid out like the keys. */
  readonly values: readonly Storage[];
}

/** Hidden states: the result of an operation, or states that calibration keeps between blocks. */
export type Hidden = Value | Storage;

/** How heads are rotated. */
export interface Rotation {
  /** Name of the table of angles among the architecture's constants: `[positions][pairs](cos, sin)`. */
  readonly table: string;
  /** Number of heads in the value. */
  readonly heads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Whether pairs are (2i, 2i + 1) instead of (i, i + half). */
  readonly interleaved: boolean;
  /** Number of elements rotated at the start of each head. Default: all. */
  readonly rotated?: number | undefined;
}

/** The shape and kind of a normalisation. */
export interface NormShape {
  /** The kind of normalisation. */
  readonly kind: NormKind;
  /** Number of elements that are normalised together. */
  readonly width: number;
  /** Number of such groups in a row, each normalised separately. Default 1: the whole row. */
  readonly heads?: number;
  /** Added to the variance before taking the root. */
  readonly epsilon: number;
  /** Normalise only these rows and store them compactly. Default: all rows. */
  readonly rows?: RowList | undefined;
}

/** The operations of a forward pass. Values are `[branches][rows][width]`. Weights are named without `.weight` and `.bias`. */
export interface Recorder {
  /**
   * Looks up rows of a table by the tokens or positions of the batch, or one row for all.
   *
   * @param shift Added to the position, if the table starts with other rows; if rows are looked up by nothing, the index of the row. Default 0.
   * @param factor Factor for the rows. Default 1.
   */
  embedding(name: string, options?: EmbeddingIndex): Value;
  /**
   * The product with a matrix, plus its bias if it has one, plus `residual`.
   *
   * @param bias Name of the bias, if it differs from the matrix's, for a matrix that is also used as a table without a bias.
   */
  linear(
    x: Hidden,
    name: string,
    options?: { readonly residual?: Hidden; readonly bias?: string },
  ): Value;
  /** Normalises rows, multiplies them by the gain and adds the bias of that name, if the architecture lists them. */
  norm(x: Hidden, name: string, shape: NormShape): Value;
  /** Selects rows, unchanged. */
  pick(x: Hidden, width: number, rows: RowList): Value;
  /** Selects adjacent columns, such as one of several products that a file stores as one matrix. */
  columns(x: Value, range: ColumnRange): Value;
  /** Rotates queries or keys by their positions. Overwrites `x`. */
  rope(x: Value, rotation: Rotation): Value;
  /** Attention of a layer's queries to the keys and values of this forward pass and, if there is a cache, to those of earlier tokens. */
  attention(
    q: Value,
    k: Value,
    v: Value,
    shape: AttentionShape & { readonly layer: number },
  ): Value;
  /** Applies a function to every element and, if `times` is given, multiplies the result by the element of `times`. */
  activation(x: Value, kind: ActivationKind, times?: Value): Value;
  /** The sum of two values of the same shape. */
  add(a: Hidden, b: Value): Value;
  /** Applies `cap * tanh(x / cap)` to every element. Overwrites `x`. */
  cap(x: Value, cap: number): Value;
}

/** Options of a recorder. */
export interface RecorderOptions {
  /** Graph, batch, branches, offsets and noise. */
  readonly context: ForwardContext;
  /** Returns a weight by name. Undefined for a name that the architecture does not list. */
  readonly weight: (name: string) => DeviceTensor | undefined;
  /** Returns a table of the architecture by name. */
  readonly constant: (name: string) => Storage;
  /** Returns the input of a matrix, with columns reordered if the matrix requires it. */
  readonly inputOf: (input: Hidden, matrix: string) => Hidden;
  /** Keys and values of earlier tokens. Default: none; tokens attend only to the current forward pass. */
  readonly cache?: KeyValueCache | undefined;
  /** Changes made by an adapter. Default: none. */
  readonly adapter?: ForwardHooks | undefined;
  /** Called with the tokens' embeddings as they enter the model. */
  readonly onEmbeddings?: ((embeddings: Value) => void) | undefined;
  /** Called with the keys and values of a layer as attention reads them. */
  readonly onKeys?: ((layer: number, keys: Value, values: Value) => void) | undefined;
}

/** Records forward passes into a graph. */
export class GraphRecorder implements Recorder {
  readonly #options: RecorderOptions;
  /** Row counts of values that do not have all rows of the batch. */
  readonly #rows = new Map<Hidden, number>();

  /** Records into the graph of the context. */
  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  embedding(name: string, options: EmbeddingIndex = {}): Value {
    const { context, adapter } = this.#options;
    const own = embedding(context, this.#weight(`${name}.weight`), options);
    const { by = "tokens" } = options;
    if (by !== "tokens") return own;
    this.#options.onEmbeddings?.(own);
    return adapter?.vectors === undefined
      ? own
      : virtualTokens(context, own, this.#weight(adapter.vectors));
  }

  linear(
    x: Hidden,
    name: string,
    { residual, bias = name }: { readonly residual?: Hidden; readonly bias?: string } = {},
  ): Value {
    const { context, inputOf, adapter } = this.#options;
    const matrix = this.#weight(`${name}.weight`);
    const rows = this.#rowsOf(x);
    const product = (residual?: Hidden, input = x) =>
      matmul(context.graph, inputOf(input, matrix.name), matrix, {
        ...context,
        rows,
        residual,
        ...this.#bias(bias),
        ...perturbationsOf(matrix, context.perturbation),
      });
    const tensor = (name: string) => this.#weight(name);
    const adapted = adapter?.linear?.({ context, x, rows, matrix, residual, tensor, product });
    return this.#withRows(rows, adapted ?? product(residual));
  }

  norm(x: Hidden, name: string, { kind, heads = 1, ...shape }: NormShape): Value {
    const { weight } = this.#options;
    const rows = this.#rowsOf(x);
    const context = { ...this.#options.context, rows: heads * rows };
    const vectors = { gain: weight(`${name}.weight`), bias: weight(`${name}.bias`) };
    const list = shape.rows;
    return this.#withRows(
      list?.count ?? rows,
      normOf(kind)(context, x, vectors, { ...shape, list }),
    );
  }

  pick(x: Hidden, width: number, rows: RowList): Value {
    return this.#withRows(rows.count, pickRows(this.#options.context, x, width, rows));
  }

  columns(x: Value, range: ColumnRange): Value {
    return this.#withRows(this.#rows.get(x), pickColumns(this.#options.context, x, range));
  }

  rope(x: Value, { table, ...shape }: Rotation): Value {
    return rope(this.#options.context, x, this.#options.constant(table), shape);
  }

  attention(
    q: Value,
    k: Value,
    v: Value,
    { layer, ...shape }: AttentionShape & { readonly layer: number },
  ): Value {
    const { context, cache, adapter, onKeys } = this.#options;
    onKeys?.(layer, k, v);
    const names = adapter?.sharedKeys?.(layer);
    const shared = names && {
      keys: this.#weight(names.keys),
      values: this.#weight(names.values),
    };
    const counted = shared ? { ...shape, sharedKeys: shared.keys.rows } : shape;
    if (!cache) {
      const of = (own: Value, more?: DeviceTensor) => more ? sharedBehind(context, own, more) : own;
      const [keys, values] = [of(k, shared?.keys), of(v, shared?.values)];
      return attention(context, q, keys, values, { ...counted, keyRows: context.rows });
    }
    const [keys, values, keyRows] = [cache.keys[layer], cache.values[layer], cache.rows[layer]];
    const width = shape.keyValueHeads * shape.headDimension;
    const rolling = keyRows < cache.slots;
    storeRows(context, k, keys, width, keyRows, rolling);
    storeRows(context, v, values, width, keyRows, rolling);
    if (shared) {
      storeShared(context, shared.keys, keys, keyRows);
      storeShared(context, shared.values, values, keyRows);
    }
    return attention(context, q, keys, values, { ...counted, keyRows, rolling });
  }

  activation(x: Value, kind: ActivationKind, times?: Value): Value {
    return this.#withRows(this.#rows.get(x), activationOf(kind)(this.#options.context, x, times));
  }

  add(a: Hidden, b: Value): Value {
    return this.#withRows(this.#rows.get(b), add(this.#options.context, a, b));
  }

  cap(x: Value, cap: number): Value {
    return this.#withRows(this.#rows.get(x), capLogits(this.#options.context, x, cap));
  }

  #weight(name: string): DeviceTensor {
    const found = this.#options.weight(name);
    if (found) return found;
    throw new TypeError(`Cannot build the forward: the model has no tensor "${name}"`);
  }

  /** The bias on the device; if it is trained, with the value of every branch. */
  #bias(name: string): Pick<MatmulOptions, "bias" | "biasOf"> {
    const { context, weight } = this.#options;
    const tensor = weight(`${name}.bias`);
    if (!tensor) return {};
    const perturbation = context.perturbation(tensor.name);
    if (!perturbation) return { bias: tensor.pieces[0].codes };
    return {
      bias: perturbedVector(context.graph, tensor, perturbation, context.branches),
      biasOf: { tensor, perturbation },
    };
  }

  #rowsOf(x: Hidden): number {
    return this.#rows.get(x) ?? this.#options.context.rows;
  }

  #withRows(rows: number | undefined, value: Value): Value {
    if (rows !== undefined && rows !== this.#options.context.rows) this.#rows.set(value, rows);
    return value;
  }
}
