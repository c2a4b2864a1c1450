/**
 * The f64 oracle of a packed tensor under a perturbation: every weight as a kernel should see it.
 *
 * Written from the comments of `quant/layouts/layout.ts` alone, so that it can judge packers and kernels alike.
 *
 * @module
 */
import { type Distribution, fillNoise, type Law, type Seed } from "../../optim/directions/noise.ts";
import type { NoisePlace } from "../../optim/trainable.ts";
import { CODE_TABLES } from "../../quant/layouts/code_tables.ts";
import { FORMATS } from "../../quant/formats/formats.ts";
import { sameLayout } from "../../quant/layouts/planes.ts";
import { decodeGgufBytes } from "../quant/plain_decoder.ts";
import { groupColumns, groupsPerRow, type PackedTensor } from "../../quant/layouts/layout.ts";

/** Absolute: `base + offset`. Relative: `base * (1 + offset)`. */
export type OffsetForm = "absolute" | "relative";

/** The noise of one branch and one tensor: `amplitude * z(index)` is added to the stored offset. */
export interface NoiseTerm {
  readonly amplitude: number;
  readonly z: (index: number) => number;
}

/** Elements of noise that are made together: one after the other they take ten times as long. */
const BLOCK = 32;

/** The noise of a branch by the library's generator, which has its own tests against published vectors. */
export function noiseTerm(
  law: Law | Distribution,
  seed: Seed,
  tensorId: number,
  amplitude: number,
  place?: NoisePlace,
): NoiseTerm {
  const blocks = new Map<number, Float32Array>();
  const z = (index: number): number => {
    const within = index % BLOCK;
    let block = blocks.get(index - within);
    if (block === undefined) {
      block = fillNoise(law, seed, tensorId, index - within, new Float32Array(BLOCK), place);
      blocks.set(index - within, block);
    }
    return block[within];
  };
  return { amplitude, z };
}

/** By exponent, what a half's last bit is worth. */
const UNITS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 25));

/** The number that 16 bits of IEEE half precision stand for. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * UNITS[exponent];
}

const pattern = new Uint32Array(1);
const patternAsFloat = new Float32Array(pattern.buffer);

/** The number that a 32-bit pattern stands for in single precision. */
function bitsToFloat(bits: number): number {
  pattern[0] = bits;
  return patternAsFloat[0];
}

/** Half `index` of a plane with two halves a word, low half first. */
function halfAt(plane: Uint32Array, index: number): number {
  return (plane[index >> 1] >>> (16 * (index & 1))) & 0xffff;
}

/** Rows rounded up to a multiple of 4: the distance between two column spans of an offset plane. */
export function offsetStride(rows: number): number {
  return Math.ceil(rows / 4) * 4;
}

/** Rows with scales of their own: fewer than all where rows a fixed stride apart share them. */
function scaleRows({ layout, rows }: PackedTensor): number {
  return layout.kind === "column" ? layout.classes : rows;
}

/** Offsets of a tensor: one an element when dense, else one a row and span of columns, rows padded. */
export function offsetCount(tensor: PackedTensor, span: number): number {
  return tensor.layout.kind === "dense"
    ? tensor.rows * tensor.columns
    : Math.ceil(tensor.columns / span) * offsetStride(scaleRows(tensor));
}

/** Where the offset of element (`row`, `column`) lies. */
export function offsetIndex(
  tensor: PackedTensor,
  span: number,
  row: number,
  column: number,
): number {
  return tensor.layout.kind === "dense"
    ? row * tensor.columns + column
    : Math.floor(column / span) * offsetStride(scaleRows(tensor)) + row % scaleRows(tensor);
}

/** The integer code of a scalar layout at (`row`, `column`). */
export function scalarCode(tensor: PackedTensor, row: number, column: number): number {
  if (tensor.layout.kind !== "scalar" && tensor.layout.kind !== "column") {
    throw new TypeError("Cannot read a code: not scalar");
  }
  const { bits } = tensor.layout;
  const block = (row * tensor.columns / 32 + Math.floor(column / 32)) * bits;
  const byte = (column % 4) * 8;
  const quad = Math.floor((column % 32) / 4);
  // A plane of a power-of-two width.
  const plane = (width: number, at: number): number =>
    (tensor.codes[at + quad % width] >>> (byte + width * Math.floor(quad / width))) &
    (2 ** width - 1);
  const top = (at: number): number => (tensor.codes[at] >>> (byte + quad)) & 1;
  if (bits === 3) return plane(2, block) + 4 * top(block + 2);
  if (bits === 5) return plane(4, block) + 16 * top(block + 4);
  return bits === 6 ? plane(4, block) + 16 * plane(2, block + 4) : plane(bits, block);
}

/** Weights of super-blocks, whose layout is the packing of one GGUF format: by a decoder of the file's bytes. */
function superWeights(tensor: PackedTensor): number[] {
  const format = FORMATS.find((one) => sameLayout(one.layout, tensor.layout))!;
  return decodeGgufBytes(format.name, format.pack(tensor));
}

/** Offsets and noise of what a tensor has besides its scales: entries of codebooks in their order, or minima as scales have them. */
export interface PlaneMove {
  readonly offsets: ArrayLike<number>;
  readonly form: OffsetForm;
  /** Columns that share an offset of minima. */
  readonly span: number;
  readonly noise: NoiseTerm | null;
}

/**
 * The weight at (`row`, `column`), given how its scale (or, when dense, the weight itself) is moved, and entry `index` of its codebooks
 * or its minimum (zero point).
 */
function weightAt(
  tensor: PackedTensor,
  row: number,
  column: number,
  move: (base: number) => number,
  movePlane: (base: number, index?: number) => number,
): number {
  const { layout, columns, codes, scales, codebook } = tensor;
  switch (layout.kind) {
    case "dense": {
      const index = row * columns + column;
      if (layout.type === "f32") return move(bitsToFloat(codes[index]));
      const half = halfAt(codes, index);
      return move(layout.type === "f16" ? halfToNumber(half) : bitsToFloat(half << 16));
    }
    case "scalar": {
      const q = scalarCode(tensor, row, column);
      const group = row * groupsPerRow(layout, columns) +
        Math.floor(column / groupColumns(layout, columns));
      if (layout.second === "none") {
        const meaning = layout.table ? CODE_TABLES[layout.table][q] : q - layout.center;
        return move(halfToNumber(halfAt(scales, group))) * meaning;
      }
      const scale = move(halfToNumber(scales[group] & 0xffff));
      const second = movePlane(halfToNumber(scales[group] >>> 16));
      return layout.second === "zero" ? scale * (q - second) : scale * (q - layout.center) + second;
    }
    case "column": {
      const word = codebook[row % layout.classes * columns + column];
      const [scale, zero] = [halfToNumber(word & 0xffff), halfToNumber(word >>> 16)];
      return move(scale) * (scalarCode(tensor, row, column) - zero);
    }
    case "super":
      throw new TypeError("Cannot read one weight of a super-block: whole rows are");
    case "codebook": {
      const { books, bits = 8, vector = 8 } = layout;
      const width = bits > 8 ? 16 : 8;
      const wordColumns = vector * 32 / width;
      const word = (row * columns / wordColumns + Math.floor(column / wordColumns)) * books;
      let sum = 0;
      for (let book = 0; book < books; book++) {
        const field = Math.floor((column % wordColumns) / vector);
        const code = (codes[word + book] >>> (width * field)) % 2 ** bits;
        const index = (book * 2 ** bits + code) * vector + column % vector;
        sum += movePlane(halfToNumber(halfAt(codebook, index)), index);
      }
      return move(halfToNumber(halfAt(scales, row))) * sum;
    }
  }
}

/**
 * Weights `[rows][columns]` of one branch in f64: scale (dense: weight) = base ⊕ (offset + amplitude z).
 *
 * `span` is the number of columns that share an offset; it is ignored by dense tensors. Without offsets and noise the
 * result is the plain decode. `plane` moves what is beside the scales; without, relative offsets multiply minima too.
 */
export function effectiveWeights(
  tensor: PackedTensor,
  offsets: ArrayLike<number> | null = null,
  form: OffsetForm = "absolute",
  span: number = tensor.columns,
  noise: NoiseTerm | null = null,
  plane: PlaneMove | null = null,
): Float64Array {
  const { rows, columns } = tensor;
  const weights = new Float64Array(rows * columns);
  // Minima without offsets of their own are multiplied with their scales.
  const follow = tensor.layout.kind === "scalar" && tensor.layout.second === "min" &&
    form === "relative";
  const blocks = tensor.layout.kind === "super" ? superWeights(tensor) : undefined;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const index = offsetIndex(tensor, span, row, column);
      const offset = (offsets ? offsets[index] : 0) +
        (noise ? noise.amplitude * noise.z(index) : 0);
      if (blocks) {
        if (form === "absolute" && offset !== 0) {
          throw new TypeError("Cannot move the integer scales of super-blocks absolutely");
        }
        weights[row * columns + column] = blocks[row * columns + column] * (1 + offset);
        continue;
      }
      weights[row * columns + column] = weightAt(
        tensor,
        row,
        column,
        (base) => form === "absolute" ? base + offset : base * (1 + offset),
        (base, entry) => {
          if (!plane) return follow ? base * (1 + offset) : base;
          const at = entry ?? offsetIndex(tensor, plane.span, row, column);
          const moved = plane.offsets[at] +
            (plane.noise ? plane.noise.amplitude * plane.noise.z(at) : 0);
          return plane.form === "absolute" ? base + moved : base * (1 + moved);
        },
      );
    }
  }
  return weights;
}
