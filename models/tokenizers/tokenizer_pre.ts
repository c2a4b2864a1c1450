/**
 * The pre-tokenizers that GGUF files name (`tokenizer.ggml.pre`): how a text is split into words before byte-level BPE merges. The expressions are
 * those of llama.cpp (src/llama-vocab.cpp), applied one after another.
 *
 * @module
 */

/** A named pre-tokenizer. */
export interface NamedPreTokenizer {
  /** Names used in GGUF files. The first is written. */
  readonly names: readonly string[];
  /** Expressions, each of which splits the pieces that the previous one left. */
  readonly expressions: readonly string[];
  /** Other spellings of the only expression, as in Hugging Face files. */
  readonly spellings?: readonly string[];
  /** Whether words that are tokens are not split. */
  readonly wholeWords?: boolean;
  /** Whether a BOS token is added if the file does not say. */
  readonly addBos?: boolean;
  /** Whether a word may contain a space after other characters, because whatever no expression matches stays in one piece. */
  readonly joinsWords?: boolean;
}

const contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const foldedContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
/** The expression of the cl100k family. Members differ in the number of digits in a word. */
const cl100k = (
  start: string,
  digits: string,
  spaces = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  letters = "\\p{L}",
): string =>
  `${start}[^\\r\\n\\p{L}\\p{N}]?${letters === "\\p{L}" ? letters : `[${letters}]`}+|${digits}` +
  `| ?[^\\s${letters}\\p{N}]+[\\r\\n]*|${spaces}`;
/** The two spellings of a family: llama.cpp's and that of Hugging Face files. */
const family = (digits: string, spaces?: string, letters?: string) => ({
  expressions: [cl100k(`${contractions}|`, digits, spaces, letters)],
  spellings: [cl100k(`${foldedContractions}|`, digits, spaces, letters)],
});

/** The expression of the o200k family: upper-case characters, then lower-case ones. llama.cpp distinguishes only letters. */
const o200k = (upper: string, lower: string, end: string, digits: string): string =>
  `[^\\r\\n\\p{L}\\p{N}]?${upper}*${lower}+${end}|[^\\r\\n\\p{L}\\p{N}]?${upper}+${lower}*${end}|${digits}` +
  "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const notLower = "((?=[\\p{L}])([^a-z]))";
const notUpper = "((?=[\\p{L}])([^A-Z]))";
const upperCase = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const lowerCase = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

/** GPT-2's own expression. */
const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
/** Everything except spaces and a few punctuation marks and brackets. */
const bloom = " ?[^(\\s|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)]+";
const cjk = "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+";
const deepseek = (marks: string) =>
  `[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_\`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|${marks}|\\s+(?!\\S)|\\s+`;
/** Letters as listed by DeepSeek's first tokenizer. */
const listedLetters =
  "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373" +
  "\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F" +
  "\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77" +
  "\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D" +
  "\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB" +
  "\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128" +
  "\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4" +
  "\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF" +
  "\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\u{10400}-\u{1044F}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}" +
  "\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{118A0}-\u{118DF}\u{1E900}-\u{1E943}";
const eastAsian = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

/** The pre-tokenizers known by name. */
export const namedPreTokenizers: readonly NamedPreTokenizer[] = [
  {
    names: [
      "gpt-2",
      "phi-2",
      "jina-es",
      "jina-de",
      "jina-v1-en",
      "jina-v2-es",
      "jina-v2-de",
      "jina-v2-code",
      "roberta-bpe",
      "mpt",
      "olmo",
      "jais",
      "trillion",
      "gigachat",
      "a.x-4.0",
      "mellum",
      "modern-bert",
      "exaone4",
      "granite-docling",
    ],
    expressions: [gpt2],
    spellings: [`${gpt2}|\\s+`],
  },
  {
    names: [
      "llama-bpe",
      "llama3",
      "llama-v3",
      "falcon3",
      "falcon-h1",
      "pixtral",
      "midm-2.0",
      "lfm2",
      "jina-v5-nano",
    ],
    ...family("\\p{N}{1,3}"),
    wholeWords: true,
    addBos: true,
  },
  { names: ["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"], ...family("\\p{N}{1,3}") },
  {
    names: ["jais-2"],
    ...family(
      "\\p{N}{1,3}",
      `\\s*[\\r\\n]+|${
        [512, 256, 128, 64, 32, 16, 8, 4].map((n) => `\\s{${n}}(?!\\S)`).join("|")
      }|\\s{1,2}(?!\\S)|\\s{1}`,
    ),
  },
  {
    names: [
      "qwen2",
      "stablelm2",
      "deepseek-r1-qwen",
      "megrez",
      "hunyuan",
      "kormo",
      "f2llmv2",
      "solar-open",
      "grok-2",
    ],
    ...family("\\p{N}"),
  },
  { names: ["qwen35"], ...family("\\p{N}", undefined, "\\p{L}\\p{M}") },
  { names: ["ufakzeka"], expressions: [cl100k("", "\\p{N}")] },
  {
    names: ["laguna"],
    expressions: ["[^\\n]+|[\\n]+", cl100k(`${contractions}|`, "\\p{N}")],
  },
  {
    names: ["minicpm5"],
    expressions: ["\\p{N}{1,3}", cl100k(`${contractions}|`, "\\p{N}+")],
    wholeWords: true,
  },
  {
    names: ["seed-coder"],
    expressions: [
      `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    ],
  },
  {
    names: ["bailingmoe", "bailingmoe2", "llada-moe"],
    expressions: [
      "'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
    ],
  },
  {
    names: ["tekken"],
    expressions: [o200k(notLower, notUpper, "", "\\p{N}")],
    spellings: [o200k(upperCase, lowerCase, "", "\\p{N}")],
    wholeWords: true,
    addBos: true,
  },
  {
    names: ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
    expressions: [o200k(notLower, notUpper, `${contractions}?`, "\\p{N}{1,3}")],
    spellings: [o200k(upperCase, lowerCase, `${foldedContractions}?`, "\\p{N}{1,3}")],
  },
  {
    names: [
      "smollm",
      "starcoder",
      "refact",
      "command-r",
      "codeshell",
      "exaone",
      "minerva-7b",
      "mellum2",
    ],
    expressions: ["\\p{N}", gpt2],
  },
  { names: ["falcon"], expressions: ["[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2, "[0-9][0-9][0-9]"] },
  {
    names: ["deepseek-llm"],
    joinsWords: true,
    expressions: [
      "[\\r\\n]",
      `\\s?[${listedLetters}]+`,
      "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+",
      "\\s+$",
      eastAsian,
      "\\p{N}+",
    ],
  },
  {
    names: ["deepseek-coder"],
    joinsWords: true,
    expressions: ["[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", eastAsian, "\\p{N}"],
  },
  {
    names: ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
    expressions: ["\\p{N}{1,3}", cjk, deepseek(" ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+")],
  },
  { names: ["bloom", "poro-chat", "gpt3-finnish"], expressions: [bloom], joinsWords: true },
  { names: ["viking"], expressions: [bloom, "\\p{N}"], joinsWords: true },
  {
    names: ["chameleon"],
    expressions: [
      "<sentinel:[0-9]+>",
      "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z",
      "([\\t\\n]|    |  )",
      "\\p{N}",
      "[\\p{P}!-/:-@\\[-`{-~]",
      gpt2,
    ],
    addBos: true,
  },
  { names: ["superbpe"], expressions: ["\\p{N}+", "(?=(\\d{3})+(?!\\d))"], joinsWords: true },
  {
    names: ["default"],
    expressions: ["[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2, "\\p{N}+", "[0-9][0-9][0-9]"],
  },
];

const known = new Set(
  namedPreTokenizers.flatMap((entry) => [...entry.expressions, ...entry.spellings ?? []]),
);

/** Whether an expression belongs to a known pre-tokenizer. */
export function isKnownExpression(source: string): boolean {
  return known.has(source);
}

/**
 * The `pre_tokenizer` of a `tokenizer.json` for a name in GGUF, and the settings that llama.cpp associates with the name.
 *
 * @throws {RangeError} when the name is unknown. The message lists the known ones.
 */
export function preTokenizerOf(
  name: string,
): { preTokenizer: unknown; ignoreMerges: boolean; addBos: boolean } {
  const named = namedPreTokenizers.find((entry) => entry.names.includes(name));
  if (named === undefined) {
    const known = namedPreTokenizers.flatMap((entry) => entry.names).join(", ");
    throw new RangeError(
      `Cannot load the tokenizer: unknown pre-tokenizer ${
        JSON.stringify(name)
      }; expected one of ${known}`,
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
    ignoreMerges: named.wholeWords === true,
    addBos: named.addBos === true,
  };
}

/** The name of a `pre_tokenizer` of a `tokenizer.json`. Undefined if there is none. */
export function preTokenizerName(preTokenizer: unknown, ignoreMerges: boolean): string | undefined {
  return namedAs(preTokenizer).find((entry) => (entry.wholeWords === true) === ignoreMerges)
    ?.names[0];
}

/**
 * Whether a `pre_tokenizer` of a `tokenizer.json` is certain to split before every single space between non-blank characters, and to split each side
 * independently of the other.
 */
export function cutsAtSpaces(preTokenizer: unknown): boolean {
  const parts = flatten(preTokenizer);
  if (parts.length === 1 && parts[0].type === "Metaspace") {
    const { split = true, replacement = "\u2581" } = parts[0];
    return split === true && replacement === "\u2581";
  }
  const named = namedAs(preTokenizer);
  return named.length > 0 && !named.some((entry) => entry.joinsWords);
}

/** The entries whose expressions a `pre_tokenizer` of a `tokenizer.json` has. */
function namedAs(preTokenizer: unknown): NamedPreTokenizer[] {
  const parts = flatten(preTokenizer);
  const last = parts.pop();
  if (last?.type !== "ByteLevel" || last.add_prefix_space === true) return [];
  const expressions: string[] = [];
  for (const part of parts) {
    const pattern = part.pattern;
    if (part.type === "Digits" && part.individual_digits === true) expressions.push("\\p{N}");
    else if (part.type === "Split" && part.invert !== true && part.behavior === "Isolated") {
      if (typeof pattern !== "object" || pattern === null || !("Regex" in pattern)) return [];
      expressions.push(String(pattern.Regex));
    } else return [];
  }
  if (last.use_regex !== false) expressions.push(gpt2);
  return namedPreTokenizers.filter((entry) =>
    entry.expressions.join("\0") === expressions.join("\0") ||
    (expressions.length === 1 && entry.spellings?.includes(expressions[0]) === true)
  );
}

type Part = { readonly type?: unknown; readonly [option: string]: unknown };

function flatten(value: unknown): Part[] {
  if (typeof value !== "object" || value === null) return [];
  const part: Part = value as Part;
  return part.type === "Sequence" && Array.isArray(part.pretokenizers)
    ? part.pretokenizers.flatMap(flatten)
    : [part];
}
