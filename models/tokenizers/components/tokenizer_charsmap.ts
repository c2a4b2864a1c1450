/**
 * SentencePiece's compiled normalisation (`precompiled_charsmap`): a double-array trie that finds the replacement of a text in a list of
 * NUL-terminated texts.
 *
 * @module
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Graphemes with fewer bytes than this are first looked up as a whole. */
const shortGrapheme = 6;

/**
 * Returns a function that applies the map to a text.
 *
 * @throws {TypeError | RangeError} when the value is not a valid map.
 */
export function precompiledMap(charsmap: unknown): (text: string) => string {
  if (typeof charsmap !== "string") {
    throw new TypeError("Cannot load the tokenizer: precompiled_charsmap is not a base64 string");
  }
  const bytes = bytesOf(charsmap);
  const length = bytes.length >= 4 ? new DataView(bytes.buffer).getUint32(0, true) : -1;
  if (length < 4 || length % 4 !== 0 || length + 4 > bytes.length) {
    throw new RangeError(
      `Cannot load the tokenizer: precompiled_charsmap has ${bytes.length} bytes, its table would have ${length}`,
    );
  }
  const view = new DataView(bytes.buffer, 4, length);
  const units = Uint32Array.from({ length: length / 4 }, (_, i) => view.getUint32(i * 4, true));
  const texts = bytes.subarray(4 + length);
  const replacement = (part: string): string | undefined => {
    const at = find(units, encoder.encode(part));
    if (at === undefined || at >= texts.length) return undefined;
    const end = texts.indexOf(0, at);
    return decoder.decode(texts.subarray(at, end < 0 ? texts.length : end));
  };
  const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
  return (text) => {
    let result = "";
    for (const { segment } of graphemes.segment(text)) {
      const whole = encoder.encode(segment).length < shortGrapheme
        ? replacement(segment)
        : undefined;
      if (whole !== undefined) result += whole;
      else for (const letter of segment) result += replacement(letter) ?? letter;
    }
    return result;
  };
}

/** The value of the shortest entry that is a prefix of the bytes. */
function find(units: Uint32Array, bytes: Uint8Array): number | undefined {
  let node = offset(units[0]);
  for (const byte of bytes) {
    if (byte === 0) return undefined;
    node ^= byte;
    const unit = units[node];
    // The top bit of the label is set only in values.
    if (unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
    node ^= offset(unit);
    if ((unit >>> 8 & 1) === 1) {
      return units[node] === undefined ? undefined : units[node] & 0x7fffffff;
    }
  }
  return undefined;
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  try {
    const text = atob(base64);
    return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  } catch (cause) {
    throw new TypeError("Cannot load the tokenizer: precompiled_charsmap is not base64", { cause });
  }
}
