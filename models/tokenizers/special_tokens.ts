/**
 * Which tokens stand before and behind a text: the one place that training, evaluation, generation and export ask.
 *
 * As transformers does it: the post-processor of `tokenizer.json` decides, whether or not a file names its tokens. Where
 * the tokenizer's class makes its own (Llama, Code Llama, Gemma, Cohere; a folder that names no class is Llama's),
 * `add_bos_token` and `add_eos_token` of `tokenizer_config.json` hold instead, if they are there and name a token.
 * A GGUF file's tokenizer is spelled so that the same rules give what llama.cpp does (tokenizer_gguf.ts).
 *
 * @module
 */
import { record } from "./tokenizer_record.ts";
import {
  nothingAround,
  type Surroundings,
  surroundingsOf,
} from "./components/tokenizer_template.ts";

/** What a folder's other files say of special tokens. */
export interface SpecialTokenFiles {
  /** Contents of `special_tokens_map.json`; it counts for what `tokenizer_config.json` does not mention. */
  readonly specialTokens?: unknown;
  /** Contents of `generation_config.json`: `eos_token_id`, a number or a list. */
  readonly generation?: unknown;
  /** Contents of `config.json`, whose `eos_token_id` counts where `generation_config.json` has none. */
  readonly modelConfig?: unknown;
}

/** What was decided. */
export interface SpecialTokens extends Surroundings {
  /** The id that begins a text: named by a file, or the first that is put before every text. */
  readonly bos?: number;
  /** The id that ends a text. */
  readonly eos?: number;
  /** Ids that end generation. */
  readonly ends: readonly number[];
  /** The id that stands for a token to be predicted. */
  readonly mask?: number;
}

/** Classes that build their post-processor from the two flags; each with and without "Fast". */
const ownTemplate = /^(Llama|CodeLlama|Gemma|Cohere)Tokenizer(Fast)?$/;

/**
 * Decides.
 *
 * @param processor `post_processor` of `tokenizer.json`
 * @param idOf The id of a token's text
 * @param size One more than the largest id
 * @throws RangeError when a file names a token that is not in the vocabulary.
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
  // Without a post-processor such a class puts its BOS before a text unless told not to.
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

/** What the classes of BERT and RoBERTa call the mask where no file does. */
const usualMasks = ["[MASK]", "<mask>"];

/** The mask that a file names; where none does, one with a usual name. A name that is not in the vocabulary is of no model's row. */
function maskOf(
  named: unknown,
  idOf: (token: string) => number | undefined,
): number | undefined {
  const text = tokenText(named);
  const names = text === undefined ? usualMasks : [text];
  return names.map(idOf).find((id) => id !== undefined);
}

/** The ids of a text behind what a tokenizer puts before every text, which is there once where the ids begin with it. */
export function withStart(
  { start }: Pick<Surroundings, "start">,
  ids: readonly number[],
): number[] {
  return bringsStart({ start }, ids) ? [...ids] : [...start, ...ids];
}

/** Whether ids begin with what the tokenizer puts before every text. */
export function bringsStart(
  { start }: Pick<Surroundings, "start">,
  ids: readonly number[],
): boolean {
  return start.length > 0 && start.every((id, i) => ids[i] === id);
}

/** What {@linkcode withoutStart} asks of a tokenizer. */
export interface StartingTokenizer extends Pick<Surroundings, "start"> {
  /** As a tokenizer decodes. */
  decode(ids: readonly number[], options?: { readonly skipSpecial?: boolean }): string;
}

/**
 * A text without the texts of the tokens that the tokenizer puts before every text, where it begins with them: templates
 * copied from elsewhere often bring a BOS token, which is added anyway. A chat template's output brings its own too; there
 * transformers adds nothing (`encode` with `addSpecial: false`).
 */
export function withoutStart(tokenizer: StartingTokenizer, text: string): string {
  const start = startText(tokenizer);
  return start !== "" && text.startsWith(start) ? text.slice(start.length) : text;
}

/** The text of the tokens that the tokenizer puts before every text; empty where it puts none. */
export function startText(tokenizer: StartingTokenizer): string {
  let text = startTexts.get(tokenizer);
  if (text === undefined) {
    const { start } = tokenizer;
    text = start.length === 0 ? "" : tokenizer.decode(start, { skipSpecial: false });
    startTexts.set(tokenizer, text);
  }
  return text;
}

/** It is asked for every text. */
const startTexts = new WeakMap<StartingTokenizer, string>();

/** A token in a configuration is its text, or an object with the text as `content`. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return isRecord(value) && typeof value.content === "string" ? value.content : undefined;
}

/** What a flag makes of one side: the named token, nothing, or what the post-processor puts there. */
function added(
  flag: boolean | undefined,
  token: number | undefined,
  template: readonly number[],
): readonly number[] {
  if (flag === false) return nothingAround.start;
  return flag === true && token !== undefined ? [token] : template;
}

/** `eos_token_id` of a file: an id or several; undefined where it has none. */
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
