/**
 * Texts that shaders include.
 *
 * @module
 */

import type { ShaderLibrary } from "./device/template.ts";
import codeTable from "./matmul/code_table.wgsl.ts";
import combine from "./offsets/combine.wgsl.ts";
import decode from "./matmul/decode.wgsl.ts";
import finite from "./step/finite.wgsl.ts";
import gridPoints from "./matmul/grid_points.wgsl.ts";
import matmulParams from "./matmul/matmul_params.wgsl.ts";
import noise from "./offsets/noise.wgsl.ts";
import rowDots from "./matmul/row_dots.wgsl.ts";
import superScales from "./matmul/super_scales.wgsl.ts";

/** Every text that `#include` knows. */
export const SHADER_LIBRARY: ShaderLibrary = {
  "code_table.wgsl": codeTable,
  "combine.wgsl": combine,
  "decode.wgsl": decode,
  "finite.wgsl": finite,
  "grid_points.wgsl": gridPoints,
  "matmul_params.wgsl": matmulParams,
  "noise.wgsl": noise,
  "row_dots.wgsl": rowDots,
  "super_scales.wgsl": superScales,
};
