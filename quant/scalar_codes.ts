/**
 * The order of scalar codes within a block of 32 columns, in bytes (see `PackedTensor` for the same in words).
 *
 * - 8 bits: byte j is column j.
 * - 4 bits: byte j holds column j in its low and column j + 16 in its high half.
 * - 2 bits: byte j holds columns j, j + 8, j + 16, j + 24, lowest bits first.
 * - 3 bits: eight bytes of the low two bits as above, then four bytes; byte c % 4 has the top bit of column c at bit c / 4.
 *
 * @module
 */

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
  for (let block = 0; block < blocks; block++) {
    const source = from + block * bits * 4;
    const target = block * 32;
    if (bits === 4) {
      for (let j = 0; j < 16; j++) {
        const byte = bytes[source + j];
        codes[target + j] = byte & 15;
        codes[target + j + 16] = byte >> 4;
      }
      continue;
    }
    for (let j = 0; j < 8; j++) {
      const byte = bytes[source + j];
      codes[target + j] = byte & 3;
      codes[target + j + 8] = (byte >> 2) & 3;
      codes[target + j + 16] = (byte >> 4) & 3;
      codes[target + j + 24] = byte >> 6;
    }
    if (bits === 3) {
      for (let c = 0; c < 32; c++) {
        codes[target + c] |= ((bytes[source + 8 + (c & 3)] >> (c >> 2)) & 1) << 2;
      }
    }
  }
}

/** Writes `blocks` blocks of 32 codes into `bytes` at `to`; codes must lie below `2 ** bits`. */
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
  for (let block = 0; block < blocks; block++) {
    const target = to + block * bits * 4;
    const source = block * 32;
    if (bits === 4) {
      for (let j = 0; j < 16; j++) {
        bytes[target + j] = codes[source + j] | (codes[source + j + 16] << 4);
      }
      continue;
    }
    for (let j = 0; j < 8; j++) {
      bytes[target + j] = (codes[source + j] & 3) | ((codes[source + j + 8] & 3) << 2) |
        ((codes[source + j + 16] & 3) << 4) | ((codes[source + j + 24] & 3) << 6);
    }
    if (bits === 3) {
      for (let i = 0; i < 4; i++) {
        let byte = 0;
        for (let quad = 0; quad < 8; quad++) byte |= (codes[source + quad * 4 + i] >> 2) << quad;
        bytes[target + 8 + i] = byte;
      }
    }
  }
}
