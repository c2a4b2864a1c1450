/**
 * Seeded damage to values and texts, for tests of hostile files.
 *
 * @module
 */

/** Numbers in [0, 1) from a seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const oddValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e9,
  4294967295,
  Number.MAX_VALUE,
  "",
  "x",
  "__proto__",
  "(a+)+$",
  "\uD800",
  "a".repeat(2000),
  [],
  {},
  [[]],
  [null],
  { type: "Sequence" },
  { Regex: "(" },
  { String: "" },
  { type: "FixedLength", length: 0 },
];

/** A copy of a JSON value with one random node replaced, removed, repeated or renamed. */
export function mutated(value: unknown, next: () => number): unknown {
  const copy = structuredClone(value);
  const nodes: { parent: Record<string, unknown>; key: string }[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    for (const key of Object.keys(node)) {
      const parent = node as Record<string, unknown>;
      nodes.push({ parent, key });
      visit(parent[key]);
    }
  };
  visit(copy);
  const { parent, key } = nodes[Math.floor(next() * nodes.length)];
  const odd = structuredClone(oddValues[Math.floor(next() * oddValues.length)]);
  switch (Math.floor(next() * 4)) {
    case 0:
      delete parent[key];
      break;
    case 1: {
      const other = nodes[Math.floor(next() * nodes.length)];
      parent[key] = structuredClone(other.parent[other.key]);
      break;
    }
    default:
      parent[key] = odd;
  }
  return copy;
}

/** A copy of a text with a few random characters replaced, removed, inserted or cut. */
export function mutatedText(text: string, next: () => number): string {
  const odd = ['"', "{", "}", "\n", "\t", ",", "\\", "\0", "\uFEFF", "\uD800", " ", "]"];
  let result = text;
  for (let changes = 1 + Math.floor(next() * 3); changes > 0; changes--) {
    const at = Math.floor(next() * (result.length + 1));
    const insert = odd[Math.floor(next() * odd.length)];
    const kind = next();
    result = kind < 0.4
      ? result.slice(0, at) + insert + result.slice(at)
      : kind < 0.7
      ? result.slice(0, at) + insert + result.slice(at + 1)
      : kind < 0.9
      ? result.slice(0, at) + result.slice(at + 1 + Math.floor(next() * 8))
      : result.slice(0, at);
  }
  return result;
}
