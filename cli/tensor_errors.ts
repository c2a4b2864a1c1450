/**
 * Effect of quantisation on a model's tensors: bits and errors by tensor and by kind.
 *
 * @module
 */
import type { QuantizedLayer, TensorSource } from "../models/mod.ts";
import { kindOf } from "../models/checkpoints/tensor_kind.ts";
import { bitsPerWeight, decode } from "../quant/mod.ts";
import { grouped, table } from "../show/terminal.ts";

/** Bits and error of one tensor. */
interface TensorError {
  readonly name: string;
  readonly kind: string;
  readonly format: string;
  /** Why its format is not the requested one; "" if it is. */
  readonly reason: string;
  /** Whether it was left unchanged. */
  readonly same: boolean;
  readonly weights: number;
  readonly bits: number;
  /** Sum of the squared errors of its weights. Grows as the tensor is read. */
  difference: number;
  /** Sum of its squared original weights. Grows as the tensor is read. */
  norm: number;
}

/** Bits and errors of tensors, measured as they are read. */
export class TensorErrors {
  readonly #tensors: TensorError[] = [];
  readonly #layers = new Map<string, QuantizedLayer>();

  /** Wraps a tensor so that reading it adds up its errors against the original. `reason` says why its format is not the requested one. */
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
    // Gains may have absorbed factors of the matrices that follow them, which is not an error.
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

  /** Records the errors that the method reports for a layer. Call it before the layer's tensor is read. */
  setLayer(layer: QuantizedLayer): void {
    this.#layers.set(layer.name, layer);
  }

  /** A table of all tensors except vectors: format, errors, and why the format is not the requested one. */
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

  /** Number of matrices in a format and their share of all weights, as text. */
  shareOf(format: string): string {
    const matrices = this.#tensors.filter(({ kind }) => kind === "matrix");
    const reached = matrices.filter((it) => it.format === format);
    const weights = (of: readonly TensorError[]) => of.reduce((sum, it) => sum + it.weights, 0);
    const share = 100 * weights(reached) / Math.max(1, weights(this.#tensors));
    return `${reached.length} of ${matrices.length} matrices, ${share.toFixed(1)} % of all weights`;
  }

  /** A table of kinds and formats. */
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
