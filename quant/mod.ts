/**
 * Bytes to numbers and back: formats as a table, packed layouts, decoding, quantising, file readers and writers.
 *
 * Knows no GPU and no `Deno.*`.
 *
 * @module
 */

export * from "./packings/aqlm.ts";
export * from "./packings/awq.ts";
export * from "./quantisers/awq_scales.ts";
export * from "./packings/bitsandbytes.ts";
export * from "./files/byte_source.ts";
export * from "./layouts/code_tables.ts";
export * from "./formats/codebook_formats.ts";
export * from "./quantisers/codebook_quantize.ts";
export * from "./formats/column_formats.ts";
export * from "./packings/compressed_tensors.ts";
export * from "./quantisers/computation.ts";
export * from "./layouts/decode.ts";
export * from "./formats/dense_formats.ts";
export * from "./layouts/float16.ts";
export * from "./layouts/float_codecs.ts";
export * from "./files/fold_patch.ts";
export * from "./formats/format.ts";
export * from "./formats/format_names.ts";
export * from "./formats/formats.ts";
export * from "./formats/ggml_types.ts";
export * from "./files/gguf.ts";
export * from "./formats/gguf_block_formats.ts";
export * from "./formats/gguf_five_bits.ts";
export * from "./formats/gguf_grid_formats.ts";
export * from "./files/gguf_header.ts";
export * from "./files/gguf_split.ts";
export * from "./formats/gguf_super_formats.ts";
export {
  GGUF_VALUE_TYPES,
  type GgufNumbers,
  type GgufValue,
  type GgufValueType,
} from "./files/gguf_value.ts";
export * from "./formats/gguf_ternary.ts";
export * from "./files/gguf_write.ts";
export * from "./packings/gptq.ts";
export * from "./quantisers/gptq_quantize.ts";
export { type Grid, gridNamed, gridPlane, GRIDS, type GridShape } from "./layouts/grids.ts";
export * from "./formats/group_formats.ts";
export * from "./packings/hqq.ts";
export * from "./quantisers/input_statistics.ts";
export * from "./files/json_bounds.ts";
export * from "./layouts/layout.ts";
export * from "./fold/magnitudes.ts";
export * from "./nearest_names.ts";
export * from "./layouts/non_finite.ts";
export * from "./fold/fold_offsets.ts";
export * from "./quantisers/output_error.ts";
export * from "./files/packed_safetensors.ts";
export * from "./formats/format_name.ts";
export * from "./formats/choose_format.ts";
export * from "./layouts/planes.ts";
export * from "./quantisers/product_workers.ts";
export * from "./quantisers/round_to_nearest.ts";
export { type RowProducts, type RowsOf } from "./quantisers/row_products.ts";
export * from "./files/safetensors.ts";
export * from "./layouts/scalar_codes.ts";
export * from "./layouts/super_scales.ts";
export * from "./packings/torchao_int4.ts";
export * from "./layouts/trained_part.ts";
export * from "./fold/tuned_rows.ts";
export {
  packedToGptqScales,
  type StoredWords,
  type TransposedShape,
} from "./packings/transposed.ts";
