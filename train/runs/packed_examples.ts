/**
 * Examples in tokens as bytes, and back: a file of them is not trusted.
 *
 * @module
 */
import type { Example } from "../../models/batch.ts";
import type { ExampleSet, TaskExamples } from "./task_examples.ts";

/** What examples may be, whoever wrote them down. */
export interface ExampleBounds {
  /** One more than the largest token. */
  readonly vocabularySize: number;
  /** Tokens of an example at most. */
  readonly length: number;
}

/** What is written down of a set besides its tokens. */
interface SetFacts {
  readonly examples: number;
  readonly characters?: number;
}

/** What is written down besides tokens. */
interface Facts extends Pick<TaskExamples, "objective" | "notes"> {
  readonly sets: Readonly<Record<string, SetFacts>>;
  /** Bytes of a number. */
  readonly width: 2 | 4;
}

const SETS = ["train", "validation", "test"] as const;
const LENGTH_BYTES = 4;
const MOST_FACTS = 2 ** 20;
/** All that is written down: what holds more is not kept, rather than kept in part. */
const KNOWN = {
  all: ["objective", "train", "validation", "test", "notes"] satisfies (keyof TaskExamples)[],
  set: ["examples", "characters"] satisfies (keyof ExampleSet)[],
  example: ["prompt", "candidates", "label"] satisfies (keyof Example)[],
};

/**
 * Examples as bytes; undefined for such as hold more than is written down here.
 *
 * A number of bytes, that many of JSON, padded to a multiple of 4; then of each example the lengths of its prompt and its list of candidates, its
 * label, the length of each candidate, and their tokens: 2 bytes a number where all are below 65,536, else 4.
 */
export function packExamples(examples: TaskExamples): Uint8Array<ArrayBuffer> | undefined {
  if (!holdsOnly(examples, KNOWN.all)) return undefined;
  let count = 0;
  let largest = 0;
  const see = (number: number): void => {
    if (number > largest) largest = number;
  };
  for (const name of SETS) {
    if (!holdsOnly(examples[name] ?? {}, KNOWN.set)) return undefined;
    for (const example of examples[name]?.examples ?? []) {
      if (!holdsOnly(example, KNOWN.example)) return undefined;
      const { prompt, candidates, label } = example;
      count += 3 + candidates.length + prompt.length;
      [prompt.length, candidates.length, label].forEach(see);
      prompt.forEach(see);
      for (const ids of candidates) {
        count += ids.length;
        see(ids.length);
        ids.forEach(see);
      }
    }
  }
  const width = largest < 2 ** 16 ? 2 : 4;
  const sets = SETS.flatMap((name) => {
    const set = examples[name];
    if (set === undefined) return [];
    const { examples: { length }, characters } = set;
    return [[name, { examples: length, ...(characters === undefined ? {} : { characters }) }]];
  });
  const { objective, notes } = examples;
  const facts: Facts = {
    objective,
    ...(notes ? { notes } : {}),
    sets: Object.fromEntries(sets),
    width,
  };
  const json = new TextEncoder().encode(JSON.stringify(facts));
  if (json.length > MOST_FACTS) return undefined;
  const from = numbersFrom(json.length);
  const bytes = new Uint8Array(from + count * width);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, LENGTH_BYTES);
  const numbers = numbersOf(bytes, from, width);
  let at = 0;
  for (const name of SETS) {
    for (const { prompt, candidates, label } of examples[name]?.examples ?? []) {
      numbers[at++] = prompt.length;
      numbers[at++] = candidates.length;
      numbers[at++] = label;
      for (const ids of candidates) numbers[at++] = ids.length;
      for (const id of prompt) numbers[at++] = id;
      for (const ids of candidates) for (const id of ids) numbers[at++] = id;
    }
  }
  return bytes;
}

function holdsOnly(value: object, known: readonly string[]): boolean {
  return Object.keys(value).every((key) => known.includes(key));
}

/**
 * The examples in bytes.
 *
 * @throws {RangeError} When they are none, or beyond the bounds
 */
export function unpackExamples(
  bytes: Uint8Array<ArrayBuffer>,
  bounds: ExampleBounds,
): TaskExamples {
  if (bytes.length < LENGTH_BYTES) throw damaged("it is cut");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const from = numbersFrom(length);
  if (length > MOST_FACTS || from > bytes.length) throw damaged("it is cut");
  const facts = factsOf(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
  if ((bytes.length - from) % facts.width !== 0) throw damaged("it is cut");
  // Numbers of typed arrays begin at multiples of their size.
  const aligned = bytes.byteOffset % facts.width === 0 ? bytes : bytes.slice();
  const reader = new ExampleReader(numbersOf(aligned, from, facts.width), bounds);
  const read = (name: (typeof SETS)[number]): ExampleSet | undefined => {
    const set = facts.sets[name];
    if (set === undefined) return undefined;
    const { examples, characters } = set;
    return { examples: reader.take(examples), ...(characters === undefined ? {} : { characters }) };
  };
  const [train, validation, test] = SETS.map(read);
  if (train === undefined || validation === undefined) throw damaged("a set is missing");
  reader.end();
  const { objective, notes } = facts;
  return {
    ...{ objective, train, validation },
    ...(test ? { test } : {}),
    ...(notes ? { notes } : {}),
  };
}

/** Takes examples off numbers, each looked at before it is taken. */
class ExampleReader {
  readonly #numbers: Uint16Array | Uint32Array;
  readonly #bounds: ExampleBounds;
  #at = 0;

  constructor(numbers: Uint16Array | Uint32Array, bounds: ExampleBounds) {
    this.#numbers = numbers;
    this.#bounds = bounds;
  }

  take(count: number): Example[] {
    const out: Example[] = [];
    for (let i = 0; i < count; i++) out.push(this.#example());
    return out;
  }

  end(): void {
    if (this.#at !== this.#numbers.length) throw damaged("something stands behind its examples");
  }

  #example(): Example {
    const numbers = this.#numbers;
    this.#need(3);
    const inPrompt = numbers[this.#at++];
    const count = numbers[this.#at++];
    const label = numbers[this.#at++];
    this.#need(count);
    if (label >= count) throw damaged("a label is of no candidate");
    const lengths = Array.from(numbers.subarray(this.#at, this.#at += count));
    const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
    if (lengths.includes(0) || inPrompt + longest > this.#bounds.length) {
      throw damaged("an example is too short or too long");
    }
    const prompt = this.#ids(inPrompt);
    return { prompt, candidates: lengths.map((length) => this.#ids(length)), label };
  }

  #ids(length: number): number[] {
    this.#need(length);
    const ids = new Array<number>(length);
    for (let i = 0; i < length; i++) {
      const id = this.#numbers[this.#at++];
      if (id >= this.#bounds.vocabularySize) throw damaged(`token ${id} is beyond the vocabulary`);
      ids[i] = id;
    }
    return ids;
  }

  #need(count: number): void {
    if (this.#at + count > this.#numbers.length) throw damaged("it is cut");
  }
}

function factsOf(bytes: Uint8Array<ArrayBuffer>): Facts {
  let facts: Partial<Facts> | null;
  try {
    facts = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw damaged("what it says of itself is no JSON");
  }
  const { objective, notes, sets, width } = Object(facts) as Partial<Facts>;
  const isObjective = objective === "classification" || objective === "language-modelling";
  const areSets = typeof sets === "object" && sets !== null &&
    Object.entries(sets).every(([name, set]) =>
      SETS.includes(name as "train") && isCount(set?.examples) &&
      (set.characters === undefined || isCount(set.characters))
    );
  const areNotes = notes === undefined ||
    Array.isArray(notes) && notes.every((it) => typeof it === "string");
  if (!isObjective || !areSets || !areNotes || width !== 2 && width !== 4) {
    throw damaged("what it says of itself is incomplete");
  }
  return { objective, sets, width, ...(notes ? { notes } : {}) };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Where numbers begin behind that many bytes of JSON. */
function numbersFrom(json: number): number {
  return Math.ceil((LENGTH_BYTES + json) / 4) * 4;
}

function numbersOf(
  { buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>,
  from: number,
  width: 2 | 4,
): Uint16Array | Uint32Array {
  const Numbers = width === 2 ? Uint16Array : Uint32Array;
  return new Numbers(buffer, byteOffset + from, (byteLength - from) / width);
}

function damaged(why: string): RangeError {
  return new RangeError(`Cannot read examples in tokens: ${why}`);
}
