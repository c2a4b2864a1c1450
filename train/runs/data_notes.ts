/**
 * Notes for the user on how examples were made.
 *
 * @module
 */
import type { Example } from "../../models/batch.ts";
import { overlapOf } from "../../tasks/distinct_texts.ts";

/** Counts of what happened while the examples of a file were made. */
export class ExampleCounts {
  /** Name of the file. */
  readonly file: string;
  /** What its items are. */
  readonly kind: "conversation" | "document" | "example";
  /** Number of items. */
  made = 0;
  /** Number of items that were longer than allowed. */
  cut = 0;
  /** Number of tokens of the longest item. */
  longest = 0;
  /** Whether items have demonstrations before them. */
  demonstrated = false;
  /** Number of documents with fewer than two tokens, which were left out. */
  dropped = 0;
  /** Number of conversations and completions without any part of an answer within the limit. */
  unanswered = 0;
  /** Number of conversations that began with an answer, which was left out. */
  answeredFirst = 0;
  /** Number of completions that follow the last word of their prompt without white space. */
  joined = 0;
  /** Whether items are fine-tuning data: texts of which marked parts count in the loss. */
  supervised = false;
  /** Text of the token that items begin with although the tokenizer puts it before every text. */
  bringsStart: string | undefined;
  /** Number of items with a blank field, by the name of the field. */
  readonly blank: Map<string, number> = new Map();
  /** The first pair of answers of which one is a prefix of the other. */
  prefix: readonly [string, string] | undefined;
  /** Number of items with such a pair. */
  prefixes = 0;

  /** `kind` is what the items are. */
  constructor(file: string, kind: ExampleCounts["kind"]) {
    this.file = file;
    this.kind = kind;
  }

  /** Whether an item that is too long loses its end. */
  get #losesEnd(): boolean {
    return this.kind !== "example" || this.supervised;
  }

  /** Counts an item of `tokens` tokens, of which `most` are allowed. */
  measured(tokens: number, most: number): void {
    this.made++;
    if (tokens > most) this.cut++;
    this.longest = Math.max(this.longest, tokens);
  }

  /** Counts a blank field. */
  blankField(name: string): void {
    this.blank.set(name, (this.blank.get(name) ?? 0) + 1);
  }

  /** Checks whether one answer is a prefix of another. */
  answers(texts: readonly string[], candidates: readonly (readonly number[])[]): void {
    const overlap = overlapOf(candidates);
    if (overlap === undefined) return;
    this.prefixes++;
    this.prefix ??= [texts[overlap.pair[0]], texts[overlap.pair[1]]];
  }

  /** The notes, one sentence each. `limit` describes the maximum length of an item, for example `max_length 256`. */
  notes(limit: string): string[] {
    const { kind, made } = this;
    const of = (count: number) => `${count} of ${made} ${kind}s ${count === 1 ? "is" : "are"}`;
    const out: string[] = [];
    if (this.cut > 0) {
      const how = this.#losesEnd
        ? "was cut"
        : this.demonstrated
        ? "lost the first of its demonstrations"
        : "lost the beginning of its prompt";
      out.push(
        `${of(this.cut)} longer than ${limit} and ${
          this.cut === 1
            ? how
            : how.replace("was", "were").replace("its prompt", "their prompts").replace(
              "its d",
              "their d",
            )
        } (longest: ${this.longest} tokens)`,
      );
    }
    if (this.unanswered > 0) {
      out.push(
        `${of(this.unanswered)} left out, because no scored part of an answer is within ${limit}`,
      );
    }
    if (this.answeredFirst > 0) {
      out.push(
        `${this.answeredFirst} of ${made} ${kind}s begin${
          this.answeredFirst === 1 ? "s" : ""
        } with an assistant's message, which is left out`,
      );
    }
    if (this.joined > 0 && this.joined === made) {
      out.push(
        "every completion begins right after the last word of its prompt: put white space at the end of the prompt, or before the completion, if they are separate words",
      );
    }
    if (this.dropped > 0) {
      out.push(`${of(this.dropped)} shorter than 2 tokens and left out`);
    }
    if (this.bringsStart !== undefined) {
      out.push(
        `${kind}s begin with the BOS token ${
          JSON.stringify(this.bringsStart)
        }, which is added to every text anyway: it is kept only once; remove it from the template or the data`,
      );
    }
    for (const [field, count] of this.blank) {
      out.push(`${of(count)} without text in ${JSON.stringify(field)}`);
    }
    if (this.prefix !== undefined) {
      const [short, long] = this.prefix.map((text) => JSON.stringify(text));
      const where = this.prefixes === made ? "" : `in ${this.prefixes} of ${made} ${kind}s `;
      out.push(
        `${where}the answer ${short} is the beginning of ${long}: their scores are for texts of different lengths`,
      );
    }
    return out.map((sentence) => `"${this.file}": ${sentence}`);
  }
}

/** A note if all examples have the same answer, otherwise undefined. */
export function oneAnswerNote(
  examples: readonly Example[],
  what: string,
  answer: string | undefined,
): string | undefined {
  const [first, second] = examples;
  if (second === undefined || examples.some(({ label }) => label !== first.label)) return undefined;
  const shown = answer === undefined ? `candidate ${first.label}` : JSON.stringify(answer);
  return `all ${examples.length} ${what} examples have the same answer, ${shown}: there is nothing to distinguish`;
}

/** A note if examples of `held` are also in `train`, with the same tokens. Otherwise undefined. */
export function sharedNote(
  train: readonly Example[],
  held: readonly Example[],
  what: string,
): string | undefined {
  const keys = held.map(keyOf);
  const wanted = new Set(keys);
  // Compare hashes first: `held` is small, and building a key for every training example is slow.
  const hashes = new Set(held.map(hashOf));
  const found = new Set<string>();
  for (const example of train) {
    if (!hashes.has(hashOf(example))) continue;
    const key = keyOf(example);
    if (wanted.has(key)) found.add(key);
  }
  const shared = keys.reduce((count, key) => count + Number(found.has(key)), 0);
  if (shared === 0) return undefined;
  return `${shared} of ${held.length} ${what} examples ${
    shared === 1 ? "is" : "are"
  } in the training data too: examples that were memorised count as correct there`;
}

/** A key of an example's prompt and candidates, without its label. */
function keyOf({ prompt, candidates }: Example): string {
  return `${prompt.join()};${candidates.map((ids) => ids.join()).join(";")}`;
}

/** Approximate number of tokens of a prompt that are hashed: enough to tell most prompts apart, whatever they have in common. */
const sampled = 16;

/** A hash that is equal for examples with the same {@linkcode keyOf}. */
function hashOf({ prompt }: Example): number {
  let hash = prompt.length;
  const step = Math.max(1, Math.floor(prompt.length / sampled));
  for (let at = 0; at < prompt.length; at += step) hash = Math.imul(hash ^ prompt[at], 0x01000193);
  return hash;
}
