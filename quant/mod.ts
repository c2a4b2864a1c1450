/**
 * Bytes to numbers and back: formats as a table, packed layouts, decoding, quantising, file readers and writers.
 *
 * Knows no GPU and no `Deno.*`.
 *
 * @module
 */

export * from "./aqlm.ts";
export * from "./awq.ts";
export * from "./awq_scales.ts";
export * from "./bitsandbytes.ts";
export * from "./byte_source.ts";
export * from "./code_tables.ts";
export * from "./codebook_formats.ts";
export * from "./codebook_quantize.ts";
export * from "./column_formats.ts";
export * from "./compressed_tensors.ts";
export * from "./computation.ts";
export * from "./decode.ts";
export * from "./dense_formats.ts";
export * from "./float16.ts";
export * from "./float_codecs.ts";
export * from "./fold_patch.ts";
export * from "./format.ts";
export * from "./format_names.ts";
export * from "./formats.ts";
export * from "./ggml_types.ts";
export * from "./gguf.ts";
export * from "./gguf_block_formats.ts";
export * from "./gguf_five_bits.ts";
export * from "./gguf_grid_formats.ts";
export * from "./gguf_header.ts";
export * from "./gguf_split.ts";
export * from "./gguf_super_formats.ts";
export {
  GGUF_VALUE_TYPES,
  type GgufNumbers,
  type GgufValue,
  type GgufValueType,
} from "./gguf_value.ts";
export * from "./gguf_ternary.ts";
export * from "./gguf_write.ts";
export * from "./gptq.ts";
export * from "./gptq_quantize.ts";
export { type Grid, gridNamed, gridPlane, GRIDS, type GridShape } from "./grids.ts";
export * from "./group_formats.ts";
export * from "./hqq.ts";
export * from "./input_statistics.ts";
export * from "./json_bounds.ts";
export * from "./layout.ts";
export * from "./magnitudes.ts";
export * from "./nearest_names.ts";
export * from "./non_finite.ts";
export * from "./offsets.ts";
export * from "./output_error.ts";
export * from "./packed_safetensors.ts";
export * from "./format_name.ts";
export * from "./plan.ts";
export * from "./planes.ts";
export * from "./product_workers.ts";
export * from "./round_to_nearest.ts";
export { type RowProducts, type RowsOf } from "./row_products.ts";
export * from "./safetensors.ts";
export * from "./scalar_codes.ts";
export * from "./super_scales.ts";
export * from "./torchao_int4.ts";
export * from "./trained_part.ts";
export * from "./tuned_rows.ts";
export { packedToGptqScales, type StoredWords, type TransposedShape } from "./transposed.ts";
