/**
 * Ways in which other libraries store a quantised folder.
 *
 * @module
 */
import type { LlamaShape } from "../reference/llama.ts";
import { folderShape, type StoredLinear, wholeGroups } from "./quantised_folder.ts";
import {
  aqlmLinear,
  bitsandbytesLinear,
  compressedLinear,
  hqqLinear,
  torchaoInt4Linear,
  torchaoLinear,
} from "./stored_linears.ts";

/** What `quantization_config` holds. */
export type Settings = Record<string, unknown>;

/** One way of storing a folder. */
export interface FolderCase {
  readonly settings: Settings;
  readonly linear: (module: string, rows: number, columns: number, seed: number) => StoredLinear;
  /** The format that its linear layers open as. */
  readonly format: string | RegExp;
  readonly shape?: LlamaShape;
  /** The tensors that trained scales may change. */
  readonly scales: RegExp;
  /** The tensors of codebooks or minima, where those can be trained. */
  readonly second?: RegExp;
  /** Of values that are rounded twice, to f16 and to the file's type. */
  readonly tolerance?: number;
  /** Of the offsets; default 1. */
  readonly amplitude?: number;
  /** Whether a step of training is tried. */
  readonly trains?: boolean;
}

/** Settings of HQQ. */
export const hqq: Settings = { quant_method: "hqq", quant_config: {}, skip_modules: ["lm_head"] };
/** Settings of AQLM, without the number of codebooks. */
export const aqlm: Settings = {
  quant_method: "aqlm",
  in_group_size: 8,
  out_group_size: 1,
  nbits_per_codebook: 8,
  linear_weights_not_to_quantize: ["lm_head.weight"],
};
/** Settings of compressed-tensors. */
export const compressed = (weights: Settings, format = "pack-quantized"): Settings => ({
  quant_method: "compressed-tensors",
  format,
  config_groups: { group_0: { targets: ["Linear"], weights: { type: "int", ...weights } } },
  ignore: ["lm_head"],
});
const BF16 = { dtype: "BF16" } as const;

/** Settings of bitsandbytes. */
export const bitsandbytes: Settings = {
  quant_method: "bitsandbytes",
  load_in_4bit: true,
  bnb_4bit_quant_type: "nf4",
  llm_int8_skip_modules: ["lm_head"],
};
/** Ways of storing a folder, by name. */
export const FOLDER_CASES: Record<string, FolderCase> = {
  "HQQ, 4 bits in groups of 64": {
    settings: hqq,
    linear: hqqLinear("4bit_u8", 64),
    trains: true,
    format: "int4z_g64",
    shape: wholeGroups,
    second: /\.zero$/,
    scales: /\.scale$/,
  },
  "HQQ, 8 bits a row, bf16": {
    settings: hqq,
    linear: hqqLinear("8bit_u8", -1, BF16),
    format: "int8z_row",
    second: /\.zero$/,
    scales: /\.scale$/,
    tolerance: 2 ** -8,
  },
  "HQQ, 3 bits in groups of 32": {
    settings: hqq,
    linear: hqqLinear("3bit_32", 32),
    format: "int3z_g32",
    scales: /\.scale$/,
  },
  "HQQ, 2 bits in groups of 32, viewed as floats": {
    settings: hqq,
    linear: hqqLinear("2bit_u8", 32, { asFloat: true }),
    format: "int2z_g32",
    scales: /\.scale$/,
  },
  "HQQ, 4 bits along axis 0": {
    settings: hqq,
    linear: hqqLinear("4bit_u8", 16, { axis: 0 }),
    trains: true,
    format: /^int4c_r(4|8|16)$/,
    shape: wholeGroups,
    scales: /\.scale$/,
  },
  "HQQ, 3 bits along axis 0, bf16": {
    settings: hqq,
    linear: hqqLinear("3bit_32", 8, { axis: 0, dtype: "BF16" }),
    format: /^int3c_r(8|16|32)$/,
    shape: wholeGroups,
    scales: /\.scale$/,
    tolerance: 2 ** -8,
  },
  "compressed-tensors, symmetric 4 bits in groups of 128, bf16": {
    settings: compressed({ num_bits: 4, strategy: "group", group_size: 128, symmetric: true }),
    linear: compressedLinear(4, 128, true, BF16),
    format: "int4_g128",
    shape: { ...folderShape, hidden: 256, feedForward: 256 },
    scales: /\.weight_scale$/,
    tolerance: 2 ** -8,
  },
  "compressed-tensors, 4 bits with zero points in groups of 32": {
    settings: compressed({ num_bits: 4, group_size: 32, symmetric: false, actorder: "weight" }),
    linear: compressedLinear(4, 32, false),
    trains: true,
    format: "int4z_g32",
    scales: /\.weight_scale$/,
  },
  "compressed-tensors, packed 8 bits a row, f32": {
    settings: compressed({ num_bits: 8, strategy: "channel", symmetric: true }),
    linear: compressedLinear(8, -1, true, { dtype: "F32" }),
    format: "int8_row",
    scales: /\.weight_scale$/,
    tolerance: 2 ** -11,
  },
  "compressed-tensors, signed bytes": {
    settings: compressed({ num_bits: 8, strategy: "channel", symmetric: true }, "int-quantized"),
    linear: compressedLinear(8, -1, true, { packed: false }),
    format: "int8_row",
    scales: /\.weight_scale$/,
  },
  "torchao, 8 bits a row": {
    settings: {
      quant_method: "torchao",
      quant_type: { default: { _type: "Int8WeightOnlyConfig" } },
    },
    linear: torchaoLinear(-1, true),
    format: "int8_row",
    scales: /\._weight_scale$/,
    tolerance: 2 ** -8,
  },
  "torchao, bytes with zero points in groups of 32": {
    settings: {
      quant_method: "torchao",
      quant_type: { default: { _type: "IntxWeightOnlyConfig" } },
    },
    linear: torchaoLinear(32, false),
    format: "int8z_g32",
    scales: /\._weight_scale$/,
    tolerance: 2 ** -8,
  },
  "torchao, int4 in rows, groups of 32": {
    settings: { quant_method: "torchao" },
    linear: torchaoInt4Linear("rows", 32),
    trains: true,
    format: "int4m_g32",
    second: /\._weight_zero_point$/,
    // Relative offsets multiply what is added, too.
    scales: /\._weight_(scale|zero_point)$/,
  },
  "torchao, int4 in tiles, groups of 64, bf16": {
    settings: { quant_method: "torchao" },
    linear: torchaoInt4Linear("tiles", 64, BF16),
    format: "int4m_g64",
    second: /\._weight_scale_and_zero$/,
    scales: /\._weight_scale_and_zero$/,
    tolerance: 2 ** -8,
  },
  "AQLM 1x8": {
    settings: { ...aqlm, num_codebooks: 1 },
    linear: aqlmLinear(1),
    trains: true,
    format: "codebook1x8",
    second: /\.codebooks$/,
    scales: /\.scales$/,
  },
  "AQLM 2x8, bf16": {
    settings: { ...aqlm, num_codebooks: 2 },
    linear: aqlmLinear(2, BF16),
    format: "codebook2x8",
    second: /\.codebooks$/,
    scales: /\.scales$/,
    tolerance: 2 ** -8,
  },
  "AQLM 1x16": {
    settings: { ...aqlm, num_codebooks: 1, nbits_per_codebook: 16 },
    linear: aqlmLinear(1, { bits: 16 }),
    format: "codebook1x16",
    scales: /\.scales$/,
  },
  "AQLM 3x7 of 16 columns": {
    settings: { ...aqlm, num_codebooks: 3, nbits_per_codebook: 7, in_group_size: 16 },
    linear: aqlmLinear(3, { bits: 7, vector: 16 }),
    trains: true,
    format: "codebook3x7_v16",
    shape: wholeGroups,
    second: /\.codebooks$/,
    scales: /\.scales$/,
  },
  "NF4 in blocks of 64": {
    settings: bitsandbytes,
    linear: bitsandbytesLinear("nf4", 64),
    format: "nf4_g64",
    shape: wholeGroups,
    trains: true,
    scales: /\.weight\.absmax$/,
    tolerance: 2 ** -11,
  },
  "NF4 in blocks of 32, doubly quantised": {
    settings: bitsandbytes,
    linear: bitsandbytesLinear("nf4", 32, { nested: true }),
    format: "nf4_g32",
    scales: /\.weight\.absmax$/,
    tolerance: 2 ** -6,
    amplitude: 0.2,
  },
  "FP4 in blocks of 64, stored as bf16": {
    settings: bitsandbytes,
    linear: bitsandbytesLinear("fp4", 64, { storage: "BF16" }),
    format: "fp4_g64",
    shape: wholeGroups,
    scales: /\.weight\.absmax$/,
    tolerance: 2 ** -11,
  },
};
