/**
 * Converts the tokenizer of a GGUF file, its `tokenizer.ggml.*` entries, to the form of a `tokenizer.json`.
 *
 * Two models are supported. "gpt2" is byte-level BPE with its merges. "llama" is SentencePiece, which joins the adjacent pieces whose
 * combination has the best score. As BPE, that is one merge for every way to split a piece in two, in the order of the scores. The entries are
 * those of the GGUF specification (ggml/docs/gguf.md) and llama.cpp.
 *
 * @module
 */
import { templatesOfGguf, templateValue } from "./chat_templates.ts";
import { endsOf, Entries, tokenType, typesOf, unreadEntries } from "./tokenizer_gguf_entries.ts";
import { preTokenizerOf } from "./tokenizer_pre.ts";
import { mergesOfScores, orderOfScores } from "./tokenizer_scores.ts";
import { type Tokenizer, tokenizerFromJson, type TokenizerOptions } from "./tokenizer.ts";

const maximumTokens = 1 << 22;
const space = "\u2581";

/**
 * Creates a tokenizer from the metadata of a GGUF file.
 *
 * @param metadata Values by key: strings, numbers, bigints, booleans, arrays or typed arrays.
 * @throws {TypeError} for a missing entry or a wrong type.
 * @throws {RangeError} for a wrong value or an unknown name.
 *
 * @example A SentencePiece vocabulary
 * ```ts
 * import { tokenizerFromGguf } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const tokenizer = tokenizerFromGguf(new Map<string, unknown>([
 *   ["tokenizer.ggml.model", "llama"],
 *   ["tokenizer.ggml.tokens", ["<unk>", "<s>", "\u2581", "a", "b", "ab", "\u2581ab"]],
 *   ["tokenizer.ggml.scores", [0, 0, -5, -5, -5, -1, -2]],
 *   ["tokenizer.ggml.token_type", [2, 3, 1, 1, 1, 1, 1]],
 *   ["tokenizer.ggml.bos_token_id", 1],
 *   ["tokenizer.ggml.unknown_token_id", 0],
 * ]));
 * assertEquals(tokenizer.encode("ab ba"), [1, 6, 2, 4, 3]);
 * assertEquals(tokenizer.decode([6, 2, 4, 3]), "ab ba");
 * ```
 */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, unknown>): Tokenizer {
  const { json, config, ...options } = tokenizerJsonFromGguf(metadata);
  return tokenizerFromJson(json, config, options);
}

/** A GGUF file's tokenizer in the form of Hugging Face folders. */
export interface SpelledTokenizer extends TokenizerOptions {
  /** Contents of `tokenizer.json`. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Contents of `tokenizer_config.json`: the texts of special tokens, and any chat templates. */
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * The contents of `tokenizer.json` and `tokenizer_config.json` for a GGUF file's tokenizer, from which {@linkcode tokenizerFromGguf} creates it.
 *
 * @throws {TypeError} for a missing entry or a wrong type.
 * @throws {RangeError} for a wrong value or an unknown name.
 *
 * @example A tokenizer in the form of a folder
 * ```ts
 * import { tokenizerJsonFromGguf } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const { json, config } = tokenizerJsonFromGguf(new Map<string, unknown>([
 *   ["tokenizer.ggml.model", "gpt2"],
 *   ["tokenizer.ggml.pre", "gpt-2"],
 *   ["tokenizer.ggml.tokens", ["a", "b", "ab", "<s>"]],
 *   ["tokenizer.ggml.token_type", [1, 1, 1, 3]],
 *   ["tokenizer.ggml.merges", ["a b"]],
 *   ["tokenizer.ggml.bos_token_id", 3],
 * ]));
 * assertEquals((json.model as { merges: unknown }).merges, [["a", "b"]]);
 * assertEquals(config.bos_token, "<s>");
 * ```
 */
export function tokenizerJsonFromGguf(metadata: ReadonlyMap<string, unknown>): SpelledTokenizer {
  const entries = new Entries(metadata);
  const model = entries.text("model");
  if (model !== "gpt2" && model !== "llama") {
    throw new RangeError(
      `Cannot load the tokenizer: model ${
        JSON.stringify(model)
      } is not supported; expected "gpt2" or "llama"`,
    );
  }
  const tokens = entries.texts("tokens");
  if (tokens === undefined || tokens.length === 0 || tokens.length > maximumTokens) {
    throw new TypeError(
      `Cannot load the tokenizer: tokenizer.ggml.tokens has ${tokens?.length ?? "no"} entries`,
    );
  }
  const types = typesOf(entries, tokens);
  sameLength("token_type", types.length, tokens.length);
  const parts = model === "gpt2" ? byteLevel(entries) : sentencePiece(entries, tokens, types);
  const addBos = entries.flag("add_bos_token") ?? parts.addBos;
  const addEos = entries.flag("add_eos_token") ?? false;
  const named = (name: string, otherwise: number): number | undefined =>
    entries.id(name, tokens) ??
      (model !== "llama" || otherwise >= tokens.length ? undefined : otherwise);
  // If a file names none, or one outside the vocabulary, SentencePiece's ids are used.
  const bos = named("bos_token_id", 1);
  const eos = named("eos_token_id", 2);
  const notes = [[addBos, bos, "BOS", "before"], [addEos, eos, "EOS", "behind"]].flatMap(
    ([add, id, name, where]) =>
      add && id === undefined
        ? [
          `The GGUF file asks for a ${name} token ${where} a text but does not name one, so none is added.`,
        ]
        : [],
  );
  notes.push(...unreadEntries(metadata));
  const first = firstIds(tokens);
  const phi3 = /phi-?3/i.test(String(metadata.get("general.name") ?? ""));
  const json = {
    version: "1.0",
    truncation: null,
    padding: null,
    ...parts.json,
    model: { ...parts.json.model, vocab: Object.fromEntries(first) },
    added_tokens: tokens.flatMap((content, id) => {
      // If a text occurs twice, the first id is found.
      if (content === "" || !isAdded(types[id]) || first.get(content) !== id) return [];
      const rstrip = phi3 && phi3Strips(content, types[id]);
      const flags = { single_word: false, lstrip: false, rstrip, normalized: false };
      return [{ id, content, ...flags, special: types[id] !== tokenType.userDefined }];
    }),
    post_processor: template(
      addBos && bos !== undefined ? [bos] : [],
      addEos && eos !== undefined ? [eos] : [],
      tokens,
    ),
  };
  const { single, others } = templatesOfGguf(metadata);
  const chat = templateValue(single, others);
  // Neither token occurs in text by itself, so an id without a token does no harm.
  const spelled = (name: string): string | undefined => {
    const id = metadata.get(`tokenizer.ggml.${name}`);
    return typeof id === "number" ? tokens[id] : undefined;
  };
  const unknown = spelled("unknown_token_id");
  const padding = spelled("padding_token_id");
  return {
    json,
    config: {
      ...(bos === undefined ? {} : { bos_token: tokens[bos] }),
      ...(eos === undefined ? {} : { eos_token: tokens[eos] }),
      ...(unknown === undefined ? {} : { unk_token: unknown }),
      ...(padding === undefined ? {} : { pad_token: padding }),
      ...(chat === undefined ? {} : { chat_template: chat }),
    },
    generation: { eos_token_id: endsOf(entries, tokens, eos) },
    texts: tokens,
    ...(parts.mergeOrder === undefined ? {} : { mergeOrder: parts.mergeOrder }),
    ...(notes.length === 0 ? {} : { notes }),
  };
}

/** Whether a token is found in a text before anything else: control and user-defined tokens. */
function isAdded(type: number): boolean {
  return type === tokenType.control || type === tokenType.userDefined || type === tokenType.unknown;
}

/** Whether a token removes the white space after it. llama.cpp infers this from the model's name; no entry of the file says so. */
function phi3Strips(content: string, type: number): boolean {
  return content === "</s>" ||
    type !== tokenType.unknown && !["<unk>", "<s>", "<|endoftext|>"].includes(content);
}

/** The first id of each text, for texts that occur twice. */
function firstIds(tokens: readonly string[]): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  tokens.forEach((token, id) => ids.has(token) || ids.set(token, id));
  return ids;
}

/** Parts of a `tokenizer.json`, and whether a BOS token is added if the file does not say. */
interface Parts {
  readonly json: { readonly model: Record<string, unknown>; readonly [part: string]: unknown };
  readonly addBos: boolean;
  /** Order of merges, if several have the same score. */
  readonly mergeOrder?: readonly number[];
}

function byteLevel(entries: Entries): Parts {
  const merges = entries.texts("merges");
  if (merges === undefined) {
    throw new TypeError("Cannot load the tokenizer: tokenizer.ggml.merges is missing");
  }
  const { preTokenizer, ignoreMerges, addBos } = preTokenizerOf(
    entries.optionalText("pre") ?? "default",
  );
  return {
    json: {
      model: { ...bpe, merges: merges.map(splitMerge), ignore_merges: ignoreMerges },
      normalizer: null,
      pre_tokenizer: preTokenizer,
      decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    },
    addBos,
  };
}

function sentencePiece(
  entries: Entries,
  tokens: readonly string[],
  types: readonly number[],
): Parts {
  // llama.cpp treats missing scores as zeros.
  const scores = entries.numbers("scores") ?? tokens.map(() => 0);
  sameLength("scores", scores.length, tokens.length);
  // For other readers, merges are not part of this model: they use the scores. This library writes both, because scores cannot express everything
  // that merges express. In files of other programs the two may disagree; then the scores apply.
  const listed = entries.texts("merges")?.map(splitMerge);
  const own = listed !== undefined && agree(listed, tokens, types, scores) ? listed : undefined;
  // Merges may produce pieces of any type. Tokens that are found as a whole need no merges.
  const mergeable = (id: number): boolean =>
    types[id] !== tokenType.control && types[id] !== tokenType.unknown;
  const merges = own ?? mergesOfScores(tokens, mergeable, scores);
  const order = own === undefined ? orderOfScores(merges, tokens, scores) : undefined;
  const prefix = entries.flag("add_space_prefix") ?? true;
  const replace = { type: "Replace", pattern: { String: " " }, content: space };
  const unknown = entries.id("unknown_token_id", tokens) ?? types.indexOf(tokenType.unknown);
  return {
    json: {
      model: {
        ...bpe,
        merges,
        byte_fallback: true,
        fuse_unk: true,
        unk_token: tokens[unknown] ?? null,
      },
      normalizer: prefix
        ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: space }, replace] }
        : replace,
      pre_tokenizer: null,
      decoder: {
        type: "Sequence",
        decoders: [
          { type: "Replace", pattern: { String: space }, content: " " },
          { type: "ByteFallback" },
          { type: "Fuse" },
          ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
        ],
      },
    },
    addBos: true,
    ...(order === undefined ? {} : { mergeOrder: order }),
  };
}

/** Whether the merges produce tokens in the order of their scores, with all other tokens one score below, as this library writes them. */
function agree(
  merges: readonly (readonly [string, string])[],
  tokens: readonly string[],
  types: readonly number[],
  scores: readonly number[],
): boolean {
  const ids = firstIds(tokens);
  const seen = new Set<number>();
  let last = Infinity;
  for (const [left, right] of merges) {
    const id = ids.get(left + right);
    if (id === undefined || seen.has(id)) continue;
    if (!(scores[id] < last)) return false;
    last = scores[id];
    seen.add(id);
  }
  const rest = scores.filter((_, id) => types[id] === tokenType.normal && !seen.has(id));
  return rest.every((score) => score === rest[0] && score < last);
}

/** All options of a BPE model as Python reads them. Each kind of tokenizer changes some of them. */
const bpe = {
  type: "BPE",
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
};

/** The two texts of a merge. The first may itself be a space. */
function splitMerge(merge: string): [string, string] {
  const at = merge.indexOf(" ", 1);
  return at < 0 ? [merge, ""] : [merge.slice(0, at), merge.slice(at + 1)];
}

function template(
  start: readonly number[],
  end: readonly number[],
  tokens: readonly string[],
): unknown {
  if (start.length + end.length === 0) return null;
  const special = (type_id: number) => (id: number): unknown => ({
    SpecialToken: { id: tokens[id], type_id },
  });
  const around = (id: string, type_id: number): unknown[] => [
    ...start.map(special(type_id)),
    { Sequence: { id, type_id } },
    ...end.map(special(type_id)),
  ];
  return {
    type: "TemplateProcessing",
    single: around("A", 0),
    pair: [...around("A", 0), ...around("B", 1)],
    special_tokens: Object.fromEntries(
      [...start, ...end].map((id) => [
        tokens[id],
        { id: tokens[id], ids: [id], tokens: [tokens[id]] },
      ]),
    ),
  };
}

function sameLength(name: string, length: number, expected: number): void {
  if (length !== expected) {
    throw new RangeError(
      `Cannot load the tokenizer: tokenizer.ggml.${name} has ${length} entries for ${expected} tokens`,
    );
  }
}
