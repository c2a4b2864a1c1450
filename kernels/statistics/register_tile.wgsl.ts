/**
 * The text of register_tile.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Sums of products that an invocation keeps in registers: of 8 rows, whose values are a and b, by 8 columns, whose values are low and high.\n\n#part zero\n#for r 8\n  var low{r} = vec4<f32>();\n  var high{r} = vec4<f32>();\n#endfor\n#endpart\n\n#part add\n#for r 4\n    low{r} += a[{r}] * low;\n    high{r} += a[{r}] * high;\n    low{r+4} += b[{r}] * low;\n    high{r+4} += b[{r}] * high;\n#endfor\n#endpart\n";
export default text;
