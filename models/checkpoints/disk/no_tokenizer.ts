/**
 * The error for a model without a supported tokenizer where text is needed.
 *
 * @module
 */
import { join } from "@std/path";

/** Files of tokenizers in unsupported formats, by name. */
const others: readonly (readonly [RegExp, string])[] = [
  [/^(tokenizer|spiece|sentencepiece(\.bpe)?)\.model$/, "SentencePiece's"],
  [/^tekken\.json$/, "Mistral's"],
  [/\.tiktoken$/, "tiktoken's"],
  [/^(vocab\.json|merges\.txt|vocab\.txt|vocab\.bpe|encoder\.json)$/, "an older form"],
];

/**
 * The error for a model without a tokenizer. It names tokenizer files in other formats, and says what to do.
 *
 * @param name Path of the model's file or folder.
 * @param attempted What was attempted, as a continuation of "Cannot".
 */
export function noTokenizer(name: string, attempted = `tokenise for "${name}"`): RangeError {
  const names = namesIn(name);
  if (names === undefined) {
    return new RangeError(
      `Cannot ${attempted}: it has no tokenizer. Use the file with its tokenizer.ggml entries, or the folder that it was made from`,
    );
  }
  const found = names.flatMap((file) => {
    const form = others.find(([pattern]) => pattern.test(file))?.[1];
    return form === undefined ? [] : [`${file} (${form})`];
  });
  const how =
    `write one with transformers: AutoTokenizer.from_pretrained(${JSON.stringify(name)})` +
    `.save_pretrained(${JSON.stringify(name)})`;
  return new RangeError(
    found.length === 0
      ? `Cannot ${attempted}: it has no tokenizer. Put the tokenizer.json of the model into it, and tokenizer_config.json`
      : `Cannot ${attempted}: it has no tokenizer.json, and ${
        found.sort().join(", ")
      } is not read; ${how}`,
  );
}

function namesIn(folder: string): string[] | undefined {
  try {
    if (!Deno.statSync(folder).isDirectory) return undefined;
    return [...Deno.readDirSync(join(folder))].map(({ name }) => name);
  } catch {
    return undefined; // Opening it will report the reason.
  }
}
