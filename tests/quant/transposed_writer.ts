// Writers of GPTQ and AWQ planes, from the format descriptions alone: no code shared with quant/.
import { seeded } from "./random.ts";

/** A quantised matrix as numbers: `codes[row * columns + column]`, scales and zeros `[groups][rows]`. */
export interface PlainMatrix {
  readonly bits: number;
  /** Columns per group; the columns themselves for one group. */
  readonly size: number;
  readonly rows: number;
  readonly columns: number;
  readonly codes: number[];
  readonly zeros: number[];
  /** Powers of two and their odd multiples: exact in f16. */
  readonly scales: number[];
}

/** Random codes, zero points from 0 to the largest code, and scales of both signs. */
export function randomMatrix(
  seed: number,
  bits: number,
  group: number,
  rows: number,
  columns: number,
): PlainMatrix {
  const next = seeded(seed);
  const draw = (below: number): number => Math.floor(next() * below);
  const size = group === -1 ? columns : group;
  const groups = Math.ceil(columns / size);
  const many = (n: number, value: () => number): number[] => Array.from({ length: n }, value);
  return {
    bits,
    size,
    rows,
    columns,
    codes: many(rows * columns, () => draw(2 ** bits)),
    zeros: many(groups * rows, () => draw(2 ** bits)),
    scales: many(groups * rows, () => (draw(2) * 2 - 1) * (1 + draw(1024) / 1024) / 32),
  };
}

/** `scale * (q - zero)`, row-major. */
export function plainWeights(m: PlainMatrix): Float32Array<ArrayBuffer> {
  return Float32Array.from(m.codes, (code, i) => {
    const at = Math.floor(i % m.columns / m.size) * m.rows + Math.floor(i / m.columns);
    return m.scales[at] * (code - m.zeros[at]);
  });
}

/** The numbers below `columns`, each once, in a random order. */
export function shuffled(columns: number, seed: number): number[] {
  const next = seeded(seed);
  const places = Array.from({ length: columns }, (_, i) => [next(), i]);
  return places.sort(([a], [b]) => a - b).map(([, i]) => i);
}

/** Row-major values with column `place[i]` at place `i` of every row. */
export function placed<Values extends number[] | Float32Array<ArrayBuffer>>(
  values: Values,
  place: readonly number[],
): Values {
  const columns = place.length;
  return values.map((_, i) => values[i - i % columns + place[i % columns]]) as Values;
}

/** f16 bits of the scales. */
export function scaleBits(m: PlainMatrix): Uint16Array<ArrayBuffer> {
  return new Uint16Array(new Float16Array(m.scales).buffer);
}

// 2, 4 and 8 bits: 32 / bits values a word. 3 bits: the 32 values of three words by the published table.
function lineOfWords(values: readonly number[], bits: number): number[] {
  const words: number[] = [];
  if (bits !== 3) {
    const each = 32 / bits;
    for (let i = 0; i < values.length; i += each) {
      let word = 0;
      for (let j = 0; j < each; j++) word += values[i + j] * 2 ** (bits * j);
      words.push(word);
    }
    return words;
  }
  for (let i = 0; i < values.length; i += 32) {
    const v = values.slice(i, i + 32);
    let [a, b, c] = [0, 0, 0];
    for (let j = 0; j < 10; j++) {
      a += v[j] * 2 ** (3 * j);
      b += v[11 + j] * 2 ** (1 + 3 * j);
      c += v[22 + j] * 2 ** (2 + 3 * j);
    }
    a += v[10] % 4 * 2 ** 30;
    b += Math.floor(v[10] / 4);
    b += v[21] % 2 * 2 ** 31;
    c += Math.floor(v[21] / 2);
    words.push(a, b, c);
  }
  return words;
}

/** `qweight`, `qzeros` and `g_idx` of a GPTQ file; `place` says which column of the matrix each of the file is (`desc_act`). */
export function gptqWords(
  m: PlainMatrix,
  version: "v1" | "v2",
  place?: readonly number[],
): {
  qweight: Int32Array<ArrayBuffer>;
  qzeros: Int32Array<ArrayBuffer>;
  gIdx: Int32Array<ArrayBuffer>;
} {
  const { bits, rows, columns, size } = m;
  const codes = place ? placed(m.codes, place) : m.codes;
  const lines = columns / 32 * bits;
  const qweight = new Uint32Array(lines * rows);
  for (let row = 0; row < rows; row++) {
    const line = lineOfWords(codes.slice(row * columns, (row + 1) * columns), bits);
    for (let r = 0; r < lines; r++) qweight[r * rows + row] = line[r];
  }
  // v1 stores them less one: of 3 bits each by itself, else word by word, so that a 0 borrows from the next.
  const [own, whole] = version === "v2" ? [0, 0] : bits === 3 ? [7, 0] : [0, 1];
  const stored = m.zeros.map((z) => (z + own) % 2 ** bits);
  const qzeros: number[] = [];
  for (let i = 0; i < stored.length; i += rows) {
    qzeros.push(...lineOfWords(stored.slice(i, i + rows), bits));
  }
  return {
    qweight: new Int32Array(qweight.buffer),
    qzeros: Int32Array.from(qzeros, (word) => word - whole * (2 ** 32 - 1) / (2 ** bits - 1)),
    gIdx: Int32Array.from({ length: columns }, (_, i) => Math.floor((place?.[i] ?? i) / size)),
  };
}

/** `qweight` and `qzeros` of an AWQ file. */
export function awqWords(
  m: PlainMatrix,
): { qweight: Int32Array<ArrayBuffer>; qzeros: Int32Array<ArrayBuffer> } {
  const { rows, columns, codes, zeros } = m;
  const order = [0, 2, 4, 6, 1, 3, 5, 7];
  const pack = (lines: number, at: (line: number, row: number) => number) => {
    const words = new Uint32Array(lines * rows / 8);
    for (let i = 0; i < words.length; i++) {
      const [line, first] = [Math.floor(i / (rows / 8)), i % (rows / 8) * 8];
      order.forEach((row, nibble) => words[i] += at(line, first + row) * 16 ** nibble);
    }
    return new Int32Array(words.buffer);
  };
  return {
    qweight: pack(columns, (column, row) => codes[row * columns + column]),
    qzeros: pack(zeros.length / rows, (g, row) => zeros[g * rows + row]),
  };
}
