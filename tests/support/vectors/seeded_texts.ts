/**
 * Seeded texts and ids for tokenizers: letters, blanks, digits, marks and scripts that tokenizers treat in different ways.
 *
 * @module
 */
import { random } from "../../models/tokenizers/tokenizer_mutate.ts";

const pool: readonly (readonly string[])[] = [
  ["film", "Film", "FILM", "fine", "filming", "a", "ab", "a b", "in", "ing", "n", "nn", "the"],
  [" ", " ", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\t"],
  ["\u00a0", "\u3000", "\u0085", "\u2028", "\u200b", "\ufeff", "\u1680", "\u000b"],
  ["1", "12", "1234", "\u0663", "\u00b2", "\u2167", "\u00bd", "\u0967"],
  [".", ",", "!", "?", "$", "$&", "$1", "^", "`", "\u00bf", "\u3002", "\u2014", "_", "-", "#", "|"],
  ["'s", "'S", "n't", "don't", "'", "\u2019s", " '"],
  [
    "\u{1F600}",
    "\u{1F468}\u200D\u{1F469}\u200D\u{1F467}",
    "\u{1F1E9}\u{1F1EA}",
    "\u{1F44D}\u{1F3FD}",
  ],
  ["\u0645\u0631\u062d\u0628\u0627", "\u05e9\u05dc\u05d5\u05dd", "\u0650", "\u05b0"],
  [
    "\u00e9",
    "e\u0301",
    "n\u0303",
    "\u0301",
    "\u1e9b\u0323",
    "\u00c5",
    "\u0130",
    "\u03a3",
    "\u03c2",
    "A\u03a3",
  ],
  [
    "\u4f60\u597d",
    "\u3072\u3089",
    "\u30ab\u30bf",
    "\ud55c\uad6d",
    "\u0e2a\u0e27\u0e31\u0e2a",
    "\uff21\uff11",
  ],
  ["\0", "\u0001", "\u007f", "\ufffd", "\u00ad", "\ue000"],
  ["\u2581", "\u2581a", "\u0120", "<s>", "</s>", "<x>", "<unk>", "<0x41>", "##", "</w>"],
  ["\ufb01", "\u00df", "\u2126", "\u00b5"],
];

/** Texts of up to 24 parts, the same for the same seed. */
export function seededTexts(count: number, seed: number): string[] {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)];
  return Array.from({ length: count }, () => {
    let text = "";
    for (let parts = Math.floor(next() * 24); parts > 0; parts--) {
      text += pick(next() < 0.4 ? pool[0] : next() < 0.4 ? pool[1] : pick(pool));
    }
    return text;
  });
}

/** Lists of up to 24 ids below `size`, the same for the same seed. */
export function seededIds(count: number, size: number, seed: number): number[][] {
  const next = random(seed);
  return Array.from(
    { length: count },
    () =>
      Array.from({ length: 1 + Math.floor(next() * 24) }, () =>
        // Texts come after the byte tokens.
        next() < 0.3 ? Math.floor(next() * 256) : 256 + Math.floor(next() * (size - 256))),
  );
}
