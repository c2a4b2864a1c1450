/**
 * The text of minima_slope.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// How a minimum, or a zero point, of a group changes with its offset.\n\n// Multiplies the slope of row n of this piece, which is row `row` of the tensor, by it.\n#part group\n#if SCALES\n    let pair = unpack2x16float(scales[n * p.groups + group]);\n#endif\n#if MINIMA == relative\n    slope *= pair.y;\n#endif\n#if SECOND == zero\n    var factor = pair.x;\n#if FORM != none\n    factor = combine(factor, offset4(0u, group * p.group_columns / p.span * p.width + row / 4u)[row % 4u]);\n#endif\n    slope *= -factor;\n#endif\n#endpart\n";
export default text;
