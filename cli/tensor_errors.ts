/**
 * What quantising did to a model's tensors: bits and errors, by tensor and by kind.
 *
 * @module
 */
import type { QuantizedLayer, TensorSource } from "../models/mod.ts";
import { kindOf } from "../models/checkpoints/tensor_kind.ts";
import { bitsPerWeight, decode } from "../quant/mod.ts";
import { grouped, table } from "../show/terminal.ts";

/** What became of a tensor. */
interface TensorError {
  readonly name: string;
  readonly kind: string;
  readonly format: string;
  /** Why it is not what was asked for; "" where it is. */
  readonly reason: string;
  /** Whether nothing was done to it. */
  readonly same: boolean;
  readonly weights: number;
  readonly bits: number;
  /** Squared, of its weights; grows as the tensor is read. */
  difference: number;
  /** Squared, of its weights as they were. */
  norm: number;
}

/** Bits and errors of tensors, measured as they are read. */
export class TensorErrors {
  readonly #tensors: TensorError[] = [];
  readonly #layers = new Map<string, QuantizedLayer>();

  /** The tensor, adding up its differences from what it was as it is read; `reason` says why it is not what was asked for. */
  compared(was: TensorSource, now: TensorSource, reason = ""): TensorSource {
    const { name, rows, columns, format } = now;
    const error: TensorError = {
      name,
      kind: kindOf(now),
      format: format.name,
      reason,
      same: was === now,
      weights: rows * columns,
      bits: bitsPerWeight(format, rows, columns) * rows * columns,
      difference: 0,
      norm: 0,
    };
    this.#tensors.push(error);
    // Gains may have taken up factors of the matrices after them, which are no error.
    if (was === now || error.kind === "vector") return now;
    const layer = this.#layers.get(name);
    return {
      ...now,
      read: async (first, count) => {
        const packed = await now.read(first, count);
        const a = decode(await was.read(first, count));
        const norm = a.reduce((sum, value) => sum + value ** 2, 0);
        error.norm += norm;
        if (layer) error.difference += norm * layer.weightError ** 2;
        else {
          const b = decode(packed);
          error.difference += a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);
        }
        return packed;
      },
    };
  }

  /** What the method says of a layer, before its tensor is read. */
  setLayer(layer: QuantizedLayer): void {
    this.#layers.set(layer.name, layer);
  }

  /** Lines by tensor, but for vectors: what it is now, why that is not what was asked for, and what that costs. */
  byTensor(): string[] {
    const named = this.#tensors.filter(({ kind }) => kind !== "vector");
    return table([
      ["tensor", "format", "error of weights", "of outputs", "why not as asked"],
      ...named.map(({ name, format, difference, norm, same, reason }) => {
        const output = this.#layers.get(name)?.outputError;
        const error = same ? "as it was" : relative(difference, norm);
        return [name, format, error, output?.toExponential(2) ?? "", reason];
      }),
    ]);
  }

  /** How many matrices, and which part of the weights, are in a format, in words. */
  shareOf(format: string): string {
    const matrices = this.#tensors.filter(({ kind }) => kind === "matrix");
    const reached = matrices.filter((it) => it.format === format);
    const weights = (of: readonly TensorError[]) => of.reduce((sum, it) => sum + it.weights, 0);
    const share = 100 * weights(reached) / Math.max(1, weights(this.#tensors));
    return `${reached.length} of ${matrices.length} matrices, ${share.toFixed(1)} % of all weights`;
  }

  /** Lines by kind. */
  byKind(): string[] {
    const kinds = Map.groupBy(this.#tensors, ({ kind, format }) => `${kind} ${format}`);
    return table([
      ["kind", "format", "tensors", "weights", "bits", "relative error"],
      ...[...kinds.values()].map((tensors) => {
        const sum = (of: (it: TensorError) => number) => tensors.reduce((s, it) => s + of(it), 0);
        const weights = sum((it) => it.weights);
        return [
          tensors[0].kind,
          tensors[0].format,
          tensors.length,
          grouped(weights),
          (sum((it) => it.bits) / weights).toFixed(3),
          relative(sum((it) => it.difference), sum((it) => it.norm)),
        ];
      }),
    ]);
  }
}

function relative(difference: number, norm: number): string {
  return norm > 0 ? Math.sqrt(difference / norm).toExponential(2) : "0";
}
