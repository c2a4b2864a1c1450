/**
 * Stores numbers in an adapter's plan as f16 in base64, so that a ledger is self-contained.
 *
 * @module
 */

import { float16ArrayToNumbers, numbersToFloat16Array } from "../../quant/layouts/float16.ts";

/** Encodes numbers. @throws {RangeError} when one is outside the range of f16. */
export function asStoredHalves(values: Float32Array, what: string): string {
  const halves = numbersToFloat16Array(values);
  const odd = float16ArrayToNumbers(halves).findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) {
    throw new RangeError(
      `Cannot start from ${what}: the value ${values[odd]} is beyond the range of f16 (65504)`,
    );
  }
  const bytes = new Uint8Array(halves.buffer);
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  }
  return btoa(parts.join(""));
}

/** Decodes numbers. Undefined if the text is invalid or contains a different count. */
export function storedHalves(text: unknown, count: number): Float32Array<ArrayBuffer> | undefined {
  if (typeof text !== "string" || text.length !== 4 * Math.ceil(2 * count / 3)) return undefined;
  let bytes: string;
  try {
    bytes = atob(text);
  } catch {
    return undefined;
  }
  if (bytes.length !== 2 * count) return undefined;
  const halves = Uint16Array.from(
    { length: count },
    (_, i) => bytes.charCodeAt(2 * i) | bytes.charCodeAt(2 * i + 1) << 8,
  );
  const values = float16ArrayToNumbers(halves);
  return values.every(Number.isFinite) ? values : undefined;
}
