/**
 * Bytes to numbers and back: formats as a table, packed layouts, decoding, quantising, file readers and writers.
 *
 * Knows no GPU and no `Deno.*`.
 *
 * @module
 */

export { type AqlmPlanes, type AqlmShape, aqlmToPacked } from "./packings/aqlm.ts";
export { type AwqPlanes, awqToPacked } from "./packings/awq.ts";
export {
  awqComputation,
  type AwqLayer,
  type AwqOptions,
  type AwqScales,
  awqScales,
  dividedInputs,
  timesColumns,
} from "./quantisers/awq_scales.ts";
export {
  bitsandbytesLayout,
  type BitsandbytesPlanes,
  type BitsandbytesShape,
  bitsandbytesToPacked,
  type NestedAbsmax,
  nestedCodecs,
} from "./packings/bitsandbytes.ts";
export { type ByteSource, bytesSource } from "./files/byte_source.ts";
export { CODE_TABLES, type CodeTable } from "./layouts/code_tables.ts";
export {
  CODEBOOK_FORMATS,
  codebookFormat,
  codebookFormatByName,
} from "./formats/codebook_formats.ts";
export {
  codebookComputation,
  type CodebookOptions,
  quantizeCodebook,
} from "./quantisers/codebook_quantize.ts";
export { columnFormat, columnFormatByName } from "./formats/column_formats.ts";
export {
  codesPerWord,
  compressedLayout,
  type CompressedPlanes,
  type CompressedShape,
  compressedToPacked,
} from "./packings/compressed_tensors.ts";
export {
  type Computation,
  type ProductRequest,
  type Products,
  PRODUCTS_HERE,
  runHere,
  runWith,
  sharedFloats,
  withoutProducts,
} from "./quantisers/computation.ts";
export { codeAt, decode, decodeRow, readScales, readSeconds } from "./layouts/decode.ts";
export { DENSE_FORMATS } from "./formats/dense_formats.ts";
export {
  bfloat16ArrayToNumbers,
  bfloat16ToNumber,
  float16ArrayToNumbers,
  float16ToNumber,
  numbersToBfloat16Array,
  numbersToFloat16Array,
  numberToBfloat16,
  numberToFloat16,
  roundToFloat16,
} from "./layouts/float16.ts";
export { FLOAT_CODECS, type FloatCodec } from "./layouts/float_codecs.ts";
export { type FoldPatch, foldPatch } from "./files/fold_patch.ts";
export type { Format, GgufBlocks } from "./formats/format.ts";
export { formatNameOf } from "./formats/format_names.ts";
export {
  bitsPerWeight,
  formatByGgufType,
  formatByName,
  formatOfLayout,
  FORMATS,
} from "./formats/formats.ts";
export { GGML_TYPES, type GgmlType } from "./formats/ggml_types.ts";
export { formatOfGgufTensor, type GgufFile, type GgufTensor, readGguf } from "./files/gguf.ts";
export { GGUF_BLOCK_FORMATS } from "./formats/gguf_block_formats.ts";
export { GGUF_FIVE_BITS } from "./formats/gguf_five_bits.ts";
export { GGUF_GRID_FORMATS } from "./formats/gguf_grid_formats.ts";
export {
  encodeGgufHeader,
  type GgufEntry,
  type GgufMetadata,
  type GgufTyped,
} from "./files/gguf_header.ts";
export {
  assertOneFile,
  checkParts,
  copiedMetadata,
  type GgufPart,
  mergeGguf,
  splitPaths,
} from "./files/gguf_split.ts";
export { GGUF_SUPER_FORMATS } from "./formats/gguf_super_formats.ts";
export {
  GGUF_VALUE_TYPES,
  type GgufNumbers,
  type GgufValue,
  type GgufValueType,
} from "./files/gguf_value.ts";
export { GGUF_TERNARY } from "./formats/gguf_ternary.ts";
export {
  type GgufContents,
  type GgufTensorData,
  patchedTensor,
  patchGguf,
  type RowPatch,
  writeGguf,
} from "./files/gguf_write.ts";
export { gptqColumnOrder, type GptqPlanes, type GptqShape, gptqToPacked } from "./packings/gptq.ts";
export {
  type ComputedQuantizer,
  gptqApplies,
  gptqComputation,
  type GptqOptions,
  gptqQuantize,
  gptqQuantizer,
  type Quantizer,
} from "./quantisers/gptq_quantize.ts";
export { type Grid, gridNamed, gridPlane, GRIDS, type GridShape } from "./layouts/grids.ts";
export { GROUP_FORMATS } from "./formats/group_formats.ts";
export {
  HQQ_PACKINGS,
  hqqCodeBytes,
  hqqLayout,
  type HqqPacking,
  type HqqPlanes,
  type HqqShape,
  hqqToPacked,
} from "./packings/hqq.ts";
export type { InputStatistics } from "./quantisers/input_statistics.ts";
export { checkJson, checkJsonText, JSON_BOUNDS, type JsonBounds } from "./files/json_bounds.ts";
export {
  type CodebookLayout,
  type CodebookShape,
  codebookShape,
  type ColumnLayout,
  columnMultiple,
  type DenseLayout,
  type DenseType,
  groupColumns,
  groupsPerRow,
  type Layout,
  type PackedTensor,
  planeWords,
  type ScalarLayout,
  scaleRows,
  type SuperLayout,
} from "./layouts/layout.ts";
export { offsetBases, offsetMagnitudes } from "./fold/magnitudes.ts";
export { nearestNames } from "./nearest_names.ts";
export { hasNonFinite, LOOKS } from "./layouts/non_finite.ts";
export {
  addTally,
  assertWithin,
  type Beyond,
  type FoldOptions,
  type FoldResult,
  foldScales,
  type FoldTally,
  groupOffsets,
  offsetCount,
  type OffsetFold,
  offsetFold,
  type OffsetForm,
  offsetStride,
} from "./fold/fold_offsets.ts";
export { outputError, outputErrorComputation } from "./quantisers/output_error.ts";
export {
  packedFromSafetensors,
  packedToSafetensors,
  type PlaneName,
  type RowRange,
  type StoredPlane,
  storedPlanes,
  type StoredTensor,
  trainedPlane,
} from "./files/packed_safetensors.ts";
export type {
  FormatName,
  GgufFormatName,
  GroupValues,
  KnownFormatName,
} from "./formats/format_name.ts";
export {
  assertKept,
  chooseFormat,
  type FormatChoice,
  formatChoice,
  type FormatReason,
  type FormatSubject,
  type PlanOptions,
  type TensorKind,
  tensorKind,
} from "./formats/choose_format.ts";
export {
  checkPacked,
  checkShape,
  emptyPacked,
  halves,
  planeBytes,
  sameLayout,
} from "./layouts/planes.ts";
export { ProductWorkers } from "./quantisers/product_workers.ts";
export {
  quantize,
  quantizeComputation,
  type QuantizeOptions,
} from "./quantisers/round_to_nearest.ts";
export { type RowProducts, type RowsOf } from "./quantisers/row_products.ts";
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
export { planeBits, readCodes, writeCodes } from "./layouts/scalar_codes.ts";
export {
  emptySuperBlock,
  readSuperBlock,
  SUPER_SCALES,
  type SuperBlock,
  superFactor,
  type SuperScales,
  type SuperScaleShape,
  superWords,
  writeSuperBlock,
} from "./layouts/super_scales.ts";
export {
  int4Layout,
  type Int4RowPlanes,
  int4RowsToPacked,
  type Int4Shape,
  type Int4TilePlanes,
  type Int4TileShape,
  int4TilesToPacked,
} from "./packings/torchao_int4.ts";
export {
  checkPart,
  partName,
  partOf,
  secondPart,
  type TrainedPart,
} from "./layouts/trained_part.ts";
export { type PartOffsets, type TunedRows, tunedRows } from "./fold/tuned_rows.ts";
export {
  packedToGptqScales,
  type StoredWords,
  type TransposedShape,
} from "./packings/transposed.ts";
