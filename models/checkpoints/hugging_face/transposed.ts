/**
 * Dense matrices that a folder stores with one row per input, as GPT-2 does.
 *
 * @module
 */

/**
 * The elements of the transposed matrix.
 *
 * @param rows Number of rows of the given matrix.
 * @param width Bytes per element.
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
