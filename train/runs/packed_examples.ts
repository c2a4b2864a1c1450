/**
 * Tokenised examples as bytes, and back. Files of them are not trusted.
 *
 * @module
 */
import type { Example, Objective } from "../../models/batch.ts";
import type { ExampleSet, TaskExamples } from "./task_examples.ts";

/** Bounds of examples that are read. */
export interface ExampleBounds {
  /** Number of tokens in the vocabulary. */
  readonly vocabularySize: number;
  /** Largest number of tokens of an example. */
  readonly length: number;
}

/** Facts about a set of examples that are stored beside its tokens. */
interface SetFacts {
  readonly examples: number;
  readonly characters?: number;
}

/** The stored facts, as JSON. */
interface Facts extends Pick<TaskExamples, "objective" | "judged" | "notes"> {
  readonly sets: Readonly<Record<string, SetFacts>>;
  /** Bytes per number. */
  readonly width: 2 | 4;
}

const SETS = ["train", "validation", "test"] as const;
const LENGTH_BYTES = 4;
const MOST_FACTS = 2 ** 20;
const OBJECTIVES: ReadonlySet<unknown> = new Set<Objective>([
  "classification",
  "language-modelling",
]);
/** All keys that are stored. Examples with other keys are not stored at all. */
const KNOWN = {
  all: [
    "objective",
    "judged",
    "task",
    "train",
    "validation",
    "test",
    "notes",
  ] satisfies (keyof TaskExamples)[],
  set: ["examples", "characters"] satisfies (keyof ExampleSet)[],
  example: ["prompt", "candidates", "label", "scored"] satisfies (keyof Example)[],
};

/**
 * Examples as bytes. Undefined for examples with other keys than those stored here. The task is not stored, as the configuration has it.
 *
 * Layout: the length of the JSON in bytes, and the JSON, padded to a multiple of 4. Then, for each example, the length of its prompt, the number
 * of candidates, the label, the number of scored ranges plus 1 (0: not given), the length of each candidate, the ranges, and the tokens. Numbers
 * have 2 bytes if all are below 65,536, otherwise 4.
 */
export function packExamples(examples: TaskExamples): Uint8Array<ArrayBuffer> | undefined {
  if (!holdsOnly(examples, KNOWN.all)) return undefined;
  let count = 0;
  let largest = 0;
  for (const name of SETS) {
    if (!holdsOnly(examples[name] ?? {}, KNOWN.set)) return undefined;
    for (const example of examples[name]?.examples ?? []) {
      if (!holdsOnly(example, KNOWN.example)) return undefined;
      const { prompt, candidates, label, scored = [] } = example;
      count += 4 + candidates.length + 2 * scored.length + prompt.length;
      largest = Math.max(largest, prompt.length, candidates.length, label, highestOf(prompt));
      largest = Math.max(largest, scored.length + 1, ...scored.flat());
      for (const ids of candidates) {
        count += ids.length;
        largest = Math.max(largest, ids.length, highestOf(ids));
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
  const { objective, judged, notes } = examples;
  const facts: Facts = {
    objective,
    ...(judged ? { judged } : {}),
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
    for (const { prompt, candidates, label, scored } of examples[name]?.examples ?? []) {
      numbers[at++] = prompt.length;
      numbers[at++] = candidates.length;
      numbers[at++] = label;
      numbers[at++] = scored ? scored.length + 1 : 0;
      for (const ids of candidates) numbers[at++] = ids.length;
      for (const range of scored ?? []) for (const place of range) numbers[at++] = place;
      for (const id of prompt) numbers[at++] = id;
      for (const ids of candidates) for (const id of ids) numbers[at++] = id;
    }
  }
  return bytes;
}

function holdsOnly(value: object, known: readonly string[]): boolean {
  for (const key in value) if (!known.includes(key)) return false;
  return true;
}

function highestOf(ids: readonly number[]): number {
  let highest = 0;
  for (const id of ids) if (id > highest) highest = id;
  return highest;
}

/**
 * Reads examples from bytes.
 *
 * @throws {RangeError} when the bytes are not examples, or exceed the bounds.
 */
export function unpackExamples(
  bytes: Uint8Array<ArrayBuffer>,
  bounds: ExampleBounds,
): TaskExamples {
  if (bytes.length < LENGTH_BYTES) throw damaged("it is truncated");
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const from = numbersFrom(length);
  if (length > MOST_FACTS || from > bytes.length) throw damaged("it is truncated");
  const facts = factsOf(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
  if ((bytes.length - from) % facts.width !== 0) throw damaged("it is truncated");
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
  const { objective, judged, notes } = facts;
  return {
    ...{ objective, train, validation },
    ...(judged ? { judged } : {}),
    ...(test ? { test } : {}),
    ...(notes ? { notes } : {}),
  };
}

/** Reads examples from numbers and checks each number before it is used. */
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
    if (this.#at !== this.#numbers.length) throw damaged("there is something after its examples");
  }

  #example(): Example {
    const numbers = this.#numbers;
    this.#need(4);
    const inPrompt = numbers[this.#at++];
    const count = numbers[this.#at++];
    const label = numbers[this.#at++];
    const ranges = numbers[this.#at++];
    this.#need(count);
    if (label >= count) throw damaged("a label does not belong to any candidate");
    const lengths = this.#at;
    this.#at += count;
    for (let i = 0; i < count; i++) {
      const length = numbers[lengths + i];
      if (length === 0 || inPrompt + length > this.#bounds.length) {
        throw damaged("an example is too short or too long");
      }
    }
    const scored = ranges > 0 ? this.#ranges(ranges - 1, numbers[lengths]) : undefined;
    if (scored && count > 1) throw damaged("ranges span several candidates");
    const prompt = this.#ids(inPrompt);
    const candidates: number[][] = [];
    for (let i = 0; i < count; i++) candidates.push(this.#ids(numbers[lengths + i]));
    return scored ? { prompt, candidates, label, scored } : { prompt, candidates, label };
  }

  /** The ranges of a candidate of the given length, in order and without overlap. */
  #ranges(count: number, length: number): [number, number][] {
    this.#need(2 * count);
    const ranges: [number, number][] = [];
    for (let i = 0, before = 0; i < count; i++) {
      const [first, end] = [this.#numbers[this.#at++], this.#numbers[this.#at++]];
      if (first < before || end <= first || end > length) {
        throw damaged("a range is outside its candidate");
      }
      ranges.push([first, before = end]);
    }
    return ranges;
  }

  #ids(length: number): number[] {
    this.#need(length);
    const { vocabularySize } = this.#bounds;
    const ids: number[] = [];
    for (const end = this.#at + length; this.#at < end; this.#at++) {
      const id = this.#numbers[this.#at];
      if (id >= vocabularySize) throw damaged(`token ${id} is beyond the vocabulary`);
      ids.push(id);
    }
    return ids;
  }

  #need(count: number): void {
    if (this.#at + count > this.#numbers.length) throw damaged("it is truncated");
  }
}

function factsOf(bytes: Uint8Array<ArrayBuffer>): Facts {
  let facts: Partial<Facts> | null;
  try {
    facts = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw damaged("its description is not JSON");
  }
  const { objective, judged, notes, sets, width } = Object(facts) as Partial<Facts>;
  const areObjectives = OBJECTIVES.has(objective) &&
    (judged === undefined || OBJECTIVES.has(judged));
  const areSets = typeof sets === "object" && sets !== null &&
    Object.entries(sets).every(([name, set]) =>
      SETS.includes(name as "train") && isCount(set?.examples) &&
      (set.characters === undefined || isCount(set.characters))
    );
  const areNotes = notes === undefined ||
    Array.isArray(notes) && notes.every((it) => typeof it === "string");
  if (
    objective === undefined || !areObjectives || !areSets || !areNotes || width !== 2 && width !== 4
  ) {
    throw damaged("its description is incomplete");
  }
  return { objective, sets, width, ...(judged ? { judged } : {}), ...(notes ? { notes } : {}) };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Offset of the numbers that follow JSON of the given length. */
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
  return new RangeError(`Cannot read tokenised examples: ${why}`);
}
