/**
 * Normalizers of a `tokenizer.json`: they change a text before it is split.
 *
 * @module
 */
import {
  NFCNormalizer,
  NFDNormalizer,
  NFKCNormalizer,
  NFKDNormalizer,
  StripAccentsNormalizer,
} from "@huggingface/tokenizers";
import { checkComponent, type ComponentConfig } from "./tokenizer_components.ts";
import { bytesAsLetters } from "./tokenizer_bytes.ts";
import { precompiledMap } from "./tokenizer_charsmap.ts";
import { flag, list, record } from "../tokenizer_record.ts";
import {
  checkGrowth,
  growthLimit,
  insertion,
  patternOf,
  replaceMatches,
} from "./tokenizer_text.ts";

/** Changes a text. */
export interface Normalizer {
  /** @throws {RangeError} when the text grows beyond the limit, 64 times its length plus 4096 characters. */
  (text: string): string;
  /** Whether it removes the first character of a text, so that its output begins later in the text. */
  readonly takesFirst: (text: string) => boolean;
}

/** One step. `limit` is the maximum length of its output. */
type Step = (text: string, limit: number) => string;

/** Steps by type. A `Sequence` applies several in order. */
const steps: Readonly<Record<string, (config: ComponentConfig) => Step>> = {
  NFC: () => ofEngine(NFCNormalizer),
  NFD: () => ofEngine(NFDNormalizer),
  NFKC: () => ofEngine(NFKCNormalizer),
  NFKD: () => ofEngine(NFKDNormalizer),
  BertNormalizer: bertNormalizer,
  Lowercase: () => lowercase,
  Strip: (config) => {
    const left = flag(config.strip_left, "strip_left of Strip");
    const right = flag(config.strip_right, "strip_right of Strip");
    return (text) => {
      const start = left ? text.replace(/^\p{White_Space}+/u, "") : text;
      return right ? trimEnd(start) : start;
    };
  },
  StripAccents: () => ofEngine(StripAccentsNormalizer),
  Replace: (config) => {
    const pattern = patternOf(config.pattern, "Replace");
    const content = insertion(config.content, "content of Replace");
    return (text, limit) => replaceMatches(text, pattern, content, limit);
  },
  Prepend: (config) => {
    const prefix = insertion(config.prepend, "prepend of Prepend");
    return (text) => text === "" ? text : prefix + text;
  },
  Nmt: () => (text) =>
    // All control characters except these: the Rust library leaves NUL and most of C1 unchanged, and replaces the others by spaces.
    text.replace(/(?![\0\t\n\f\r\u0080-\u008E\u0090-\u009E])\p{Cc}/gu, "")
      .replace(/[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/g, " "),
  ByteLevel: () => bytesAsLetters,
  Precompiled: (config) => precompiledMap(config.precompiled_charsmap),
};

/** A character that no normalizer removes. */
const other = "Q";
/** Number of characters that show what happens to the first one. */
const beginning = 64;
/** Maximum number of steps. */
const mostSteps = 256;

/**
 * The normalizer that a part of `tokenizer.json` describes. A null normalizer changes nothing.
 *
 * @throws {TypeError | RangeError} when the part is invalid.
 */
export function normalizerOf(value: unknown): Normalizer {
  const all = flatten(value, 0);
  if (all.length > mostSteps) {
    throw new RangeError(
      `Cannot load the tokenizer: ${all.length} normalizers, at most ${mostSteps} are allowed`,
    );
  }
  const takesFirst = (text: string): boolean => {
    let current = text.slice(0, beginning).toWellFormed();
    return all.some((step) => {
      const letter = /^[^]/u.exec(current)?.[0] ?? "";
      const probe = (text: string): string => step(text, growthLimit(text.length));
      if (letter !== "" && probe(letter + other) === probe(other)) return true;
      current = step(current, growthLimit(current.length));
      return false;
    });
  };
  const normalize = (text: string): string => {
    const limit = growthLimit(text.length);
    return all.reduce((current, step) => {
      const next = step(current, limit);
      checkGrowth(next.length, limit, "a normalizer");
      return next;
    }, text);
  };
  return Object.assign(normalize, { takesFirst });
}

function flatten(value: unknown, depth: number): Step[] {
  if (value === null || value === undefined) return [];
  const config = checkComponent("normalizer", record(value, "a normalizer"));
  if (config.type !== "Sequence") return [steps[config.type](config)];
  if (depth > 16) throw new RangeError("Cannot load the tokenizer: its normalizers nest too deep");
  return list(config.normalizers, "normalizers").flatMap((part) => flatten(part, depth + 1));
}

/** A normalizer of the engine without settings. */
function ofEngine(
  Engine: new (config: never) => { normalize: (text: string) => string },
): Step {
  const engine = new Engine({} as never);
  return (text) => engine.normalize(text);
}

/** Converts each character separately, without context, as the Rust library does. */
function lowercase(text: string): string {
  return text.includes("\u03A3")
    ? Array.from(text, (letter) => letter.toLowerCase()).join("")
    : text.toLowerCase();
}

/** Searches from the end, because a regular expression would examine every space within the text. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && /\p{White_Space}/u.test(text[end - 1])) end--;
  return text.slice(0, end);
}

function bertNormalizer(config: ComponentConfig): Step {
  const option = (name: string, otherwise: boolean) =>
    flag(config[name], `${name} of BertNormalizer`, otherwise);
  const clean = option("clean_text", true);
  const chinese = option("handle_chinese_chars", true);
  const lower = option("lowercase", true);
  const strip = option("strip_accents", lower);
  return (text) => {
    let result = text;
    if (clean) {
      result = result.replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\0\uFFFD]/gu, "")
        .replace(/\p{White_Space}/gu, " ");
    }
    if (chinese) {
      result = result.replace(
        /[\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu,
        " $& ",
      );
    }
    if (strip) result = result.normalize("NFD").replace(/\p{Mn}/gu, "");
    return lower ? lowercase(result) : result;
  };
}
