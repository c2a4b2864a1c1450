/**
 * Converts the codes of ggml's super-blocks of 256, which are interleaved over 64 or 128 columns, to planes of 32 columns and back. All functions
 * work on words of four neighbouring columns, one byte each. If `write` is false, they move codes from the file to the planes.
 *
 * @module
 */

const NIBBLES = 0x0f0f0f0f;
const PAIRS = 0x03030303;
const BITS = 0x01010101;

/**
 * Moves 32 bytes at `at`, whose low halves are the columns of one block and whose high halves are those of another.
 *
 * @param low Word at which the 4-bit plane of the low halves' block starts.
 * @param high Word at which that of the high halves' block starts.
 */
export function moveNibbles(
  file: DataView,
  at: number,
  words: Uint32Array,
  low: number,
  high: number,
  write: boolean,
): void {
  for (let i = 0; i < 16; i += 4) {
    const [l, h] = [low + i / 4, high + i / 4];
    if (write) {
      const [x, y] = [words[l], words[h]];
      file.setUint32(at + i, x & NIBBLES | (y & NIBBLES) << 4, true);
      file.setUint32(at + 16 + i, x >>> 4 & NIBBLES | y & ~NIBBLES, true);
    } else {
      const a = file.getUint32(at + i, true);
      const b = file.getUint32(at + 16 + i, true);
      words[l] = a & NIBBLES | (b & NIBBLES) << 4;
      words[h] = a >>> 4 & NIBBLES | b & ~NIBBLES;
    }
  }
}

/**
 * Moves 32 bytes with two bits of each of four blocks, those of the first block lowest.
 *
 * @param first Word at which the first block's 2-bit plane starts.
 * @param step Number of words from one block's plane to the next.
 */
export function movePairs(
  file: DataView,
  at: number,
  words: Uint32Array,
  first: number,
  step: number,
  write: boolean,
): void {
  for (let w = 0; w < 2; w++) {
    for (let m = 0; m < 4; m++) {
      // Source word w + 2m has columns 4 (w + 2m) ...: bits 2m of word w of each block's plane.
      const source = at + 4 * (w + 2 * m);
      let word = write ? 0 : file.getUint32(source, true);
      for (let j = 0; j < 4; j++) {
        const target = first + j * step + w;
        if (write) word |= (words[target] >>> (2 * m) & PAIRS) << (2 * j);
        else {
          const kept = m === 0 ? 0 : words[target];
          words[target] = kept | (word >>> (2 * j) & PAIRS) << (2 * m);
        }
      }
      if (write) file.setUint32(source, word, true);
    }
  }
}

/** Moves 32 bytes with one bit of each of eight blocks, that of the first block lowest. The parameters are those of `movePairs`. */
export function moveBits(
  file: DataView,
  at: number,
  words: Uint32Array,
  first: number,
  step: number,
  write: boolean,
): void {
  for (let s = 0; s < 8; s++) {
    let word = write ? 0 : file.getUint32(at + 4 * s, true);
    for (let b = 0; b < 8; b++) {
      const target = first + b * step;
      if (write) word |= (words[target] >>> s & BITS) << b;
      else {
        const kept = s === 0 ? 0 : words[target];
        words[target] = kept | (word >>> b & BITS) << s;
      }
    }
    if (write) file.setUint32(at + 4 * s, word, true);
  }
}
