/**
 * Text that may not be valid UTF-8, such as pieces of characters in a vocabulary. Each invalid byte becomes its own code unit (U+DC80 to U+DCFF,
 * which no valid text contains), so that different bytes stay different and can be written again.
 *
 * @module
 */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const firstEscape = 0xdc00;

/** Decodes bytes to text without loss. */
export function escapedText(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    return strict.decode(bytes);
  } catch {
    return piecewise(bytes);
  }
}

/** The bytes of a text made by {@linkcode escapedText}. */
export function bytesOfEscaped(text: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text);
  // UTF-8 has at most three bytes per code unit.
  const bytes = new Uint8Array(3 * text.length);
  let [at, from] = [0, 0];
  const encode = (end: number) => {
    if (end > from) at += encoder.encodeInto(text.slice(from, end), bytes.subarray(at)).written;
  };
  for (const { 0: escapes, index } of text.matchAll(/[\u{DC80}-\u{DCFF}]+/gu)) {
    encode(index);
    for (let i = 0; i < escapes.length; i++) bytes[at++] = escapes.charCodeAt(i) - firstEscape;
    from = index + escapes.length;
  }
  encode(text.length);
  return bytes.slice(0, at);
}

/** Decodes in one pass, however many bytes are invalid. A decoder that throws at each of them would take seconds per megabyte. */
function piecewise(bytes: Uint8Array<ArrayBuffer>): string {
  const units = new Uint16Array(bytes.length);
  let count = 0;
  for (let at = 0; at < bytes.length;) {
    const length = characterLength(bytes, at);
    if (length === 0) units[count++] = firstEscape + bytes[at];
    else if (length < 4) units[count++] = codePointAt(bytes, at, length);
    else {
      const above = codePointAt(bytes, at, length) - 0x10000;
      units[count++] = 0xd800 + (above >> 10);
      units[count++] = 0xdc00 + (above & 0x3ff);
    }
    at += Math.max(length, 1);
  }
  let text = "";
  for (let from = 0; from < count; from += 8192) {
    text += String.fromCharCode(...units.subarray(from, Math.min(count, from + 8192)));
  }
  return text;
}

/** Number of bytes of the character that begins at `at`, or 0 if none does (Unicode, table 3-7). */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const isWithin = (i: number, low = 0x80, high = 0xbf) =>
    at + i < bytes.length && bytes[at + i] >= low && bytes[at + i] <= high;
  if (first < 0xe0) return isWithin(1) ? 2 : 0;
  if (first < 0xf0) {
    const [low, high] = [first === 0xe0 ? 0xa0 : 0x80, first === 0xed ? 0x9f : 0xbf];
    return isWithin(1, low, high) && isWithin(2) ? 3 : 0;
  }
  const [low, high] = [first === 0xf0 ? 0x90 : 0x80, first === 0xf4 ? 0x8f : 0xbf];
  return isWithin(1, low, high) && isWithin(2) && isWithin(3) ? 4 : 0;
}

function codePointAt(bytes: Uint8Array, at: number, length: number): number {
  if (length === 1) return bytes[at];
  let point = bytes[at] & (0x7f >> length);
  for (let i = 1; i < length; i++) point = point << 6 | bytes[at + i] & 0x3f;
  return point;
}
