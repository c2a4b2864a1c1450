/**
 * Handles a stored head next to an embedding that is tied to the head.
 *
 * @module
 */

import type { FolderNames } from "../folder_names.ts";
import type { ClaimedTensors } from "../tensor_places.ts";

/** Bytes per comparison. A head with other values differs everywhere. */
const PIECE = 65536;

/**
 * A note about the stored head of a model whose `tie_word_embeddings` is true. The head is left out. If its values differ from the embedding's, the
 * note says how other programs treat it. Undefined if head and embedding are not both stored.
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
