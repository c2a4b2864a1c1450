/**
 * The check of values before they are quantised.
 *
 * @module
 */

/** @throws {TypeError} for a wrong count. @throws {RangeError} for a value that is not finite. */
export function checkValues(
  values: Float32Array,
  rows: number,
  columns: number,
  formatName: string,
): void {
  if (values.length !== rows * columns) {
    throw new TypeError(
      `Cannot quantise ${values.length} values as ${rows} x ${columns} of ${formatName}`,
    );
  }
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index >= 0) {
    throw new RangeError(
      `Cannot quantise to ${formatName}: ${values[index]} at row ${Math.floor(index / columns)}, ` +
        `column ${index % columns}`,
    );
  }
}
