/**
 * What a user should know of how examples were made, in sentences.
 *
 * @module
 */
import type { Example } from "../../models/batch.ts";
import { overlapOf } from "../../tasks/distinct_texts.ts";

/** What is counted while the examples of a file are made. */
export class ExampleCounts {
  /** Names the file. */
  readonly file: string;
  /** What an item of it is. */
  readonly kind: "conversation" | "document" | "example";
  /** Items that were made. */
  made = 0;
  /** Items that were longer than allowed, and the longest of them in tokens. */
  cut = 0;
  /** Tokens of the longest item. */
  longest = 0;
  /** Whether answered examples are shown before them. */
  demonstrated = false;
  /** Documents of fewer than two tokens. */
  dropped = 0;
  /** Conversations and completions of whose answers nothing is within the limit. */
  unanswered = 0;
  /** Conversations that began with an answer, which was left out. */
  answeredFirst = 0;
  /** Completions that begin right behind the last word of their prompt. */
  joined = 0;
  /** Whether items are fine-tuning data: texts with the parts that the loss is of. */
  supervised = false;
  /** The token, in text, that items bring although the tokenizer puts it before every text. */
  bringsStart: string | undefined;
  /** Items by the field of the prompt that is blank. */
  readonly blank: Map<string, number> = new Map();
  /** The first pair of answers of which one begins the other, and how many items have one. */
  prefix: readonly [string, string] | undefined;
  /** How many items have one. */
  prefixes = 0;

  /** `kind` is what an item is. */
  constructor(file: string, kind: ExampleCounts["kind"]) {
    this.file = file;
    this.kind = kind;
  }

  /** Whether an item that is too long loses its end. */
  get #losesEnd(): boolean {
    return this.kind !== "example" || this.supervised;
  }

  /** Counts an item of `tokens` tokens where `most` are allowed. */
  measured(tokens: number, most: number): void {
    this.made++;
    if (tokens > most) this.cut++;
    this.longest = Math.max(this.longest, tokens);
  }

  /** Counts a blank field. */
  blankField(name: string): void {
    this.blank.set(name, (this.blank.get(name) ?? 0) + 1);
  }

  /** Looks whether an answer begins another. */
  answers(texts: readonly string[], candidates: readonly (readonly number[])[]): void {
    const overlap = overlapOf(candidates);
    if (overlap === undefined) return;
    this.prefixes++;
    this.prefix ??= [texts[overlap.pair[0]], texts[overlap.pair[1]]];
  }

  /** The sentences; `limit` says what an item is at most, for example `max_length 256`. */
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
        `${
          of(this.unanswered)
        } left out, as nothing of an answer that the loss is of lies within ${limit}`,
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
        "every completion begins right behind the last word of its prompt: put white space at the end of the prompt, or before the completion, if they are two words",
      );
    }
    if (this.dropped > 0) {
      out.push(`${of(this.dropped)} shorter than 2 tokens and left out`);
    }
    if (this.bringsStart !== undefined) {
      out.push(
        `${kind}s begin with the BOS token ${
          JSON.stringify(this.bringsStart)
        }, which is put before every text anyway: it is there once; remove it from the template or the data`,
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

/** The sentence about examples that all have one answer; undefined if they do not. */
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

/** The sentence about examples of `held` that `train` has too, token by token; undefined if there are none. */
export function sharedNote(
  train: readonly Example[],
  held: readonly Example[],
  what: string,
): string | undefined {
  const keys = held.map(keyOf);
  const wanted = new Set(keys);
  // A number first: there are few of `held`, and a text of every training example takes longer than its tokens.
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

/** What an example asks, whatever its answer. */
function keyOf({ prompt, candidates }: Example): string {
  return `${prompt.join()};${candidates.map((ids) => ids.join()).join(";")}`;
}

/** Tokens of a prompt that a number is made of: enough to tell most prompts apart, whatever they have in common. */
const sampled = 16;

/** A number that examples with one {@linkcode keyOf} share. */
function hashOf({ prompt }: Example): number {
  let hash = prompt.length;
  const step = Math.max(1, Math.floor(prompt.length / sampled));
  for (let at = 0; at < prompt.length; at += step) hash = Math.imul(hash ^ prompt[at], 0x01000193);
  return hash;
}
