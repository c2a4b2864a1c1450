/** A small seeded generator for tests: mulberry32. Uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Roughly normal values. */
export function normals(seed: number, count: number): Float32Array<ArrayBuffer> {
  const next = seeded(seed);
  const values = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += next();
    values[at] = sum;
  }
  return values;
}

/** Random bytes. */
export function randomBytes(seed: number, count: number): Uint8Array<ArrayBuffer> {
  const next = seeded(seed);
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at++) bytes[at] = next() * 256;
  return bytes;
}
