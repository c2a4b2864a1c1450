/**
 * The order of scalar codes within a block of 32 columns, in bytes (see `PackedTensor` for the same in words).
 *
 * - 8 bits: byte j is column j.
 * - 4 bits: byte j holds column j in its low half and column j + 16 in its high half.
 * - 2 bits: byte j holds columns j, j + 8, j + 16, j + 24, lowest bits first.
 * - 1 bit (only as part of wider codes): byte c % 4 has the bit of column c at bit c / 4.
 * - 3, 5 and 6 bits: the plane of the low 2 bits (for 3) or 4 bits as above, then the plane of the upper bits.
 *
 * @module
 */

/** Number of bits in each of a code's two planes, which add up to its width. The second is 0 if there is only one plane. */
export function planeBits(bits: number): [low: number, high: number] {
  return bits === 3 ? [2, 1] : bits === 5 || bits === 6 ? [4, bits - 4] : [bits, 0];
}

/** Reads `blocks` blocks of 32 codes from `bytes` at `from` into `codes`. */
export function readCodes(
  bytes: Uint8Array,
  from: number,
  bits: number,
  blocks: number,
  codes: Uint8Array,
): void {
  if (bits === 8) {
    codes.set(bytes.subarray(from, from + blocks * 32));
    return;
  }
  const [low, high] = planeBits(bits);
  for (let block = 0; block < blocks; block++) {
    const source = from + block * bits * 4;
    const target = block * 32;
    if (low === 4) {
      for (let j = 0; j < 16; j++) {
        const byte = bytes[source + j];
        codes[target + j] = byte & 15;
        codes[target + j + 16] = byte >> 4;
      }
    } else {
      for (let j = 0; j < 8; j++) {
        const byte = bytes[source + j];
        for (let i = 0; i < 4; i++) codes[target + j + 8 * i] = (byte >> (2 * i)) & 3;
      }
    }
    if (high === 1) {
      for (let c = 0; c < 32; c++) {
        codes[target + c] |= ((bytes[source + 4 * low + (c & 3)] >> (c >> 2)) & 1) << low;
      }
    } else if (high === 2) {
      for (let c = 0; c < 32; c++) {
        codes[target + c] |= ((bytes[source + 4 * low + (c & 7)] >> (2 * (c >> 3))) & 3) << low;
      }
    }
  }
}

/** Writes `blocks` blocks of 32 codes into `bytes` at `to`. Codes must be less than `2 ** bits`. */
export function writeCodes(
  codes: Uint8Array,
  bits: number,
  blocks: number,
  bytes: Uint8Array,
  to: number,
): void {
  if (bits === 8) {
    bytes.set(codes.subarray(0, blocks * 32), to);
    return;
  }
  const [low, high] = planeBits(bits);
  for (let block = 0; block < blocks; block++) {
    const target = to + block * bits * 4;
    const source = block * 32;
    writePlane(codes, source, 0, low, bytes, target);
    if (high > 0) writePlane(codes, source, low, high, bytes, target + 4 * low);
  }
}

function writePlane(
  codes: Uint8Array,
  source: number,
  shift: number,
  width: number,
  bytes: Uint8Array,
  target: number,
): void {
  const mask = 2 ** width - 1;
  const count = 4 * width;
  for (let j = 0; j < count; j++) {
    let byte = 0;
    for (let i = 0; i < 8 / width; i++) {
      byte |= ((codes[source + j + count * i] >> shift) & mask) << (width * i);
    }
    bytes[target + j] = byte;
  }
}
