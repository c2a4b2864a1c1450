/**
 * The texts that shaders can include.
 *
 * @module
 */

import type { ShaderLibrary } from "./device/template.ts";
import adjointWords from "./matmul/adjoints/adjoint_words.wgsl.ts";
import minimaSlope from "./matmul/adjoints/minima_slope.wgsl.ts";
import slopes4 from "./matmul/adjoints/slopes4.wgsl.ts";
import weightChange from "./matmul/adjoints/weight_change.wgsl.ts";
import decode from "./matmul/decode.wgsl.ts";
import codeWords from "./matmul/layouts/code_words.wgsl.ts";
import codeTable from "./matmul/layouts/code_table.wgsl.ts";
import decodeCodebook from "./matmul/layouts/decode_codebook.wgsl.ts";
import decodeColumn from "./matmul/layouts/decode_column.wgsl.ts";
import decodeDense from "./matmul/layouts/decode_dense.wgsl.ts";
import decodeGrid from "./matmul/layouts/decode_grid.wgsl.ts";
import decodeScalar from "./matmul/layouts/decode_scalar.wgsl.ts";
import decodeSuper from "./matmul/layouts/decode_super.wgsl.ts";
import decodeWords from "./matmul/layouts/decode_words.wgsl.ts";
import gridPoints from "./matmul/layouts/grid_points.wgsl.ts";
import registerCodebook from "./matmul/layouts/register_codebook.wgsl.ts";
import registerColumn from "./matmul/layouts/register_column.wgsl.ts";
import registerDense from "./matmul/layouts/register_dense.wgsl.ts";
import registerGrid from "./matmul/layouts/register_grid.wgsl.ts";
import registerScalar from "./matmul/layouts/register_scalar.wgsl.ts";
import registerSuper from "./matmul/layouts/register_super.wgsl.ts";
import registerWords from "./matmul/layouts/register_words.wgsl.ts";
import rowDots from "./matmul/layouts/row_dots.wgsl.ts";
import scaleWords from "./matmul/layouts/scale_words.wgsl.ts";
import superScales from "./matmul/layouts/super_scales.wgsl.ts";
import { DIRECTION_SHADERS } from "./offsets/directions.ts";
import matmulParams from "./matmul/matmul_params.wgsl.ts";
import combine from "./offsets/combine.wgsl.ts";
import moved from "./offsets/moved.wgsl.ts";
import noise from "./offsets/noise.wgsl.ts";
import activationSlopes from "./operations/activations/activation_slopes.wgsl.ts";
import gatheredRows from "./operations/adjoints/gathered_rows.wgsl.ts";
import attentionParts from "./operations/attention_parts.wgsl.ts";
import normBindings from "./operations/norms/norm_bindings.wgsl.ts";
import rows from "./operations/rows.wgsl.ts";
import softCap from "./operations/activations/soft_cap.wgsl.ts";
import registerTile from "./statistics/register_tile.wgsl.ts";
import finite from "./step/finite.wgsl.ts";

/** The texts for `#include`, by name. */
export const SHADER_LIBRARY: ShaderLibrary = {
  ...DIRECTION_SHADERS,
  "adjoint_words.wgsl": adjointWords,
  "slopes4.wgsl": slopes4,
  "activation_slopes.wgsl": activationSlopes,
  "attention_parts.wgsl": attentionParts,
  "code_table.wgsl": codeTable,
  "code_words.wgsl": codeWords,
  "combine.wgsl": combine,
  "decode.wgsl": decode,
  "decode_codebook.wgsl": decodeCodebook,
  "decode_column.wgsl": decodeColumn,
  "decode_dense.wgsl": decodeDense,
  "decode_grid.wgsl": decodeGrid,
  "decode_scalar.wgsl": decodeScalar,
  "decode_super.wgsl": decodeSuper,
  "decode_words.wgsl": decodeWords,
  "finite.wgsl": finite,
  "gathered_rows.wgsl": gatheredRows,
  "grid_points.wgsl": gridPoints,
  "matmul_params.wgsl": matmulParams,
  "minima_slope.wgsl": minimaSlope,
  "moved.wgsl": moved,
  "noise.wgsl": noise,
  "norm_bindings.wgsl": normBindings,
  "register_codebook.wgsl": registerCodebook,
  "register_column.wgsl": registerColumn,
  "register_dense.wgsl": registerDense,
  "register_grid.wgsl": registerGrid,
  "register_scalar.wgsl": registerScalar,
  "register_super.wgsl": registerSuper,
  "register_tile.wgsl": registerTile,
  "register_words.wgsl": registerWords,
  "row_dots.wgsl": rowDots,
  "rows.wgsl": rows,
  "scale_words.wgsl": scaleWords,
  "soft_cap.wgsl": softCap,
  "super_scales.wgsl": superScales,
  "weight_change.wgsl": weightChange,
};
