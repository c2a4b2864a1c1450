/**
 * Linear layers packed by the tests' own packers, as a file holds them: what `packed_vectors.py` has the formats' own code decode,
 * and what `tests/quant/packings/packed_test.ts` packs again.
 *
 * @module
 */
import type { ModelSource, TensorSource } from "../../../models/mod.ts";
import { foldedSource } from "../../../models/checkpoints/derived/folded.ts";
import { QUANTIZATION_METHODS } from "../../../models/checkpoints/hugging_face/methods.ts";
import type { StoredTensorPlace } from "../../../models/checkpoints/hugging_face/stored_tensors.ts";
import {
  bytesSource,
  decode,
  readSafetensors,
  type SafetensorsTensorData,
  writeSafetensors,
} from "../../../quant/mod.ts";
import { randomOffsets, type StoredLinear, tensorData } from "../../models/quantised_folder.ts";
import {
  aqlmLinear,
  bitsandbytesLinear,
  compressedLinear,
  hqqLinear,
  torchaoLinear,
} from "../../models/stored_linears.ts";
import {
  awqWords,
  gptqWords,
  placed,
  plainWeights,
  randomMatrix,
  scaleBits,
  shuffled,
} from "../../quant/transposed_writer.ts";

/** The module's name in the files. */
const MODULE = "layer";
const NAME = "blk.0.attn_q.weight";

/** A tensor of a layer, its bytes at hand. */
export interface PackedPlane extends SafetensorsTensorData {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A packed linear layer. */
export interface PackedCase {
  /** Says what is packed, and names it in the fixture. */
  readonly name: string;
  /** `quantization_config` of a folder with such layers. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly rows: number;
  readonly columns: number;
  /** Under the names in the file, without that of the module. */
  readonly tensors: readonly PackedPlane[];
}

type Linear = (module: string, rows: number, columns: number, seed: number) => StoredLinear;

interface Plan {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly linear: Linear;
  readonly rows: number;
  readonly columns: number;
  /** Whether random offsets are folded into the scales in the file. */
  readonly folded?: boolean;
}

interface GptqOptions {
  readonly version?: "v1" | "v2";
  readonly symmetric?: boolean;
  /** `desc_act`. */
  readonly reordered?: boolean;
  /** Whether every third zero point is 0, and others may be; v1 files of AutoGPTQ have none. */
  readonly noughts?: boolean;
}

function gptqLinear(bits: number, group: number, options: GptqOptions): Linear {
  const { version = "v1", symmetric = false, reordered = false, noughts = false } = options;
  return (module, rows, columns, seed) => {
    const random = randomMatrix(seed, bits, group, rows, columns);
    const zeros = random.zeros.map((zero, i) => {
      if (symmetric) return 2 ** (bits - 1);
      return noughts ? i % 3 === 1 ? 0 : zero : Math.max(zero, 1);
    });
    const m = { ...random, zeros };
    const place = reordered ? shuffled(columns, seed) : undefined;
    const { qweight, qzeros, gIdx } = gptqWords(m, version, place);
    const groups = m.scales.length / rows;
    const weights = plainWeights(m);
    return {
      tensors: [
        tensorData(`${module}.qweight`, "I32", [columns * bits / 32, rows], qweight),
        tensorData(`${module}.qzeros`, "I32", [groups, rows * bits / 32], qzeros),
        tensorData(`${module}.scales`, "F16", [groups, rows], scaleBits(m)),
        tensorData(`${module}.g_idx`, "I32", [columns], gIdx),
      ],
      weights: place ? placed(weights, place) : weights,
    };
  };
}

function awqLinear(group: number): Linear {
  return (module, rows, columns, seed) => {
    const m = randomMatrix(seed, 4, group, rows, columns);
    const { qweight, qzeros } = awqWords(m);
    const groups = m.scales.length / rows;
    return {
      tensors: [
        tensorData(`${module}.qweight`, "I32", [columns, rows / 8], qweight),
        tensorData(`${module}.qzeros`, "I32", [groups, rows / 8], qzeros),
        tensorData(`${module}.scales`, "F16", [groups, rows], scaleBits(m)),
      ],
      weights: plainWeights(m),
    };
  };
}

const gptq = (
  bits: number,
  group: number,
  rows: number,
  columns: number,
  options: GptqOptions & { folded?: boolean } = {},
): Plan => ({
  settings: {
    quant_method: "gptq",
    checkpoint_format: options.version === "v2" ? "gptq_v2" : "gptq",
    bits,
    group_size: group,
    sym: options.symmetric ?? false,
    desc_act: options.reordered ?? false,
  },
  linear: gptqLinear(bits, group, options),
  rows,
  columns,
  folded: options.folded,
});

const of = (settings: Plan["settings"]) =>
(
  linear: Linear,
  rows: number,
  columns: number,
  folded = false,
): Plan => ({ settings, linear, rows, columns, folded });

const awq = (group: number, rows: number, columns: number, folded = false): Plan =>
  of({ quant_method: "awq", version: "gemm", bits: 4, group_size: group })(
    awqLinear(group),
    rows,
    columns,
    folded,
  );
const hqq = of({ quant_method: "hqq" });
const bitsandbytes = of({ quant_method: "bitsandbytes", load_in_4bit: true });
const torchao = of({ quant_method: "torchao" });
const aqlm = (
  books: number,
  bits: number,
  vector: number,
  dtype: "F16" | "BF16",
  rows: number,
  columns: number,
  folded = false,
): Plan =>
  of({
    quant_method: "aqlm",
    num_codebooks: books,
    nbits_per_codebook: bits,
    in_group_size: vector,
    out_group_size: 1,
  })(aqlmLinear(books, { bits, vector, dtype }), rows, columns, folded);
const compressed = (
  bits: 2 | 3 | 4 | 8,
  group: number,
  symmetric: boolean,
  rows: number,
  columns: number,
  reordered = false,
  folded = false,
): Plan =>
  of({
    quant_method: "compressed-tensors",
    format: "pack-quantized",
    config_groups: {
      group_0: {
        weights: { type: "int", num_bits: bits, group_size: group, strategy: "group", symmetric },
      },
    },
  })(
    compressedLinear(bits, group, symmetric, {
      place: reordered ? (columns) => shuffled(columns, columns) : undefined,
    }),
    rows,
    columns,
    folded,
  );

const PLANS: Readonly<Record<string, Plan>> = {
  "GPTQ v1, 2 bits": gptq(2, 32, 16, 64),
  "GPTQ v1, 3 bits": gptq(3, 32, 32, 32),
  "GPTQ v1, 4 bits": gptq(4, 32, 8, 64),
  "GPTQ v1, 8 bits": gptq(8, 32, 4, 64),
  "GPTQ v1, 3 bits, symmetric, one group a row": gptq(3, -1, 32, 64, { symmetric: true }),
  "GPTQ v1, 4 bits, symmetric": gptq(4, 128, 8, 128, { symmetric: true }),
  "GPTQ v1, 4 bits, the last group partial": gptq(4, 64, 8, 96),
  "GPTQ v1, 4 bits, desc_act": gptq(4, 32, 8, 96, { reordered: true }),
  "GPTQ v1, 3 bits, desc_act": gptq(3, 32, 32, 64, { reordered: true }),
  "GPTQ v1, 4 bits, scales folded": gptq(4, 32, 8, 64, { reordered: true, folded: true }),
  "GPTQ v1, as GPTQModel reads it, 2 bits": gptq(2, 32, 16, 64, { noughts: true }),
  "GPTQ v1, as GPTQModel reads it, 3 bits": gptq(3, 32, 32, 32, { noughts: true }),
  "GPTQ v1, as GPTQModel reads it, 4 bits": gptq(4, 32, 8, 64, { noughts: true }),
  "GPTQ v1, as GPTQModel reads it, 8 bits": gptq(8, 32, 4, 64, { noughts: true }),
  "GPTQ v2, 2 bits": gptq(2, 32, 16, 64, { version: "v2", noughts: true }),
  "GPTQ v2, 3 bits": gptq(3, 32, 32, 32, { version: "v2", noughts: true }),
  "GPTQ v2, 4 bits": gptq(4, 32, 8, 64, { version: "v2", noughts: true }),
  "GPTQ v2, 8 bits": gptq(8, 32, 4, 64, { version: "v2", noughts: true }),
  "GPTQ v2, 4 bits, symmetric": gptq(4, 128, 8, 128, { version: "v2", symmetric: true }),
  "GPTQ v2, 4 bits, desc_act, the last group partial": gptq(4, 64, 8, 96, {
    version: "v2",
    reordered: true,
    noughts: true,
  }),
  "AWQ, groups of 32": awq(32, 16, 64),
  "AWQ, one group a row": awq(-1, 8, 96),
  "AWQ, scales folded": awq(64, 8, 128, true),
  "HQQ, 8 bits": hqq(hqqLinear("8bit_u8", 64), 4, 64),
  "HQQ, 4 bits": hqq(hqqLinear("4bit_u8", 32), 4, 96),
  "HQQ, 3 bits": hqq(hqqLinear("3bit_32", 32), 7, 64),
  "HQQ, 2 bits, viewed as bf16": hqq(
    hqqLinear("2bit_u8", 32, { dtype: "BF16", asFloat: true }),
    8,
    64,
  ),
  "HQQ, 8 bits along axis 0": hqq(hqqLinear("8bit_u8", 4, { axis: 0 }), 16, 32),
  "HQQ, 4 bits along axis 0": hqq(hqqLinear("4bit_u8", 4, { axis: 0 }), 16, 32),
  "HQQ, 3 bits along axis 0": hqq(hqqLinear("3bit_32", 8, { axis: 0 }), 32, 32),
  "HQQ, 2 bits along axis 0, bf16": hqq(
    hqqLinear("2bit_u8", 8, { axis: 0, dtype: "BF16" }),
    32,
    32,
  ),
  "HQQ, 4 bits, scales folded": hqq(hqqLinear("4bit_u8", 64), 8, 64, true),
  "HQQ, 4 bits along axis 0, scales folded": hqq(
    hqqLinear("4bit_u8", 4, { axis: 0 }),
    16,
    32,
    true,
  ),
  "NF4": bitsandbytes(bitsandbytesLinear("nf4", 64), 4, 128),
  "NF4, doubly quantised": bitsandbytes(bitsandbytesLinear("nf4", 32, { nested: true }), 8, 64),
  "FP4, stored as bf16": bitsandbytes(bitsandbytesLinear("fp4", 64, { storage: "BF16" }), 4, 128),
  "FP4, doubly quantised": bitsandbytes(bitsandbytesLinear("fp4", 64, { nested: true }), 8, 64),
  "NF4, absmax folded": bitsandbytes(bitsandbytesLinear("nf4", 64), 4, 128, true),
  "NF4, doubly quantised, absmax folded": bitsandbytes(
    bitsandbytesLinear("nf4", 32, { nested: true }),
    8,
    64,
    true,
  ),
  "AQLM 1x16": aqlm(1, 16, 8, "F16", 4, 96),
  "AQLM 2x8": aqlm(2, 8, 8, "F16", 4, 64),
  "AQLM 1x6, bf16": aqlm(1, 6, 8, "BF16", 4, 64),
  "AQLM 3x5 of 16 columns": aqlm(3, 5, 16, "F16", 3, 64),
  "AQLM 1x6, scales folded": aqlm(1, 6, 8, "F16", 4, 64, true),
  "compressed-tensors, 4 bits, symmetric": compressed(4, 32, true, 4, 96),
  "compressed-tensors, 4 bits, actorder": compressed(4, 32, false, 10, 64, true),
  "compressed-tensors, 3 bits": compressed(3, 32, false, 11, 64),
  "compressed-tensors, 8 bits, scales folded": compressed(8, 32, false, 5, 64, false, true),
  "torchao, bytes, symmetric": torchao(torchaoLinear(-1, true), 4, 64),
  "torchao, bytes with zero points, scales folded": torchao(torchaoLinear(32, false), 4, 64, true),
};

/** All cases, the same on every run. */
export async function packedCases(): Promise<PackedCase[]> {
  return await Promise.all(
    Object.entries(PLANS).map(async ([name, { settings, linear, rows, columns, folded }], i) => {
      const tensors = linear(MODULE, rows, columns, i + 1).tensors
        .map(({ bytes, ...t }) => ({
          ...t,
          name: t.name.slice(MODULE.length + 1),
          bytes: bytes as Uint8Array<ArrayBuffer>,
        }));
      const packed = { name, settings, rows, columns, tensors };
      return folded ? await foldedCase(packed) : packed;
    }),
  );
}

/** The same with random offsets folded into the scales, as they are written back into the file they came from. */
async function foldedCase(packed: PackedCase): Promise<PackedCase> {
  const { source, bytes, places } = await openCase(packed);
  const model = { tensors: new Map([[NAME, source]]) } as unknown as ModelSource;
  const folded = foldedSource(model, randomOffsets(model, 0.5));
  for await (const patch of folded.tensors.get(NAME)!.patches!()) {
    bytes.set(patch.bytes, patch.offset);
  }
  const tensors = packed.tensors.map((t) => {
    const { offset, byteLength } = places.get(`${MODULE}.${t.name}`)!;
    return { ...t, bytes: bytes.slice(offset, offset + byteLength) };
  });
  return { ...packed, tensors };
}

/** What the library's reader of a file decodes a case to, row-major, columns in the file's order. */
export async function readCase(packed: PackedCase): Promise<Float32Array<ArrayBuffer>> {
  const { source } = await openCase(packed);
  const found = decode(await source.read(0, packed.rows));
  const weights = new Float32Array(found.length);
  found.forEach((value, i) => {
    const column = i % packed.columns;
    weights[i - column + (source.columnOrder?.[column] ?? column)] = value;
  });
  return weights;
}

async function openCase({ settings, rows, columns, tensors }: PackedCase): Promise<{
  source: TensorSource;
  bytes: Uint8Array<ArrayBuffer>;
  places: ReadonlyMap<string, StoredTensorPlace>;
}> {
  const named = tensors.map((t) => ({ ...t, name: `${MODULE}.${t.name}` }));
  const stream = ReadableStream.from(writeSafetensors(named));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const file = { ...bytesSource(bytes), [Symbol.dispose]() {} };
  const { tensors: planes } = await readSafetensors(file);
  const places = new Map(
    [...planes].map(([name, where]) => [name, { ...where, file, planes }]),
  );
  const method = QUANTIZATION_METHODS[settings.quant_method as string];
  const wanted = { name: NAME, stored: `${MODULE}.weight`, rows, columns };
  const source = await method(settings, places, "config.json").open(wanted);
  return { source, bytes, places };
}
