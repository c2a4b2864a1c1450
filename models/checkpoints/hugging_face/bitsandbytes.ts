/**
 * Folders quantised with bitsandbytes to 4 bits: each linear layer is `NAME.weight` with `.absmax`, `.quant_map`, `.quant_state.bitsandbytes__TYPE`
 * and, for double quantisation, `.nested_absmax` and `.nested_quant_map` under that name.
 *
 * @module
 */

import {
  bitsandbytesLayout,
  bitsandbytesToPacked,
  type NestedAbsmax,
  nestedCodecs,
} from "../../../quant/packings/bitsandbytes.ts";
import { CODE_TABLES } from "../../../quant/layouts/code_tables.ts";
import { float16ToNumber, numberToFloat16 } from "../../../quant/layouts/float16.ts";
import type { TensorSource } from "../checkpoint.ts";
import {
  bytesOf,
  formatOfLayout,
  halvesOf,
  planeOf,
  type Settings,
  wholeTensor,
} from "./stored_planes.ts";
import type { QuantizationMethod, StoredTensors, WantedTensor } from "./stored_tensors.ts";
import { storedFloats, type StoredValues } from "../stored_values.ts";

const TYPES = ["nf4", "fp4"] as const;
const LARGEST_STATE = 65536;

/**
 * `quant_method` "bitsandbytes", 4 bits: NF4 or FP4 in blocks of 32, 64, 128 or a row. The absmax values, f32 in the file, are rounded to f16 in
 * memory, but trained offsets are folded into the file's own values. Doubly quantised values are written back as the nearest code.
 */
export const bitsandbytesTensors: QuantizationMethod = (settings, tensors, what) => {
  const { load_in_4bit = settings._load_in_4bit } = settings;
  const load_in_8bit = settings.load_in_8bit === true || settings._load_in_8bit === true;
  if (load_in_8bit || load_in_4bit === false) {
    const found = load_in_4bit === false ? "load_in_4bit is false" : "load_in_8bit is true";
    throw new RangeError(
      `Cannot read "${what}": quantization setting ${found}, only the 4-bit form of bitsandbytes is supported`,
    );
  }
  return {
    has: (stored) => tensors.has(`${stored}.absmax`),
    open: (wanted) => openLinear(tensors, wanted),
  };
};

async function openLinear(
  tensors: StoredTensors,
  wanted: WantedTensor,
): Promise<TensorSource> {
  const { stored, rows, columns } = wanted;
  const attempt = `Cannot load tensor "${stored}"`;
  const { type, fields } = await stateOf(tensors, stored);
  const block = fields.blocksize as number;
  if (JSON.stringify(fields.shape) !== JSON.stringify([rows, columns])) {
    throw new RangeError(
      `${attempt}: shape is ${JSON.stringify(fields.shape)}, expected [${rows}, ${columns}]`,
    );
  }
  const shape = { type, block, rows, columns, name: stored };
  const format = formatOfLayout(bitsandbytesLayout(shape), stored);
  const groups = columns / block;
  const weight = tensors.get(stored);
  // The bytes may be stored as any type (`bnb_4bit_quant_storage`).
  if (weight?.byteLength !== rows * columns / 2 || weight.shape[1] !== 1) {
    throw new TypeError(
      `${attempt}: ${weight?.dtype} of shape [${weight?.shape}], expected ${
        rows * columns / 2
      } bytes in one column`,
    );
  }
  await checkTable(tensors, `${stored}.quant_map`, CODE_TABLES[type]);
  const at = (row: number, g: number) => row * groups + g;
  const isNested = tensors.has(`${stored}.nested_absmax`);
  const { values, halves } = isNested
    ? await nestedAbsmax(tensors, stored, rows * groups, fields, at)
    : plainAbsmax(tensors, stored, rows * groups, at);
  return wholeTensor(
    wanted,
    { format, stored: { scales: values } },
    async () =>
      bitsandbytesToPacked({ codes: await bytesOf(weight), absmax: await halves() }, shape),
  );
}

interface Absmax {
  readonly values: StoredValues;
  /** The values as f16 bits. */
  readonly halves: () => Promise<Uint16Array<ArrayBuffer>>;
}

type At = (row: number, group: number) => number;

function plainAbsmax(tensors: StoredTensors, stored: string, count: number, at: At): Absmax {
  const absmax = planeOf(tensors, `${stored}.absmax`, ["F32"], [count]);
  return { values: storedFloats(absmax, at), halves: () => halvesOf(absmax) };
}

async function nestedAbsmax(
  tensors: StoredTensors,
  stored: string,
  count: number,
  { nested_blocksize: block, nested_offset: offset }: Settings,
  at: At,
): Promise<Absmax> {
  const codes = planeOf(tensors, `${stored}.absmax`, ["U8"], [count]);
  if (!Number.isSafeInteger(block) || (block as number) < 1) {
    throw new RangeError(
      `Cannot load tensor "${stored}": nested_blocksize is ${JSON.stringify(block)}`,
    );
  }
  if (typeof offset !== "number") {
    throw new RangeError(
      `Cannot load tensor "${stored}": nested_offset is ${JSON.stringify(offset)}`,
    );
  }
  const floats = async (suffix: string, length: number) =>
    new Float32Array(
      (await bytesOf(planeOf(tensors, `${stored}.${suffix}`, ["F32"], [length]))).buffer,
    );
  const nested: NestedAbsmax = {
    map: await floats("nested_quant_map", 256),
    absmax: await floats("nested_absmax", Math.ceil(count / (block as number))),
    block: block as number,
    offset,
  };
  const codec = nestedCodecs(nested);
  const { file, offset: start, byteLength } = codes;
  return {
    values: { file, offset: start, byteLength, width: 1, codec, at },
    halves: async () =>
      Uint16Array.from(await bytesOf(codes), (code, i) => {
        const bits = numberToFloat16(codec(i).toNumber(code));
        if (Number.isFinite(float16ToNumber(bits))) return bits;
        throw new RangeError(`Cannot load tensor "${stored}": its absmax ${i} does not fit f16`);
      }),
  };
}

async function stateOf(
  tensors: StoredTensors,
  stored: string,
): Promise<{ type: "nf4" | "fp4"; fields: Settings }> {
  const found = TYPES.filter((t) => tensors.has(`${stored}.quant_state.bitsandbytes__${t}`));
  const [type] = found;
  if (found.length !== 1) {
    throw new RangeError(
      `Cannot load tensor "${stored}": it has quant_state of ${
        found.length === 0 ? "neither" : "both"
      } nf4 and fp4 is there`,
    );
  }
  const name = `${stored}.quant_state.bitsandbytes__${type}`;
  const length = tensors.get(name)!.shape[0] ?? 0;
  const place = planeOf(tensors, name, ["U8"], [Math.min(length, LARGEST_STATE)]);
  let fields: unknown;
  try {
    fields = JSON.parse(new TextDecoder().decode(await bytesOf(place)));
  } catch (cause) {
    throw new SyntaxError(`Cannot load tensor "${name}": ${(cause as Error).message}`, { cause });
  }
  if (typeof fields !== "object" || fields === null) {
    throw new SyntaxError(`Cannot load tensor "${name}": it is not an object`);
  }
  const { quant_type: named } = fields as Settings;
  if (named !== type) {
    throw new RangeError(`Cannot load tensor "${name}": quant_type is ${JSON.stringify(named)}`);
  }
  return { type, fields: fields as Settings };
}

// The kernels have built-in tables, which must equal the file's.
async function checkTable(
  tensors: StoredTensors,
  name: string,
  table: Float32Array,
): Promise<void> {
  const place = planeOf(tensors, name, ["F32"], [16]);
  const given = new Float32Array((await bytesOf(place)).buffer);
  const wrong = given.findIndex((value, code) => !(Math.abs(value - table[code]) <= 1e-6));
  if (wrong >= 0) {
    throw new RangeError(
      `Cannot load tensor "${name}": code ${wrong} represents ${given[wrong]}, expected ${
        table[wrong]
      }`,
    );
  }
}
