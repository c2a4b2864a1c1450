/**
 * Determines which tokens are placed before and after a text. Training, evaluation, generation and export all use this module.
 *
 * The rules are those of transformers. The post-processor of `tokenizer.json` decides, whether or not a file names its tokens. Some tokenizer
 * classes build their own (Llama, Code Llama, Gemma, Cohere; a folder that names no class counts as Llama). For these, `add_bos_token` and
 * `add_eos_token` of `tokenizer_config.json` take precedence if they are present and name a token.
 *
 * The tokenizer of a GGUF file is converted so that the same rules give the same result as llama.cpp (tokenizer_gguf.ts).
 *
 * @module
 */
import { record } from "./tokenizer_record.ts";
import {
  nothingAround,
  type Surroundings,
  surroundingsOf,
} from "./components/tokenizer_template.ts";

/** The contents of a folder's other files with special tokens. */
export interface SpecialTokenFiles {
  /** Contents of `special_tokens_map.json`, used for tokens that `tokenizer_config.json` does not mention. */
  readonly specialTokens?: unknown;
  /** Contents of `generation_config.json`: `eos_token_id`, a number or a list. */
  readonly generation?: unknown;
  /** Contents of `config.json`, whose `eos_token_id` is used if `generation_config.json` has none. */
  readonly modelConfig?: unknown;
}

/** The special tokens of a tokenizer. */
export interface SpecialTokens extends Surroundings {
  /** Id of the token that begins a text: named by a file, or the first one placed before every text. */
  readonly bos?: number;
  /** Id of the token that ends a text. */
  readonly eos?: number;
  /** Ids that end generation. */
  readonly ends: readonly number[];
  /** Id of the mask token, which stands for a token to predict. */
  readonly mask?: number;
}

/** Classes that build their post-processor from the two flags; each exists with and without the suffix "Fast". */
const ownTemplate = /^(Llama|CodeLlama|Gemma|Cohere)Tokenizer(Fast)?$/;

/**
 * Determines the special tokens.
 *
 * @param processor `post_processor` of `tokenizer.json`.
 * @param idOf Returns the id of a token's text.
 * @param size One more than the largest id.
 * @throws {RangeError} when a file names a token that is not in the vocabulary.
 */
export function specialTokensOf(
  processor: unknown,
  config: Readonly<Record<string, unknown>>,
  files: SpecialTokenFiles,
  idOf: (token: string) => number | undefined,
  size: number,
): SpecialTokens {
  const map = isRecord(files.specialTokens) ? files.specialTokens : {};
  const named = (name: "bos_token" | "eos_token"): number | undefined => {
    const file = name in config ? config : map;
    const text = tokenText(file[name]);
    if (text === undefined) return undefined;
    const id = idOf(text);
    if (id !== undefined) return id;
    throw new RangeError(
      `Cannot load the tokenizer: ${name} ${JSON.stringify(text)} is not in the vocabulary`,
    );
  };
  const [bos, eos] = [named("bos_token"), named("eos_token")];
  const mask = maskOf("mask_token" in config ? config.mask_token : map.mask_token, idOf);
  const around = surroundingsOf(processor, idOf);
  for (const id of [...around.start, ...around.end]) {
    if (id < size) continue;
    throw new RangeError(
      `Cannot load the tokenizer: its post-processor adds the id ${id}, but the vocabulary has ${size} tokens`,
    );
  }
  const type = config.tokenizer_class;
  const own = type === undefined || type === null || ownTemplate.test(String(type));
  const flag = (name: "add_bos_token" | "add_eos_token"): boolean | undefined => {
    const value = config[name] ?? undefined;
    if (value !== undefined && typeof value !== "boolean") {
      throw new TypeError(
        `Cannot load the tokenizer: ${name} of tokenizer_config.json is ${
          JSON.stringify(value)
        }, expected true or false`,
      );
    }
    return own ? value : undefined;
  };
  // Without a post-processor, such a class adds BOS before a text unless a flag says otherwise.
  const unsaid = processor === null && ownTemplate.test(String(type)) ? true : undefined;
  const start = added(flag("add_bos_token") ?? unsaid, bos, around.start);
  const end = added(flag("add_eos_token"), eos, around.end);
  const stops = idsOf(files.generation) ?? idsOf(files.modelConfig) ?? [];
  const first = bos ?? start[0];
  const last = eos ?? stops[0];
  return {
    start,
    end,
    ...(first === undefined ? {} : { bos: first }),
    ...(last === undefined ? {} : { eos: last }),
    ...(mask === undefined ? {} : { mask }),
    ends: [...new Set(last === undefined ? stops : [last, ...stops])],
  };
}

/** The mask tokens of the BERT and RoBERTa classes, if no file names one. */
const usualMasks = ["[MASK]", "<mask>"];

/**
 * The mask token named by a file, or else one with a usual name. A name that is not in the vocabulary is ignored, because the model has no row
 * for it.
 */
function maskOf(
  named: unknown,
  idOf: (token: string) => number | undefined,
): number | undefined {
  const text = tokenText(named);
  const names = text === undefined ? usualMasks : [text];
  return names.map(idOf).find((id) => id !== undefined);
}

/** Prepends the ids that the tokenizer puts before every text, unless `ids` already begins with them. */
export function withStart(
  { start }: Pick<Surroundings, "start">,
  ids: readonly number[],
): number[] {
  return bringsStart({ start }, ids) ? [...ids] : [...start, ...ids];
}

/** Whether ids begin with those that the tokenizer puts before every text. */
export function bringsStart(
  { start }: Pick<Surroundings, "start">,
  ids: readonly number[],
): boolean {
  return start.length > 0 && start.every((id, i) => ids[i] === id);
}

/** The parts of a tokenizer that {@linkcode withoutStart} needs. */
export interface StartingTokenizer extends Pick<Surroundings, "start"> {
  /** Decodes ids as {@linkcode Tokenizer} does. */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string;
}

/**
 * Removes from the start of a text the tokens that the tokenizer puts before every text, if they are written out there. Templates copied from
 * elsewhere often contain a BOS token, which is added anyway. The output of a chat template also contains its own; there, transformers adds
 * nothing (`encode` with `addSpecial: false`).
 */
export function withoutStart(tokenizer: StartingTokenizer, text: string): string {
  const start = startText(tokenizer);
  return start !== "" && text.startsWith(start) ? text.slice(start.length) : text;
}

/** The text of the tokens that the tokenizer puts before every text. Empty if there are none. */
export function startText(tokenizer: StartingTokenizer): string {
  let text = startTexts.get(tokenizer);
  if (text === undefined) {
    const { start } = tokenizer;
    text = start.length === 0 ? "" : tokenizer.decode(start, { skipSpecial: false });
    startTexts.set(tokenizer, text);
  }
  return text;
}

/** Cached, because it is needed for every text. */
const startTexts = new WeakMap<StartingTokenizer, string>();

/** The text of a token in a configuration, which is a string or an object with the string as `content`. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return isRecord(value) && typeof value.content === "string" ? value.content : undefined;
}

/** The tokens on one side for a flag: the named token, none, or those of the post-processor. */
function added(
  flag: boolean | undefined,
  token: number | undefined,
  template: readonly number[],
): readonly number[] {
  if (flag === false) return nothingAround.start;
  return flag === true && token !== undefined ? [token] : template;
}

/** `eos_token_id` of a file, one id or several. Undefined if the file has none. */
function idsOf(file: unknown): number[] | undefined {
  if (file === undefined || file === null) return undefined;
  const { eos_token_id: value } = record(file, "a configuration");
  const ids = (Array.isArray(value) ? value : [value])
    .filter((id): id is number => typeof id === "number" && Number.isInteger(id) && id >= 0);
  return ids.length === 0 ? undefined : ids;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
