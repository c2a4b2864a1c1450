/**
 * Texts that shaders include.
 *
 * @module
 */

import type { ShaderLibrary } from "./template.ts";
import codeTable from "./wgsl/code_table.ts";
import combine from "./wgsl/combine.ts";
import decode from "./wgsl/decode.ts";
import finite from "./wgsl/finite.ts";
import gridPoints from "./wgsl/grid_points.ts";
import matmulParams from "./wgsl/matmul_params.ts";
import noise from "./wgsl/noise.ts";
import rowDots from "./wgsl/row_dots.ts";
import superScales from "./wgsl/super_scales.ts";

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
