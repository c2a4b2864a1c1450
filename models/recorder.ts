/**
 * All that an architecture may say of its forward. What acts on weights acts here, by their names, and no architecture mentions it:
 * biases, offsets and noise, orders of columns, calibration's looks at inputs, the cache of keys and values.
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
  /** Slots that rows of a batch may have. */
  readonly slots: number;
  /** Rows by layer; where they are fewer than the slots, later tokens take the places of those that many before them. */
  readonly rows: readonly number[];
  /** By layer; an adapter's shared ones lie behind the rows. */
  readonly keys: readonly Storage[];
  /** By layer. */
  readonly values: readonly Storage[];
}

/** Hidden states: what an operation left, or what calibration keeps between blocks. */
export type Hidden = Value | Storage;

/** How heads are rotated. */
export interface Rotation {
  /** The name of the table of angles among the architecture's constants: `[positions][pairs](cos, sin)`. */
  readonly table: string;
  /** Heads in the value. */
  readonly heads: number;
  /** Width of a head. */
  readonly headDimension: number;
  /** Rotated pairs (2i, 2i + 1) instead of (i, i + half). */
  readonly interleaved: boolean;
  /** How many elements of a head are rotated, its first. Default: all. */
  readonly rotated?: number | undefined;
}

/** How rows are normalised. */
export interface NormShape {
  /** The formula. */
  readonly kind: NormKind;
  /** Elements that are normalised together. */
  readonly width: number;
  /** How many of them lie in a row, each normalised by itself. Default 1: all of it. */
  readonly heads?: number;
  /** Added to the variance before the root. */
  readonly epsilon: number;
  /** Only these rows, one behind the other. Default: all. */
  readonly rows?: RowList | undefined;
}

/** The operations of a forward. Values are `[branches][rows][width]`; weights go by their names without `.weight` and `.bias`. */
export interface Recorder {
  /**
   * Rows of a table: by the tokens of the batch, by their positions, or the same one for all.
   *
   * @param shift Added to a position, where the first rows of a table are not those of positions; by nothing, the row. Default 0
   * @param factor What rows are multiplied by. Default 1
   */
  embedding(name: string, options?: EmbeddingIndex): Value;
  /**
   * The product with a matrix, its bias if it has one, and `residual`.
   *
   * @param bias Another name that the bias goes by, where the matrix is a table that is used elsewhere without it
   */
  linear(
    x: Hidden,
    name: string,
    options?: { readonly residual?: Hidden; readonly bias?: string },
  ): Value;
  /** Rows normalised, multiplied by the gain and moved by the bias of that name, each if the architecture lists it. */
  norm(x: Hidden, name: string, shape: NormShape): Value;
  /** Some rows alone, as they are. */
  pick(x: Hidden, width: number, rows: RowList): Value;
  /** Some columns alone, side by side: one of several products that a file has as one matrix. */
  columns(x: Value, range: ColumnRange): Value;
  /** Queries or keys rotated by their positions. Overwrites `x`. */
  rope(x: Value, rotation: Rotation): Value;
  /** What the queries of a layer find: of this forward's keys and values, and of those of earlier tokens where there is a cache. */
  attention(
    q: Value,
    k: Value,
    v: Value,
    shape: AttentionShape & { readonly layer: number },
  ): Value;
  /** The function of every element; times the element of `times`, if that is given. */
  activation(x: Value, kind: ActivationKind, times?: Value): Value;
  /** The sum of two values of the same shape. */
  add(a: Hidden, b: Value): Value;
  /** Every element x as `cap * tanh(x / cap)`. Overwrites `x`. */
  cap(x: Value, cap: number): Value;
}

/** What a forward is recorded over. */
export interface RecorderOptions {
  /** Graph, batch, branches, offsets and noise. */
  readonly context: ForwardContext;
  /** Weights by name; undefined for one that the architecture does not list. */
  readonly weight: (name: string) => DeviceTensor | undefined;
  /** Tables of the architecture by name. */
  readonly constant: (name: string) => Storage;
  /** What a matrix multiplies: its input as it is, or with the columns in the matrix's order. */
  readonly inputOf: (input: Hidden, matrix: string) => Hidden;
  /** Keys and values of earlier tokens. Default: the forward sees its own alone. */
  readonly cache?: KeyValueCache | undefined;
  /** What an adapter changes. Default: nothing. */
  readonly adapter?: ForwardHooks | undefined;
  /** Told the tokens' embeddings as they enter the model. */
  readonly onEmbeddings?: ((embeddings: Value) => void) | undefined;
  /** Told a layer's keys and values as attention sees them. */
  readonly onKeys?: ((layer: number, keys: Value, values: Value) => void) | undefined;
}

/** The recorder of forwards. */
export class GraphRecorder implements Recorder {
  readonly #options: RecorderOptions;
  /** Of values that do not have all rows of the batch. */
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

  /** As it lies on the device; where it is trained, as every branch has it. */
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
