/**
 * The alphabet of byte-level tokenizers: printable bytes are represented by themselves, and the other bytes by characters from U+0100 on.
 *
 * @module
 */

const letters: string[] = [];
const bytes = new Map<string, number>();
for (let byte = 0, next = 0x100; byte < 256; byte++) {
  const printable = byte >= 0x21 && byte <= 0x7e || byte >= 0xa1 && byte !== 0xad;
  letters.push(String.fromCharCode(printable ? byte : next++));
  bytes.set(letters[byte], byte);
}
const encoder = new TextEncoder();

/** The UTF-8 bytes of a text, as one character each. */
export function bytesAsLetters(text: string): string {
  let result = "";
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    // From here on, characters have several bytes.
    if (code >= 0x80) {
      for (const byte of encoder.encode(text.slice(at))) result += letters[byte];
      break;
    }
    result += letters[code];
  }
  return result;
}

/** The bytes of a token: those represented by its characters, or its UTF-8 bytes if a character represents none. */
export function bytesOfLetters(token: string): Iterable<number> {
  const found: number[] = [];
  for (const letter of token) {
    const byte = bytes.get(letter);
    if (byte === undefined) return encoder.encode(token);
    found.push(byte);
  }
  return found;
}
