/**
 * The text of row_dots.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Within a register tile: adds quad `k` of every row to the partial sums, given four columns of each output in v0, v1, ...\n#if FUSED\n#for r HALF\n          {\n            let xr = x[x{r} + k];\n#if WINDOW == rows\n            let tr = moved_x[x{r} + k];\n#else\n            let tr = x[x{r+HALF} + k];\n#endif\n#if SECOND == min\n            sum{r} += dot(xr, vec4<f32>(1.0));\n            sum{r+HALF} += dot(tr, vec4<f32>(1.0));\n#endif\n#for c COLS\n            p{r}_{c} = fma(xr.x, v{c}.x, fma(xr.y, v{c}.y, fma(xr.z, v{c}.z, fma(xr.w, v{c}.w, p{r}_{c}))));\n            p{r+HALF}_{c} = fma(tr.x, v{c}.x, fma(tr.y, v{c}.y, fma(tr.z, v{c}.z, fma(tr.w, v{c}.w, p{r+HALF}_{c}))));\n#endfor\n          }\n#endfor\n#else\n#for r ROWS\n          {\n            let xr = x[x{r} + k];\n#if SECOND == min\n            sum{r} += dot(xr, vec4<f32>(1.0));\n#endif\n#for c COLS\n            p{r}_{c} = fma(xr.x, v{c}.x, fma(xr.y, v{c}.y, fma(xr.z, v{c}.z, fma(xr.w, v{c}.w, p{r}_{c}))));\n#endfor\n          }\n#endfor\n#endif\n";
export default text;
