import { seeded } from "./random.ts";

/** Values that lying counts, lengths and offsets like to take. */
const LIES = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 2 ** 32, 2 ** 53, 2 ** 63];

/**
 * A damaged copy of `bytes`: flipped bits, a cut, a number overwritten, a stretch copied elsewhere, removed or inserted,
 * or random bytes. Damage falls on the first `header` bytes more often than not.
 */
export function mutate(
  bytes: Uint8Array<ArrayBuffer>,
  header: number,
  seed: number,
): Uint8Array<ArrayBuffer> {
  const next = seeded(seed);
  const below = (count: number): number => Math.floor(next() * count);
  const place = (): number => below(next() < 0.9 ? header : bytes.length);
  const copy = bytes.slice();
  switch (seed % 8) {
    case 0:
      for (let i = below(4); i >= 0; i--) copy[place()] ^= 1 << below(8);
      return copy;
    case 1:
      return copy.slice(0, place());
    case 2: {
      const view = new DataView(copy.buffer);
      const value = BigInt(LIES[below(LIES.length)]);
      view.setBigUint64(Math.min(place(), copy.length - 8), value, true);
      return copy;
    }
    case 3: {
      const view = new DataView(copy.buffer);
      view.setUint32(Math.min(place(), copy.length - 4), LIES[below(LIES.length)], true);
      return copy;
    }
    case 4: {
      const from = place();
      copy.copyWithin(place(), from, from + 1 + below(40));
      return copy;
    }
    case 5: {
      const at = place();
      const gone = 1 + below(20);
      return new Uint8Array([...copy.subarray(0, at), ...copy.subarray(at + gone)]);
    }
    case 6: {
      const at = place();
      const more = Array.from({ length: 1 + below(20) }, () => below(256));
      return new Uint8Array([...copy.subarray(0, at), ...more, ...copy.subarray(at)]);
    }
    default:
      // Digits for digits, so that JSON stays JSON and numbers lie.
      for (let i = below(3), at = place(); at < copy.length && i >= 0; at++) {
        if (copy[at] >= 48 && copy[at] <= 57) {
          copy[at] = 48 + below(10);
          i--;
        }
      }
      return copy;
  }
}
