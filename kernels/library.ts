/**
 * Texts that shaders include.
 *
 * @module
 */

import type { ShaderLibrary } from "./template.ts";
import codeTable from "./wgsl/code_table.wgsl" with { type: "text" };
import combine from "./wgsl/combine.wgsl" with { type: "text" };
import decode from "./wgsl/decode.wgsl" with { type: "text" };
import finite from "./wgsl/finite.wgsl" with { type: "text" };
import gridPoints from "./wgsl/grid_points.wgsl" with { type: "text" };
import matmulParams from "./wgsl/matmul_params.wgsl" with { type: "text" };
import noise from "./wgsl/noise.wgsl" with { type: "text" };
import rowDots from "./wgsl/row_dots.wgsl" with { type: "text" };
import superScales from "./wgsl/super_scales.wgsl" with { type: "text" };

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
