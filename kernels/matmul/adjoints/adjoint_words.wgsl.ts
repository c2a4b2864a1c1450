/**
 * The text of adjoint_words.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// A block of 32 columns whose codes lie in words of planes, as register_words.wgsl has it, of COLS rows of the weights: adds its columns, times\n// the slopes f0, f1, ..., to y0_0, y0_1, ... All of it is unrolled, so that sums stay in registers.\n\n#part block\n#include \"register_words.wgsl\" words\n#for w PLANE_BITS\n#for c COLS\n#if BITS == 8\n    let word{c}_{w} = words{c}[{w} / 4][{w} % 4];\n#else\n    let word{c}_{w} = words{c}[{w}];\n#endif\n#if TOP_BITS == 1\n    let top{c}_{w} = tops{c} >> {w}u;\n#elif TOP_BITS == 2\n    let top{c}_{w} = tops{c}[{w} % 2] >> ({w}u & 2u);\n#endif\n#endfor\n#for s QUADS_PER_WORD\n    {\n      let k = block * 8u + {s*PLANE_BITS+w}u;\n#for c COLS\n      let q{c} = (word{c}_{w} >> {s*PLANE_BITS}u) & {MASK}u;\n#if TOP_BITS != 0\n      let i{c} = q{c} | (((top{c}_{w} >> {s*PLANE_BITS}u) & {TOP_MASK}u) << {PLANE_BITS}u);\n#else\n      let i{c} = q{c};\n#endif\n#include \"register_{LAYOUT}.wgsl\" value\n#endfor\n#for r ROWS\n      y{r}_{s*PLANE_BITS+w} += f{r}.x * v0 + f{r}.y * v1 + f{r}.z * v2 + f{r}.w * v3;\n#endfor\n    }\n#endfor\n#endfor\n#endpart\n";
export default text;
