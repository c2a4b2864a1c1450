/**
 * The check of values before they are quantised.
 *
 * @module
 */

import { elementType, type Layout } from "../layouts/layout.ts";
import { rulesOf } from "../layouts/layout_table.ts";

const LARGEST_FLOAT16 = 65504;

/** A value that a format cannot hold. */
export interface BadValue {
  /** In the list. */
  readonly index: number;
  /** The value. */
  readonly value: number;
  /** What it is too large for; undefined when it is not finite. */
  readonly limit?: string;
}

/**
 * The first value that is not finite, or larger than the layout can say: more than its dense type, or than its largest code under the
 * largest scale, which is an f16.
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

/** The value and its place in words. */
export function badValueText(
  { index, value, limit }: BadValue,
  columns: number,
  firstRow = 0,
): string {
  const row = firstRow + Math.floor(index / columns);
  return `${value} at row ${row}, column ${index % columns}${limit ? `, ${limit}` : ""}`;
}

/**
 * @param layout If what it cannot hold is to be refused too; else only what is not finite is
 * @throws {TypeError} for a wrong count. @throws {RangeError} naming the value and its place.
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
