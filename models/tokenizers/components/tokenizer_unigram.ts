/**
 * The Unigram model: of all ways to split a word into pieces, it chooses the one with the highest sum of scores.
 *
 * @module
 */
import { byteTokens } from "./tokenizer_bpe.ts";

/** Parameters of a Unigram model. */
export interface UnigramOptions {
  /** Pieces with their scores. The id of a piece is its index. */
  readonly pieces: readonly (readonly [string, number])[];
  /** Id of the unknown piece. */
  readonly unknown?: number | undefined;
  /** Whether characters without a piece become the pieces `<0x00>` to `<0xFF>` of their bytes. */
  readonly byteFallback: boolean;
}

interface Node {
  readonly next: Map<string, Node>;
  id: number;
}

/** How much lower than the lowest score an unknown character's score is. */
const unknownPenalty = 10;

/** Returns a function that gives the ids of a word. @throws {TypeError} when a character has no piece and there is no unknown piece. */
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
    // By position: the best sum of a path that ends there, the start of its last piece, and the id of that piece.
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
