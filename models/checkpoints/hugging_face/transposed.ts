/**
 * Dense matrices that a folder has with a row for each input, as those of GPT-2.
 *
 * @module
 */

/**
 * The elements of a matrix with its rows as columns.
 *
 * @param rows Of the matrix as it is given
 * @param width Bytes of an element
 */
export function transposedBytes(
  bytes: Uint8Array,
  rows: number,
  columns: number,
  width: 2 | 4,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(rows * columns * width);
  const View = width === 2 ? Uint16Array : Uint32Array;
  const from = new View(bytes.slice().buffer, 0, rows * columns);
  const to = new View(out.buffer);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      to[column * rows + row] = from[row * columns + column];
    }
  }
  return out;
}
