/**
 * Checks values before they are quantised.
 *
 * @module
 */

import { elementType, type Layout } from "../layouts/layout.ts";
import { rulesOf } from "../layouts/layout_table.ts";

const LARGEST_FLOAT16 = 65504;

/** A value that a format cannot hold. */
export interface BadValue {
  /** Index in the list. */
  readonly index: number;
  /** The value. */
  readonly value: number;
  /** The limit that it exceeds, as text. Undefined if it is not finite. */
  readonly limit?: string;
}

/**
 * The first value that is not finite or outside the range of the layout: that of its dense type, or of its largest code at the largest f16 scale.
 * Undefined if there is none.
 */
export function badValue(values: Float32Array, layout: Layout): BadValue | undefined {
  const reach = rulesOf(layout).reach(layout);
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (Math.abs(value) < reach) continue;
    if (!Number.isFinite(value)) return { index, value };
    const type = elementType(layout);
    const limit = type === undefined
      ? "beyond the range of F16 scales"
      : type === "f16"
      ? `beyond F16's ${LARGEST_FLOAT16}`
      : "beyond BF16";
    return { index, value, limit };
  }
  return undefined;
}

/** The value and its position, as text. */
export function badValueText(
  { index, value, limit }: BadValue,
  columns: number,
  firstRow = 0,
): string {
  const row = firstRow + Math.floor(index / columns);
  return `${value} at row ${row}, column ${index % columns}${limit ? `, ${limit}` : ""}`;
}

/**
 * Checks the number of values, and that the layout can hold each of them.
 *
 * @param layout Default: f32, so that only values that are not finite are rejected.
 * @throws {TypeError} for a wrong number of values.
 * @throws {RangeError} naming the first bad value and its position.
 */
export function checkValues(
  values: Float32Array,
  rows: number,
  columns: number,
  formatName: string,
  layout: Layout = { kind: "dense", type: "f32" },
): void {
  if (values.length !== rows * columns) {
    throw new TypeError(
      `Cannot quantise ${values.length} values as ${rows} x ${columns} of ${formatName}`,
    );
  }
  const bad = badValue(values, layout);
  if (bad) {
    throw new RangeError(`Cannot quantise to ${formatName}: ${badValueText(bad, columns)}`);
  }
}
