/**
 * A stored head beside an embedding that is to be the head too.
 *
 * @module
 */

import type { FolderNames } from "../folder_names.ts";
import type { ClaimedTensors } from "../tensor_places.ts";

/** Bytes of a look; a head that is another table differs everywhere. */
const PIECE = 65536;

/**
 * What to know of the stored head of a model whose `tie_word_embeddings` is true: it is left out, and readers differ where it has values
 * of its own. Undefined where none is stored beside the embedding.
 */
export async function noteOnTiedHead(
  tensors: ClaimedTensors,
  names: FolderNames,
): Promise<string | undefined> {
  if (names.head === undefined || !tensors.has(names.head)) return undefined;
  if (!tensors.has(names.embedding)) return undefined;
  const [head, embedding] = [tensors.get(names.head)!, tensors.get(names.embedding)!];
  const isComparable = head.dtype === embedding.dtype && head.byteLength === embedding.byteLength;
  let same = true;
  const places = isComparable ? [0, 0.5, 1] : [];
  for (const place of places) {
    const length = Math.min(PIECE, head.byteLength);
    const at = Math.floor((head.byteLength - length) * place);
    const [a, b] = await Promise.all(
      [head, embedding].map(({ file, offset }) => file.read(offset + at, length)),
    );
    same &&= a.every((byte, i) => byte === b[i]);
  }
  return same
    ? `Left out: "${names.head}": the head, which tie_word_embeddings ties to the embedding.`
    : `Left out: "${names.head}": tie_word_embeddings is true, so the embedding is the head, as in transformers 4, vLLM and MLX; but the stored head has other values, and transformers 5 takes it. Set tie_word_embeddings to false in config.json if it is meant.`;
}
