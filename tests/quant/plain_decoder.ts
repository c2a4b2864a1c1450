// Decoders of file bytes, written from the format descriptions alone: no code shared with quant/.

function half(view: DataView, at: number): number {
  const bits = view.getUint16(at, true);
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const IQ4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** Values of GGUF bytes, one block after the other. */
export function decodeGgufBytes(type: string, bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: number[] = [];
  switch (type) {
    case "F32":
      for (let at = 0; at < bytes.length; at += 4) values.push(view.getFloat32(at, true));
      return values;
    case "F16":
      for (let at = 0; at < bytes.length; at += 2) values.push(half(view, at));
      return values;
    case "BF16":
      for (let at = 0; at < bytes.length; at += 2) {
        const wide = new DataView(new ArrayBuffer(4));
        wide.setUint16(2, view.getUint16(at, true), true);
        values.push(wide.getFloat32(0, true));
      }
      return values;
    case "Q4_0":
    case "Q4_1": {
      const minimum = type === "Q4_1";
      const size = minimum ? 20 : 18;
      for (let at = 0; at < bytes.length; at += size) {
        const d = half(view, at);
        const codes = bytes.subarray(at + size - 16, at + size);
        for (let j = 0; j < 32; j++) {
          const q = j < 16 ? codes[j] % 16 : Math.floor(codes[j - 16] / 16);
          values.push(minimum ? d * q + half(view, at + 2) : d * (q - 8));
        }
      }
      return values;
    }
    case "Q5_0":
    case "Q5_1": {
      const size = type === "Q5_1" ? 24 : 22;
      for (let at = 0; at < bytes.length; at += size) {
        const d = half(view, at);
        const tops = view.getUint32(at + size - 20, true);
        for (let j = 0; j < 32; j++) {
          const byte = bytes[at + size - 16 + j % 16];
          const q = (j < 16 ? byte % 16 : Math.floor(byte / 16)) +
            16 * (Math.floor(tops / 2 ** j) % 2);
          values.push(type === "Q5_1" ? d * q + half(view, at + 2) : d * (q - 16));
        }
      }
      return values;
    }
    case "IQ4_NL":
      for (let at = 0; at < bytes.length; at += 18) {
        for (let j = 0; j < 32; j++) {
          const byte = bytes[at + 2 + j % 16];
          values.push(half(view, at) * IQ4[j < 16 ? byte % 16 : Math.floor(byte / 16)]);
        }
      }
      return values;
    case "Q8_0":
      for (let at = 0; at < bytes.length; at += 34) {
        for (let j = 0; j < 32; j++) values.push(half(view, at) * view.getInt8(at + 2 + j));
      }
      return values;
  }
  throw new RangeError(`no plain decoder for ${type}`);
}

/** The code of one column from the words of `PackedTensor.codes`, by the words of its documentation. */
export function codeFromWords(
  words: Uint32Array,
  bits: number,
  columns: number,
  row: number,
  column: number,
): number {
  const first = (row * (columns / 32) + Math.floor(column / 32)) * bits;
  const quad = Math.floor((column % 32) / 4);
  const byte = column % 4;
  const field = (word: number, at: number, width: number): number =>
    Math.floor(words[word] / 2 ** (8 * byte + at)) % 2 ** width;
  if (bits === 3 || bits === 5) {
    const low = bits - 1;
    return field(first + (quad % low), low * Math.floor(quad / low), low) +
      2 ** low * field(first + low, quad, 1);
  }
  if (bits === 6) {
    return field(first + (quad % 4), 4 * Math.floor(quad / 4), 4) +
      16 * field(first + 4 + (quad % 2), 2 * Math.floor(quad / 2), 2);
  }
  return field(first + (quad % bits), bits * Math.floor(quad / bits), bits);
}
