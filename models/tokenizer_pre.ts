/**
 * The pre-tokenizers that GGUF files call by name (`tokenizer.ggml.pre`): how a text is cut into words before the merges
 * of a byte-level BPE. The expressions are those of llama.cpp (src/llama-vocab.cpp), applied one after another.
 *
 * @module
 */

/** One named pre-tokenizer. */
export interface NamedPreTokenizer {
  /** The names that GGUF files use; a writer takes the first. */
  readonly names: readonly string[];
  /** Expressions; each cuts what the one before left whole. */
  readonly expressions: readonly string[];
  /** Other spellings of the only expression, as Hugging Face files write it. */
  readonly spellings?: readonly string[];
}

const contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const foldedContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
/** The expression of the cl100k family; they differ in how many digits make a word. */
const cl100k = (start: string, digits: string): string =>
  `${start}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** GPT-2's own expression. */
const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";

/** The pre-tokenizers known by name. */
export const namedPreTokenizers: readonly NamedPreTokenizer[] = [
  {
    names: ["gpt-2", "phi-2", "jina-es", "jina-de", "mpt", "olmo", "jais", "roberta-bpe"],
    expressions: [gpt2],
    spellings: [`${gpt2}|\\s+`],
  },
  {
    names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "dbrx", "smaug-bpe", "chatglm-bpe"],
    expressions: [cl100k(contractions, "\\p{N}{1,3}")],
    spellings: [cl100k(foldedContractions, "\\p{N}{1,3}")],
  },
  {
    names: ["qwen2", "stablelm2", "deepseek-r1-qwen", "megrez"],
    expressions: [cl100k(contractions, "\\p{N}")],
    spellings: [cl100k(foldedContractions, "\\p{N}")],
  },
  {
    names: ["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"],
    expressions: ["\\p{N}", gpt2],
  },
  { names: ["falcon"], expressions: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2, "[0-9][0-9][0-9]"] },
  {
    names: ["deepseek-coder"],
    expressions: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-\uD7FF]+", "\\p{N}"],
  },
  {
    names: ["default"],
    expressions: ["[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2, "\\p{N}+", "[0-9][0-9][0-9]"],
  },
];

/** Names whose words stay whole in llama.cpp although they share an expression with names whose words do not. */
const wholeWords = new Set(["llama-bpe", "llama3", "llama-v3", "falcon3"]);

/**
 * `pre_tokenizer` of a `tokenizer.json` for a name of GGUF, and whether words that are tokens stay whole.
 *
 * @throws RangeError for an unknown name; it lists the known ones.
 */
export function preTokenizerOf(name: string): { preTokenizer: unknown; ignoreMerges: boolean } {
  const named = namedPreTokenizers.find((entry) => entry.names.includes(name));
  if (named === undefined) {
    const known = namedPreTokenizers.flatMap((entry) => entry.names).join(", ");
    throw new RangeError(
      `Cannot load the tokenizer: unknown pre-tokenizer ${
        JSON.stringify(name)
      }, known are ${known}`,
    );
  }
  return {
    preTokenizer: {
      type: "Sequence",
      pretokenizers: [
        ...named.expressions.map((Regex) => ({
          type: "Split",
          pattern: { Regex },
          behavior: "Isolated",
          invert: false,
        })),
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    ignoreMerges: wholeWords.has(name),
  };
}

/** The name for a `pre_tokenizer` of a `tokenizer.json`; undefined if none fits. */
export function preTokenizerName(preTokenizer: unknown, ignoreMerges: boolean): string | undefined {
  const parts = flatten(preTokenizer);
  const last = parts.pop();
  if (last?.type !== "ByteLevel" || last.add_prefix_space === true) return undefined;
  const expressions: string[] = [];
  for (const part of parts) {
    const pattern = part.pattern;
    if (part.type === "Digits" && part.individual_digits === true) expressions.push("\\p{N}");
    else if (part.type === "Split" && part.invert !== true && part.behavior === "Isolated") {
      if (typeof pattern !== "object" || pattern === null || !("Regex" in pattern)) {
        return undefined;
      }
      expressions.push(String(pattern.Regex));
    } else return undefined;
  }
  if (last.use_regex !== false) expressions.push(gpt2);
  const same = (entry: NamedPreTokenizer): boolean =>
    entry.expressions.join("\0") === expressions.join("\0") ||
    (expressions.length === 1 && entry.spellings?.includes(expressions[0]) === true);
  const named = namedPreTokenizers.find(same);
  if (named === undefined) return undefined;
  // "dbrx" cuts like "llama-bpe" and lets merges decide.
  return named.names.find((name) => wholeWords.has(name) === ignoreMerges);
}

type Part = { readonly type?: unknown; readonly [option: string]: unknown };

function flatten(value: unknown): Part[] {
  if (typeof value !== "object" || value === null) return [];
  const part: Part = value as Part;
  return part.type === "Sequence" && Array.isArray(part.pretokenizers)
    ? part.pretokenizers.flatMap(flatten)
    : [part];
}
