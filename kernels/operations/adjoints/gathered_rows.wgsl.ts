/**
 * The text of gathered_rows.wgsl. Made by `deno task shaders`: edit the .wgsl file.
 *
 * @module
 */

const text: string =
  "// Which row of a table each row of the batch has.\n\n// The row of the table that a row of the batch has.\nfn index_of(row: u32) -> u32 {\n#if ONE_ROW\n  return p.shift;\n#else\n  return batch[p.index + row] + p.shift;\n#endif\n}\n\n// Whether a row of the table lies in this piece of it.\nfn is_here(index: u32) -> bool {\n  return index >= p.first_row && index - p.first_row < p.table_rows;\n}\n";
export default text;
