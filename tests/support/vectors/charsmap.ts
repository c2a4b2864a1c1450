/**
 * A map of characters as SentencePiece compiles it.
 *
 * @module
 */

/** A compiled map of a few entries, as SentencePiece writes it: units of a double array, then the texts. */
export function charsmap(): string {
  const entries: [string, string][] = [
    ["\ufb01", "fi"],
    ["\u00a0", " "],
    ["e\u0301", "\u00e9"],
    ["\u3000", " "],
    ["\u00ad", ""],
    ["a", "A"],
    ["ab", "never"],
    ["\u{1F600}", ":-)"],
  ];
  const encoder = new TextEncoder();
  const texts: number[] = [];
  const values = new Map(entries.map(([from, to]): [string, number] => {
    const at = texts.length;
    texts.push(...encoder.encode(to), 0);
    return [encoder.encode(from).join(), at];
  }));
  // Each node of the trie takes a block of 256 units of its own, which wastes space and needs no search.
  const paths = [
    ...new Set(entries.flatMap(([from]) => {
      const bytes = encoder.encode(from);
      return Array.from({ length: bytes.length + 1 }, (_, i) => bytes.slice(0, i).join());
    })),
  ];
  const units = new Uint32Array(512 * (paths.length + 1));
  const blockOf = new Map(paths.map((path, i): [string, number] => [path, (i + 1) * 256]));
  const offsetBits = (from: number, to: number): number => {
    const offset = from ^ to;
    return offset < 2 ** 21 ? offset << 10 : (offset >>> 8) << 10 | 1 << 9;
  };
  units[0] = offsetBits(0, blockOf.get("")!);
  for (const path of paths) {
    const block = blockOf.get(path)!;
    for (const child of paths) {
      const bytes = child === "" ? [] : child.split(",");
      if (bytes.length === 0 || bytes.slice(0, -1).join() !== path) continue;
      const byte = Number(bytes.at(-1));
      const at = block ^ byte;
      units[at] = offsetBits(at, blockOf.get(child)!) | byte | (values.has(child) ? 1 << 8 : 0);
      if (values.has(child)) units[blockOf.get(child)!] = (values.get(child)! | 2 ** 31) >>> 0;
    }
  }
  const table = new Uint8Array(units.buffer);
  const all = new Uint8Array(4 + table.length + texts.length);
  new DataView(all.buffer).setUint32(0, table.length, true);
  all.set(table, 4);
  all.set(texts, 4 + table.length);
  let binary = "";
  for (const byte of all) binary += String.fromCharCode(byte);
  return btoa(binary);
}
