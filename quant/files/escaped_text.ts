/**
 * Texts of files that may be no UTF-8, such as pieces of characters in a vocabulary: each byte that is none becomes a code unit
 * of its own (U+DC80 to U+DCFF, which no valid text has), so that different bytes stay different and can be written again.
 *
 * @module
 */

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const firstEscape = 0xdc00;

/** The text of bytes; nothing of them is lost. */
export function escapedText(bytes: Uint8Array<ArrayBuffer>): string {
  try {
    return strict.decode(bytes);
  } catch {
    return piecewise(bytes);
  }
}

/** The bytes of a text that {@linkcode escapedText} gave. */
export function bytesOfEscaped(text: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    const unit = character.charCodeAt(0);
    if (character.length === 1 && unit >= 0xdc80 && unit <= 0xdcff) bytes.push(unit - firstEscape);
    else for (const byte of encoder.encode(character)) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function piecewise(bytes: Uint8Array<ArrayBuffer>): string {
  let text = "";
  for (let at = 0; at < bytes.length;) {
    const length = lengthOf(bytes[at]);
    const character = characterOf(bytes.subarray(at, at + length));
    text += character ?? String.fromCharCode(firstEscape + bytes[at]);
    at += character === undefined ? 1 : length;
  }
  return text;
}

/** How many bytes a character has that begins so. */
function lengthOf(byte: number): number {
  return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

function characterOf(bytes: Uint8Array<ArrayBuffer>): string | undefined {
  try {
    const text = strict.decode(bytes);
    return [...text].length === 1 ? text : undefined;
  } catch {
    return undefined;
  }
}
