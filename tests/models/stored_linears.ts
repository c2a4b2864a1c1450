/**
 * Linear layers as HQQ, compressed-tensors, AQLM and bitsandbytes store them, written from the descriptions of the formats with plain loops: no code
 * shared with the library's readers.
 *
 * @module
 */
import type { SafetensorsDtype, SafetensorsTensorData } from "../../quant/mod.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { type StoredLinear, tensorData } from "./quantised_folder.ts";

type Linear = (module: string, rows: number, columns: number, seed: number) => StoredLinear;
type Floats = "F16" | "BF16" | "F32";

/** Numbers as a type that holds them exactly. */
export function floats(type: Floats, values: readonly number[]): { buffer: ArrayBuffer } {
  if (type === "F16") return new Float16Array(values);
  const f32 = new Float32Array(values);
  if (type === "F32") return f32;
  return Uint16Array.from(new Uint32Array(f32.buffer), (word) => word >>> 16);
}

function list(count: number, value: (i: number) => number): number[] {
  const all: number[] = [];
  for (let i = 0; i < count; i++) all.push(value(i));
  return all;
}

/** Of both signs, with 7 bits after the first: exact in bf16. */
function scalesOf(count: number, next: () => number): number[] {
  return list(count, () => (next() < 0.5 ? -1 : 1) * (128 + Math.floor(next() * 128)) / 4096);
}

/** HQQ; a group of -1 is the row. */
export function hqqLinear(
  packing: "8bit_u8" | "4bit_u8" | "3bit_32" | "2bit_u8",
  group: number,
  { dtype = "F16", asFloat = false, axis = 1 }: {
    dtype?: Floats;
    asFloat?: boolean;
    axis?: 0 | 1;
  } = {},
): Linear {
  const bits = Number(packing[0]);
  return (module, rows, columns, seed) => {
    const next = randomNumbers(seed);
    const shared = group === -1 ? columns : group;
    const groups = rows * columns / shared;
    // Along axis 0 the codes of a group lie one in each line.
    const [lines, size] = axis === 1 ? [groups, shared] : [shared, groups];
    const codes = list(rows * columns, () => Math.floor(next() * 2 ** bits));
    const scales = scalesOf(groups, next);
    // Quarters, so far as bf16 holds them.
    const fine = bits === 8 ? 1 : 4;
    const zeros = list(groups, () => Math.floor(next() * 2 ** bits * fine) / fine - 1);
    const parts = packing === "3bit_32" ? 10 : 8 / bits;
    const step = Math.ceil(lines / parts);
    const words = list(step * size, (at) => {
      let word = 0;
      for (let part = 0; part < parts; part++) {
        word += (codes[part * step * size + at] ?? 0) * 2 ** (bits * (parts - 1 - part));
      }
      return word;
    });
    const data = packing === "3bit_32" ? Int32Array.from(words) : Uint8Array.from(words);
    const field = (name: string, dtype: SafetensorsDtype, shape: number[], ...values: number[]) =>
      tensorData(
        `${module}.${name}`,
        dtype,
        shape,
        dtype === "I64"
          ? BigInt64Array.from(values, BigInt)
          : dtype === "I32"
          ? Int32Array.from(values)
          : Uint8Array.from(values),
      );
    return {
      tensors: [
        asFloat
          ? tensorData(`${module}.W_q`, "BF16", [step, size * data.BYTES_PER_ELEMENT / 2], data)
          : tensorData(
            `${module}.W_q`,
            packing === "3bit_32" ? "I32" : "U8",
            [step, size],
            data,
          ),
        tensorData(
          `${module}.scale`,
          dtype,
          axis === 1 ? [groups, 1] : [1, groups],
          floats(dtype, scales),
        ),
        tensorData(
          `${module}.zero`,
          dtype,
          axis === 1 ? [groups, 1] : [1, groups],
          floats(dtype, zeros),
        ),
        field("axis", "I32", [], axis),
        field("group_size", "I32", [], shared),
        field("nbits", "I32", [], bits),
        field("shape", "I64", [2], rows, columns),
        field("packing", "U8", [packing.length], ...new TextEncoder().encode(packing)),
        field("view_as_float", "U8", [], Number(asFloat)),
        field("quant_scale", "U8", [], 0),
        field("quant_zero", "U8", [], 0),
        field("encoded_state_dict", "U8", [], 1),
      ],
      weights: Float32Array.from(codes, (code, i) => {
        const g = axis === 1 ? Math.floor(i / size) : i % size;
        return scales[g] * (code - zeros[g]);
      }),
    };
  };
}

/** compressed-tensors, packed or as signed bytes; `place` says where each column lies among those of its group and before. */
export function compressedLinear(
  bits: 2 | 3 | 4 | 8,
  group: number,
  symmetric: boolean,
  { dtype = "F16", packed = true, place }: {
    dtype?: Floats;
    packed?: boolean;
    place?: (columns: number) => number[];
  } = {},
): Linear {
  const [low, each] = [2 ** (bits - 1), Math.floor(32 / bits)];
  return (module, rows, columns, seed) => {
    const next = randomNumbers(seed);
    const size = group === -1 ? columns : group;
    const groups = columns / size;
    const groupOf = place?.(columns).map((p) => Math.floor(p / size));
    const draw = () => Math.floor(next() * 2 ** bits) - low;
    const codes = list(rows * columns, draw);
    const zeros = list(rows * groups, () => symmetric ? 0 : draw());
    const scales = scalesOf(rows * groups, next);
    // `at(word, j)` is the code at place j of a word, undefined beyond the end.
    const words = (count: number, at: (word: number, j: number) => number | undefined) =>
      Int32Array.from(Uint32Array.from({ length: count }, (_, word) => {
        let sum = 0;
        for (let j = 0; j < each; j++) {
          const code = at(word, j);
          if (code !== undefined) sum += (code + low) * 2 ** (bits * j);
        }
        return sum;
      }));
    const width = Math.ceil(columns / each);
    const zeroLines = Math.ceil(rows / each);
    const weight: SafetensorsTensorData[] = packed
      ? [
        tensorData(
          `${module}.weight_packed`,
          "I32",
          [rows, width],
          words(rows * width, (word, j) => {
            const column = word % width * each + j;
            return column < columns
              ? codes[Math.floor(word / width) * columns + column]
              : undefined;
          }),
        ),
        tensorData(
          `${module}.weight_shape`,
          "I64",
          [2],
          BigInt64Array.of(BigInt(rows), BigInt(columns)),
        ),
      ]
      : [tensorData(`${module}.weight`, "I8", [rows, columns], Int8Array.from(codes))];
    const zero = packed
      ? tensorData(
        `${module}.weight_zero_point`,
        "I32",
        [zeroLines, groups],
        words(zeroLines * groups, (word, j) => {
          const row = Math.floor(word / groups) * each + j;
          return row < rows ? zeros[row * groups + word % groups] : undefined;
        }),
      )
      : tensorData(`${module}.weight_zero_point`, "I8", [rows, groups], Int8Array.from(zeros));
    return {
      tensors: [
        ...weight,
        tensorData(`${module}.weight_scale`, dtype, [rows, groups], floats(dtype, scales)),
        ...symmetric ? [] : [zero],
        ...groupOf
          ? [tensorData(`${module}.weight_g_idx`, "I32", [columns], Int32Array.from(groupOf))]
          : [],
      ],
      weights: Float32Array.from(codes, (code, i) => {
        const column = i % columns;
        const g = groupOf ? groupOf[column] : Math.floor(column / size);
        const at = Math.floor(i / columns) * groups + g;
        return scales[at] * (code - zeros[at]);
      }),
    };
  };
}

/** torchao with one signed byte a code. */
export function torchaoLinear(group: number, symmetric: boolean): Linear {
  const plain = compressedLinear(8, group, symmetric, { dtype: "BF16", packed: false });
  const names: Record<string, string> = {
    weight: "_weight_qdata",
    weight_scale: "_weight_scale",
    weight_zero_point: "_weight_zero_point",
  };
  return (module, ...rest) => {
    const { tensors, weights } = plain(module, ...rest);
    const renamed = tensors.map((t) => ({
      ...t,
      name: `${module}.${names[t.name.slice(module.length + 1)]}`,
    }));
    return { tensors: renamed, weights };
  };
}

/** torchao's int4 in rows of bytes or, padded to 1024 columns, in tiles for tensor cores. */
export function torchaoInt4Linear(
  form: "rows" | "tiles",
  group: number,
  { dtype = "F16" }: { dtype?: Floats } = {},
): Linear {
  return (module, rows, columns, seed) => {
    const next = randomNumbers(seed);
    const width = form === "tiles" ? Math.ceil(columns / 1024) * 1024 : columns;
    const groups = width / group;
    const codes = list(rows * width, () => Math.floor(next() * 16));
    const scales = scalesOf(rows * groups, next);
    const zeros = scalesOf(rows * groups, next);
    const name = (suffix: string) => `${module}._weight_${suffix}`;
    // Of [rows, groups], what lies at [groups, rows].
    const turned = (values: readonly number[]) =>
      list(rows * groups, (i) => values[i % rows * groups + Math.floor(i / rows)]);
    const [scalesTurned, zerosTurned] = [turned(scales), turned(zeros)];
    const pairs = scalesTurned.flatMap((scale, i) => [scale, zerosTurned[i]]);
    const tensors = form === "rows"
      ? [
        tensorData(
          name("qdata"),
          "I8",
          [rows, columns / 2],
          Int8Array.from(list(rows * columns / 2, (i) => {
            const [low, high] = [codes[2 * i] - 8, codes[2 * i + 1] - 8];
            return low % 16 + (low < 0 ? 16 : 0) + 16 * high;
          })),
        ),
        tensorData(name("scale"), dtype, [groups, rows], floats(dtype, scalesTurned)),
        tensorData(name("zero_point"), dtype, [groups, rows], floats(dtype, zerosTurned)),
      ]
      : [
        tensorData(
          name("qdata"),
          "I32",
          [rows / 8, width / 128, 32, 4],
          // One word: row 8a + t / 4; columns 128b + 32j + 2 (t mod 4) and so on, the even ones low.
          Int32Array.from(Uint32Array.from(list(rows * width / 8, (i) => {
            const [a, b] = [Math.floor(i / width), Math.floor(i / 128) % (width / 128)];
            const [t, j] = [Math.floor(i / 4) % 32, i % 4];
            const from = (8 * a + Math.floor(t / 4)) * width + 128 * b + 32 * j + 2 * (t % 4);
            const places = [0, 8, 16, 24, 1, 9, 17, 25];
            return places.reduce((sum, at, n) => sum + codes[from + at] * 16 ** n, 0);
          }))),
        ),
        tensorData(name("scale_and_zero"), dtype, [groups, rows, 2], floats(dtype, pairs)),
      ];
    return {
      tensors,
      weights: Float32Array.from({ length: rows * columns }, (_, i) => {
        const [row, column] = [Math.floor(i / columns), i % columns];
        const at = row * groups + Math.floor(column / group);
        return scales[at] * (codes[row * width + column] - 8) + zeros[at];
      }),
    };
  };
}

/** AQLM: `books` of `2 ** bits` entries of `vector` columns. */
export function aqlmLinear(
  books: number,
  { dtype = "F16", bits = 8, vector = 8 }: { dtype?: Floats; bits?: number; vector?: number } = {},
): Linear {
  return (module, rows, columns, seed) => {
    const next = randomNumbers(seed);
    const size = 2 ** bits;
    const codes = list(rows * columns / vector * books, () => Math.floor(next() * size));
    const entries = scalesOf(books * size * vector, next);
    const scales = scalesOf(rows, next);
    const signed = codes.map((code) => code < size / 2 ? code : code - size);
    return {
      tensors: [
        tensorData(
          `${module}.codes`,
          bits > 8 ? "I16" : "I8",
          [rows, columns / vector, books],
          bits > 8 ? Int16Array.from(signed) : Int8Array.from(signed),
        ),
        tensorData(
          `${module}.codebooks`,
          dtype,
          [books, size, 1, vector],
          floats(dtype, entries),
        ),
        tensorData(`${module}.scales`, dtype, [rows, 1, 1, 1], floats(dtype, scales)),
      ],
      weights: Float32Array.from({ length: rows * columns }, (_, i) => {
        let sum = 0;
        for (let book = 0; book < books; book++) {
          const code = codes[Math.floor(i / vector) * books + book];
          sum += entries[(book * size + code) * vector + i % vector];
        }
        return scales[Math.floor(i / columns)] * sum;
      }),
    };
  };
}

const FP4 = [0, 0.0625, 8, 12, 4, 6, 2, 3].map((value) => Math.fround(value / 12));
const TABLES = {
  nf4: [
    ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635],
    ...[-0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725],
    ...[0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941],
    ...[0.7229568362236023, 1],
  ],
  fp4: [...FP4, ...FP4.map((value) => -value)],
};

/** bitsandbytes, with the absmax themselves or codes of them. */
export function bitsandbytesLinear(
  type: "nf4" | "fp4",
  block: number,
  { nested = false, storage = "U8" }: { nested?: boolean; storage?: "U8" | "BF16" } = {},
): Linear {
  return (module, rows, columns, seed) => {
    const next = randomNumbers(seed);
    const name = (suffix: string) => `${module}.weight${suffix}`;
    const codes = list(rows * columns, () => Math.floor(next() * 16));
    const blocks = rows * columns / block;
    const absmaxCodes = list(blocks, () => 64 + Math.floor(next() * 128));
    const map = list(256, (i) => (i - 128) / 128);
    const nestedAbsmax = list(Math.ceil(blocks / 256), (i) => i % 2 === 0 ? 1 : 0.5);
    const absmax = nested
      ? absmaxCodes.map((code, i) => map[code] * nestedAbsmax[Math.floor(i / 256)] + 1)
      : scalesOf(blocks, next).map(Math.abs);
    const state = {
      quant_type: type,
      blocksize: block,
      dtype: "bfloat16",
      shape: [rows, columns],
      ...nested ? { nested_blocksize: 256, nested_dtype: "float32", nested_offset: 1 } : {},
    };
    const bytes = Uint8Array.from(
      { length: codes.length / 2 },
      (_, i) => codes[2 * i] * 16 + codes[2 * i + 1],
    );
    const f32 = (suffix: string, values: readonly number[]) =>
      tensorData(name(suffix), "F32", [values.length], Float32Array.from(values));
    return {
      tensors: [
        tensorData(name(""), storage, [bytes.length / (storage === "U8" ? 1 : 2), 1], bytes),
        ...nested
          ? [
            tensorData(name(".absmax"), "U8", [blocks], Uint8Array.from(absmaxCodes)),
            f32(".nested_absmax", nestedAbsmax),
            f32(".nested_quant_map", map),
          ]
          : [f32(".absmax", absmax)],
        f32(".quant_map", TABLES[type]),
        {
          name: name(`.quant_state.bitsandbytes__${type}`),
          dtype: "U8",
          shape: [JSON.stringify(state).length],
          bytes: new TextEncoder().encode(JSON.stringify(state)),
        },
      ],
      weights: Float32Array.from(
        codes,
        (code, i) => TABLES[type][code] * absmax[Math.floor(i / block)],
      ),
    };
  };
}
