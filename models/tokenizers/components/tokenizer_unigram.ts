/**
 * The Unigram model: of all ways to spell a word in pieces, the one with the best sum of scores.
 *
 * @module
 */
import { byteTokens } from "./tokenizer_bpe.ts";

/** What a model of this kind is made of. */
export interface UnigramOptions {
  /** Pieces with their scores; the id of a piece is its place. */
  readonly pieces: readonly (readonly [string, number])[];
  /** The piece for what has none. */
  readonly unknown?: number | undefined;
  /** What has no piece becomes the pieces `<0x00>` to `<0xFF>` of its bytes. */
  readonly byteFallback: boolean;
}

interface Node {
  readonly next: Map<string, Node>;
  id: number;
}

/** How much worse than the worst piece a letter without one is. */
const unknownPenalty = 10;

/** Ids of a word. @throws TypeError when a letter has no piece and there is no unknown one. */
export function unigramModel(options: UnigramOptions): (word: string) => readonly number[] {
  const { pieces, unknown } = options;
  const root: Node = { next: new Map(), id: -1 };
  let worst = Infinity;
  for (const [id, [text, score]] of pieces.entries()) {
    worst = Math.min(worst, score);
    let node = root;
    for (let i = 0; i < text.length; i++) {
      let next = node.next.get(text[i]);
      if (next === undefined) node.next.set(text[i], next = { next: new Map(), id: -1 });
      node = next;
    }
    node.id = id;
  }
  const ids = new Map(pieces.map(([text], id): [string, number] => [text, id]));

  return (word) => {
    if (word === "") return [];
    // By place: the best sum of a path that ends there, where its last piece begins, and that piece.
    const best = new Float64Array(word.length + 1);
    const begin = new Int32Array(word.length + 1).fill(-1);
    const piece = new Int32Array(word.length + 1);
    const offer = (start: number, end: number, id: number, score: number): void => {
      const sum = score + best[start];
      if (begin[end] >= 0 && sum <= best[end]) return;
      best[end] = sum;
      begin[end] = start;
      piece[end] = id;
    };
    for (let start = 0; start < word.length;) {
      const letter = word.codePointAt(start)! > 0xffff ? 2 : 1;
      let single = false;
      let node: Node | undefined = root;
      for (let end = start; end < word.length;) {
        node = node.next.get(word[end++]);
        if (node === undefined) break;
        if (node.id < 0) continue;
        offer(start, end, node.id, pieces[node.id][1]);
        single ||= end - start === letter;
      }
      if (!single) {
        if (unknown === undefined) {
          throw new TypeError(
            `Cannot tokenise: ${
              JSON.stringify(word.slice(start, start + letter))
            } has no piece, and unk_id names none`,
          );
        }
        offer(start, start + letter, unknown, worst - unknownPenalty);
      }
      start += letter;
    }
    const texts: string[] = [];
    let fused = "";
    for (let end = word.length; end > 0; end = begin[end]) {
      const text = word.slice(begin[end], end);
      if (piece[end] === unknown) fused = text + fused;
      else {
        if (fused !== "") texts.push(fused);
        fused = "";
        texts.push(text);
      }
    }
    if (fused !== "") texts.push(fused);
    return texts.reverse().flatMap((text) => {
      const id = ids.get(text);
      if (id !== undefined) return [id];
      return (options.byteFallback ? byteTokens(text, ids) : undefined) ?? [unknown!];
    });
  };
}
