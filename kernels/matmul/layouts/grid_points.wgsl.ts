/**
 * The text of grid_points.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Points of a grid, see quant/layouts/grids.ts. Expects `codebook`, two points a word, to be bound by the including file.\n\n// What block `b` of a super-block has with its scales, whose first words are `w`; bits above HIGH_WIDTH are another block's.\nfn grid_high(w: vec4<u32>, b: u32) -> u32 {\n#if HIGH_WIDTH == 0\n  return 0u;\n#else\n  return w[(b * HIGH_WIDTH) >> 5u] >> ((b * HIGH_WIDTH) & 31u);\n#endif\n}\n\n// The levels of a block's point `i`, whose code begins with the byte `low`.\nfn grid_point(low: u32, high: u32, i: u32) -> u32 {\n#if HIGH == 0\n  let code = low;\n#else\n  let code = low | (((high >> (HIGH_STEP * i)) & HIGH_MASK) << 8u);\n#endif\n  return codebook[code >> 1u] >> ((code & 1u) * 16u);\n}\n\n// Four columns of a block's point `i`: the lowest levels of `point` under the lowest of `signs`.\nfn grid4(point: u32, signs: u32, high: u32, i: u32) -> vec4<f32> {\n#if POINT_COLUMNS == 8\n  let q = vec4<f32>((vec4<u32>(point) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u));\n#else\n  let q = vec4<f32>((vec4<u32>(point) >> vec4<u32>(0u, 3u, 6u, 9u)) & vec4<u32>(7u));\n#endif\n#if SHIFT_OF == block\n  return 2.0 * q - select(1.75, 2.25, (high & 0x8000u) != 0u);\n#elif SHIFT_OF == point\n  return 2.0 * q - select(1.75, 2.25, ((high >> (HIGH_STEP * i + HIGH)) & 1u) != 0u);\n#elif GRID == iq3_s\n  let value = 4.0 * q + 2.0;\n#elif GRID == iq3_xxs\n  let value = 4.0 * q + 2.0 + max(q - 6.0, vec4<f32>());\n#else\n  let value = 4.25 * q + 2.0 + 0.25 * max(q - 1.0, vec4<f32>());\n#endif\n#if SIGNS\n  return select(value, -value, (vec4<u32>(signs) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>());\n#endif\n}\n";
export default text;
