/**
 * Weights of a folder by their names, and products with them, for forwards of encoders and decoders with biases.
 *
 * @module
 */
import { matmul } from "./matmul.ts";

/** What a forward asks of weights. */
export interface NamedLayers {
  /** The tensor of that name, as folders or the library call it; null where there is none. */
  find(name: string): ArrayLike<number> | null;
  /** As `find`. @throws {TypeError} Where there is none */
  table(name: string): ArrayLike<number>;
  /** The product with `NAME.weight`, and `NAME.bias` where there is one. */
  linear(x: Float64Array, name: string, inputs: number, outputs: number): Float64Array;
}

/** Of a sequence of `rows` tokens. */
export function namedLayers(
  weights: Readonly<Record<string, ArrayLike<number>>>,
  { rows, insideName, onInput }: {
    readonly rows: number;
    /** What the library calls a tensor of a folder. */
    readonly insideName: (stored: string) => string;
    /** Told what each layer multiplies, by name inside. */
    readonly onInput: (name: string, x: Float64Array) => void;
  },
): NamedLayers {
  const find = (name: string) => weights[name] ?? weights[insideName(name)] ?? null;
  const table = (name: string): ArrayLike<number> => {
    const found = find(name);
    if (!found) throw new TypeError(`Cannot run: there is no "${name}"`);
    return found;
  };
  return {
    find,
    table,
    linear(x, name, inputs, outputs) {
      onInput(insideName(`${name}.weight`), x);
      const size = { branches: 1, rows, inputs, outputs };
      return matmul(size, [table(`${name}.weight`)], x, find(`${name}.bias`), null);
    },
  };
}
