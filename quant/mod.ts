/**
 * Bytes to numbers and back: formats as a table, packed layouts, decoding, quantising, file readers and writers.
 *
 * Knows no GPU and no `Deno.*`.
 *
 * @module
 */

export { type ByteSource, bytesSource } from "./files/byte_source.ts";
export { PieceMemory } from "./piece_memory.ts";
export { type FoldPatch, foldPatch } from "./files/fold_patch.ts";
export { type GgufFile, type GgufTensor, readGguf } from "./files/gguf.ts";
export type { GgufMetadata, GgufTyped } from "./files/gguf_header.ts";
export { type GgufPart, splitPaths } from "./files/gguf_split.ts";
export {
  GGUF_VALUE_TYPES,
  type GgufNumbers,
  type GgufValue,
  type GgufValueType,
} from "./files/gguf_value.ts";
export {
  type GgufContents,
  type GgufTensorData,
  patchGguf,
  type RowPatch,
  writeGguf,
} from "./files/gguf_write.ts";
export { checkJson, JSON_BOUNDS, type JsonBounds } from "./files/json_bounds.ts";
export {
  planSafetensors,
  readSafetensors,
  SAFETENSORS_DTYPES,
  type SafetensorsDtype,
  type SafetensorsFile,
  type SafetensorsPlan,
  type SafetensorsTensor,
  type SafetensorsTensorData,
  writeSafetensors,
} from "./files/safetensors.ts";
export {
  type FoldOptions,
  type FoldResult,
  foldScales,
  groupOffsets,
  offsetCount,
} from "./fold/fold_offsets.ts";
export { offsetBases, offsetMagnitudes } from "./fold/magnitudes.ts";
export type { Beyond, FoldTally, OffsetForm } from "./fold/offset_fold.ts";
export { type PartOffsets, type TunedRows, tunedRows } from "./fold/tuned_rows.ts";
export {
  chooseFormat,
  type FormatChoice,
  formatChoice,
  type FormatReason,
  type FormatSubject,
  type PlanOptions,
  type TensorKind,
  tensorKind,
} from "./formats/choose_format.ts";
export { codebookFormat } from "./formats/codebook_formats.ts";
export { columnFormat } from "./formats/column_formats.ts";
export type { Format, GgufBlocks } from "./formats/format.ts";
export type {
  FormatName,
  GgufFormatName,
  GroupValues,
  KnownFormatName,
} from "./formats/format_name.ts";
export { formatNameOf } from "./formats/format_names.ts";
export { bitsPerWeight, formatByName, FORMATS } from "./formats/formats.ts";
export type { CodeTable } from "./layouts/code_tables.ts";
export { decode, decodeRow, readScales } from "./layouts/decode.ts";
export {
  bfloat16ToNumber,
  float16ToNumber,
  numberToBfloat16,
  numberToFloat16,
} from "./layouts/float16.ts";
export type { FloatCodec } from "./layouts/float_codecs.ts";
export type { Grid } from "./layouts/grid_tables.ts";
export type {
  CodebookLayout,
  ColumnLayout,
  DenseLayout,
  DenseType,
  Layout,
  PackedTensor,
  ScalarLayout,
  SuperLayout,
} from "./layouts/layout.ts";
export { hasNonFinite } from "./layouts/non_finite.ts";
export type { SuperScales } from "./layouts/super_scales.ts";
export { partName, partOf, type TrainedPart } from "./layouts/trained_part.ts";
export { nearestNames } from "./nearest_names.ts";
export { type AqlmPlanes, type AqlmShape, aqlmToPacked } from "./packings/aqlm.ts";
export { type AwqPlanes, awqToPacked } from "./packings/awq.ts";
export {
  type BitsandbytesPlanes,
  type BitsandbytesShape,
  bitsandbytesToPacked,
} from "./packings/bitsandbytes.ts";
export {
  type CompressedPlanes,
  type CompressedShape,
  compressedToPacked,
} from "./packings/compressed_tensors.ts";
export { gptqColumnOrder, type GptqPlanes, type GptqShape, gptqToPacked } from "./packings/gptq.ts";
export {
  HQQ_PACKINGS,
  type HqqPacking,
  type HqqPlanes,
  type HqqShape,
  hqqToPacked,
} from "./packings/hqq.ts";
export { type Int4RowPlanes, int4RowsToPacked, type Int4Shape } from "./packings/torchao_int4.ts";
export {
  packedToGptqScales,
  type StoredWords,
  type TransposedShape,
} from "./packings/transposed.ts";
export {
  type AwqLayer,
  type AwqOptions,
  type AwqScales,
  awqScales,
} from "./quantisers/awq_scales.ts";
export { type CodebookOptions, quantizeCodebook } from "./quantisers/codebook_quantize.ts";
export {
  type Computation,
  type ProductRequest,
  type Products,
  runWith,
} from "./quantisers/computation.ts";
export {
  type ComputedQuantizer,
  gptqComputation,
  type GptqOptions,
  gptqQuantize,
  type Quantizer,
} from "./quantisers/gptq_quantize.ts";
export type { InputStatistics } from "./quantisers/input_statistics.ts";
export { outputError } from "./quantisers/output_error.ts";
export { ProductWorkers } from "./quantisers/product_workers.ts";
export { quantize, type QuantizeOptions } from "./quantisers/round_to_nearest.ts";
export type { RowProducts, RowsOf } from "./quantisers/row_products.ts";
