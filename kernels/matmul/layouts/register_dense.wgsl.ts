/**
 * The text of register_dense.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// What dense tensors are to a register tile: no units, every element has its own offset. See matmul_register.wgsl.\n\n#part functions\n\n#endpart\n\n// Adds the products of all columns.\n#part loop\n  var step = 0u;\n  loop {\n#for c COLS\n    let packed{c} = codes[n{c} * (quads / DENSE_QUADS) + step];\n#endfor\n#for h DENSE_QUADS\n    {\n      let k = step * DENSE_QUADS + {h}u;\n#for c COLS\n#if DENSE == f32\n      let w{c} = bitcast<vec4<f32>>(packed{c});\n#else\n      let lo{c} = packed{c}[{h*2}];\n      let hi{c} = packed{c}[{h*2+1}];\n#if DENSE == f16\n      let w{c} = vec4<f32>(unpack2x16float(lo{c}), unpack2x16float(hi{c}));\n#else\n      let w{c} = bitcast<vec4<f32>>(vec4<u32>(lo{c} << 16u, lo{c} & 0xffff0000u, hi{c} << 16u, hi{c} & 0xffff0000u));\n#endif\n#endif\n#if FORM != none\n      let e{c} = (p.first_output + n{c}) * quads + k;\n      let o{c} = offsets[e{c}];\n#if !MIXED && NOISE\n      let v{c} = combine4(w{c}, moved4(o{c}, branch, e{c}));\n#elif !MIXED\n      let v{c} = combine4(w{c}, o{c});\n#endif\n#else\n      let v{c} = w{c};\n#endif\n#endfor\n#for r ROWS\n      {\n        let xr = x[x{r} + k];\n#if MIXED && FORM != none\n#if NOISE\n#for c COLS\n        acc{r}_{c} += dot(xr, combine4(w{c}, moved4(o{c}, branch{r}, e{c})));\n#endfor\n#else\n#for c COLS\n        acc{r}_{c} += dot(xr, combine4(w{c}, o{c}));\n#endfor\n#endif\n#else\n#for c COLS\n        acc{r}_{c} += dot(xr, v{c});\n#endfor\n#endif\n      }\n#endfor\n    }\n#endfor\n    step++;\n    if (step >= quads / DENSE_QUADS) { break; }\n  }\n#endpart\n";
export default text;
