/**
 * The checksum of ledger records.
 *
 * @module
 */

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** CRC-16/CCITT-FALSE (polynomial 0x1021, start 0xffff); `before` continues an earlier checksum. */
export function crc16(bytes: Uint8Array, before = 0xffff): number {
  let crc = before;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ table[(crc >>> 8) ^ byte];
  return crc;
}
