/**
 * The batch that a forward pass takes: token rows of several sequences laid end to end without padding, and the positions whose
 * log-probabilities the loss needs.
 *
 * Candidates of one example share the rows of its prompt: a candidate's rows attend to the prompt's rows and to their own. Two-way
 * classification with one-token labels therefore costs one prompt, not two.
 *
 * If tokens are masked, every row attends to all rows of its prompt, and candidates are read from the masked rows.
 *
 * @module
 */

import { batchLayout, type BatchShape } from "../kernels/operations/batch_layout.ts";
import { FIRST_VIRTUAL_TOKEN } from "../kernels/operations/leading/virtual_tokens.ts";
import { integerWithin } from "../optim/check.ts";
import type { Lead } from "./adapters/scheme.ts";
import type { Sight } from "./architecture.ts";

/** How the log-probabilities of a batch are turned into losses. */
export type Objective = "language-modelling" | "classification";

/**
 * One training or evaluation example, in tokens.
 *
 * Classification: candidates share `prompt`, and `candidates[label]` is correct. The loss is the cross-entropy over the candidates' mean token
 * log-probabilities.
 *
 * Language modelling: `prompt` is empty or is context without loss; there is one candidate and the label is 0. Without a prompt, the first token
 * is context only. For a conversation with several answers, the candidate also contains the messages between them, and `scored` selects the
 * tokens that count in the loss.
 *
 * With `masked`, for models in which tokens attend to the whole sequence (BERT, RoBERTa): `prompt` is the whole sequence, and a candidate has
 * one token for each masked position. Classification usually has one masked position; language modelling has one candidate for all masked
 * positions.
 */
export interface Example {
  /** Tokens that all candidates share. */
  readonly prompt: readonly number[];
  /** Possible continuations, at least one. */
  readonly candidates: readonly (readonly number[])[];
  /** Index of the correct candidate. */
  readonly label: number;
  /** Indices of all candidates that count as correct in evaluation, if there are others besides `label`. The loss does not use them. */
  readonly right?: readonly number[];
  /**
   * For a single candidate: the ranges of tokens that count in the loss, [first, end), in ascending order. Other tokens are context. Default:
   * all of its tokens.
   */
  readonly scored?: readonly (readonly [first: number, end: number])[];
  /**
   * For each candidate, how many of its first tokens are context. Only the tokens after them count in the loss; these can be the same in all
   * candidates ("partial evaluation"). Default: 0.
   */
  readonly leads?: readonly number[];
  /** Positions in the prompt, counted from 0 in ascending order, whose tokens are to be predicted. Default: none; candidates follow the prompt. */
  readonly masked?: readonly number[];
}

/** A batch as the 32-bit words that kernels read. */
export interface PackedBatch {
  /** Capacities. */
  readonly shape: BatchShape;
  /** The lists, laid out by `batchLayout`. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** Number of rows in use, at most the shape's capacity. */
  readonly rows: number;
  /** Number of positions that are scored. */
  readonly lossRows: number;
  /** Number of candidates that are scored. */
  readonly candidates: number;
  /** Number of examples in the batch. */
  readonly examples: number;
  /** How the log-probabilities are turned into losses. */
  readonly objective: Objective;
  /** Which rows a row attends to: `"all"` if tokens are masked. */
  readonly sees: Sight;
  /** Highest token id, including targets. It must be less than the model's vocabulary. */
  readonly highestToken: number;
  /** Highest position, counted from a sequence's first own token. It must be less than the positions the model was loaded for. */
  readonly highestPosition: number;
  /** What precedes every sequence, by the adapter that the batch was packed for. */
  readonly lead: Lead;
  /** Number of token rows without sharing of prompts, by which throughput is measured. */
  readonly tokens: number;
  /** A second batch for the exact gradient of a step, while this one is used for the estimate along noise; see `withSecond`. */
  readonly second?: PackedBatch | undefined;
}

/** Rounds up, so that few different shapes occur: to eighths of an octave, and to at least `least`. */
export function roundedCapacity(count: number, least: number): number {
  if (count <= least) return least;
  const step = Math.max(least, 2 ** (Math.floor(Math.log2(count)) - 3));
  return Math.ceil(count / step) * step;
}

/** Number of rows and loss rows that `example` needs. A candidate's last token predicts nothing and has no row. */
export function exampleCost(example: Example): { rows: number; lossRows: number } {
  const { prompt, candidates, masked, scored, leads } = example;
  if (masked) return { rows: prompt.length, lossRows: candidates.length * masked.length };
  let rows = prompt.length;
  let lossRows = 0;
  candidates.forEach((candidate, c) => {
    rows += Math.max(0, candidate.length - 1);
    lossRows += scored
      ? scored.reduce((sum, [first, end]) => sum + end - first, 0)
      : candidate.length - Math.max(leads?.[c] ?? 0, prompt.length > 0 ? 0 : 1);
  });
  return { rows, lossRows };
}

/**
 * Packs examples end to end. Candidates follow their prompt and attend to it and to themselves.
 *
 * @param room The greatest length of a sequence. A model satisfies this interface; its adapter may put tokens before every sequence.
 * @param shape Capacities to use. Default: the needs of the examples, rounded up so that few plans are built.
 * @throws {RangeError} when an example is empty, too long or has an invalid label, or when the shape is too small.
 *
 * @example Two-way classification with one-token labels
 * ```ts
 * import { packBatch } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * const batch = packBatch([{ prompt: [1, 2, 3], candidates: [[7], [8]], label: 1 }], "classification", 16);
 * assertEquals([batch.rows, batch.lossRows, batch.candidates], [3, 2, 2]);
 * ```
 */
export function packBatch(
  examples: readonly Example[],
  objective: Objective,
  room: number | BatchRoom,
  shape?: BatchShape,
): PackedBatch {
  const sees = sightIn(examples);
  const context = typeof room === "number" ? room : room.maxPositions;
  const lead = leadOf(typeof room === "number" ? {} : room);
  const need = { rows: 0, lossRows: 0, candidates: 0, examples: examples.length };
  for (const example of examples) {
    checkExample(example, context);
    const { rows, lossRows } = exampleCost(example);
    need.rows += lead.tokens + rows;
    need.lossRows += lossRows;
    need.candidates += example.candidates.length;
  }
  const capacity = shape ?? {
    rows: roundedCapacity(need.rows, 8),
    lossRows: roundedCapacity(need.lossRows, 8),
    candidates: roundedCapacity(need.candidates, 8),
    examples: roundedCapacity(need.examples, 4),
  };
  for (const key of ["rows", "lossRows", "candidates", "examples"] as const) {
    if (need[key] > capacity[key]) {
      throw new RangeError(
        `Cannot pack a batch: it needs ${need[key]} ${key}, but its shape has ${capacity[key]}`,
      );
    }
  }
  const at = batchLayout(capacity);
  const words = new Uint32Array(at.words);
  let row = 0;
  let lossRow = 0;
  let candidateIndex = 0;
  let tokens = 0;
  let highestToken = 0;
  let highestPosition = 0;
  /** A row attends to `[prefixStart, prefixEnd)` and to `[ownStart, itself]`. */
  const putRow = (
    token: number,
    position: number,
    prefixStart: number,
    prefixEnd: number,
    ownStart: number,
  ) => {
    words[at.tokens + row] = token;
    words[at.positions + row] = position;
    words[at.prefixStart + row] = prefixStart;
    words[at.prefixEnd + row] = prefixEnd;
    words[at.ownStart + row] = ownStart;
    words[at.slots + row] = row;
    row++;
  };
  const putLoss = (fromRow: number, target: number) => {
    highestToken = Math.max(highestToken, target);
    words[at.lossRows + lossRow] = fromRow;
    words[at.targets + lossRow] = target;
    lossRow++;
  };
  examples.forEach(({ prompt, candidates, label, masked, scored, leads }, e) => {
    const start = row;
    const end = start + lead.tokens + prompt.length;
    const putPrompt = (token: number, position: number) => {
      if (masked) putRow(token, position, start, end, row + 1);
      else putRow(token, position, 0, 0, start);
    };
    const putToken = (token: number, place: number, put: (token: number, at: number) => void) => {
      highestToken = Math.max(highestToken, token);
      highestPosition = Math.max(highestPosition, place);
      put(token, lead.positions + place);
    };
    for (let i = 0; i < lead.tokens; i++) putPrompt(FIRST_VIRTUAL_TOKEN + i, i);
    prompt.forEach((token, i) => putToken(token, i, putPrompt));
    words[at.exampleStart + e] = candidateIndex;
    words[at.labels + e] = label;
    for (const [c, candidate] of candidates.entries()) {
      words[at.candidateStart + candidateIndex++] = lossRow;
      if (masked) {
        tokens += prompt.length;
        masked.forEach((place, i) => putLoss(start + lead.tokens + place, candidate[i]));
        continue;
      }
      tokens += prompt.length + candidate.length;
      const own = row;
      const unscored = leads?.[c] ?? 0;
      const counts: Counted = scored ? isWithin(scored) : (index) => index >= unscored;
      if (prompt.length > 0 && counts(0)) putLoss(end - 1, candidate[0]);
      for (let i = 0; i + 1 < candidate.length; i++) {
        if (counts(i + 1)) putLoss(row, candidate[i + 1]);
        putToken(
          candidate[i],
          prompt.length + i,
          (token, position) => putRow(token, position, start, end, own),
        );
      }
    }
  });
  for (let i = candidateIndex; i <= capacity.candidates; i++) {
    words[at.candidateStart + i] = lossRow;
  }
  for (let i = examples.length; i <= capacity.examples; i++) {
    words[at.exampleStart + i] = candidateIndex;
  }
  // Rows beyond the batch attend only to themselves, and nothing reads them.
  const used = row;
  while (row < capacity.rows) putRow(0, 0, 0, 0, row);
  words.set(
    [lossRow, candidateIndex, examples.length, objective === "classification" ? 1 : 0],
    at.counts,
  );
  return {
    shape: capacity,
    words,
    rows: used,
    lossRows: lossRow,
    candidates: candidateIndex,
    examples: examples.length,
    objective,
    sees,
    tokens,
    highestToken,
    highestPosition,
    lead,
  };
}

/** Limits that a batch is packed for. A model satisfies this interface. */
export interface BatchRoom {
  /** The most tokens of its own that a sequence may have. */
  readonly maxPositions: number;
  /** Adapter that may put tokens before every sequence. Default: none. */
  readonly adapter?: { readonly lead?: Lead } | undefined;
}

/** What precedes every sequence of a model. */
export function leadOf({ adapter }: Pick<BatchRoom, "adapter">): Lead {
  return adapter?.lead ?? { tokens: 0, positions: 0 };
}

/**
 * Which rows the rows of examples attend to.
 *
 * @throws {RangeError} when only some of the examples are masked.
 */
function sightIn(examples: readonly Example[]): Sight {
  const count = examples.filter(({ masked }) => masked).length;
  if (count > 0 && count < examples.length) {
    throw new RangeError(
      `Cannot pack a batch: ${count} of its ${examples.length} examples have masked tokens and the others do not; no model supports both`,
    );
  }
  return count > 0 ? "all" : "earlier";
}

/** Whether a token of a candidate is scored. Called in ascending order. */
type Counted = (index: number) => boolean;

function isWithin(ranges: NonNullable<Example["scored"]>): Counted {
  let at = 0;
  return (index) => {
    while (at < ranges.length && ranges[at][1] <= index) at++;
    return at < ranges.length && ranges[at][0] <= index;
  };
}

function checkScored({ prompt, candidates, scored }: Example): void {
  if (scored === undefined) return;
  let before = prompt.length > 0 ? 0 : 1;
  for (const [first, end] of scored) {
    const fits = Number.isInteger(first) && Number.isInteger(end) && before <= first &&
      first < end && end <= candidates[0].length;
    if (!fits || candidates.length !== 1) {
      throw new RangeError(
        `Cannot pack an example: its loss covers the tokens [${first}, ${end}) of ${
          candidates.length === 1
            ? `a candidate with ${candidates[0].length} tokens`
            : "several candidates"
        }; expected ascending ranges within one candidate, after the first token, which nothing predicts`,
      );
    }
    before = end;
  }
  if (scored.length === 0) {
    throw new RangeError("Cannot pack an example: its loss covers no token");
  }
}

function checkLeads({ candidates, leads, scored, masked }: Example): void {
  if (leads === undefined) return;
  const fits = leads.length === candidates.length && !scored && !masked &&
    leads.every((lead, i) => Number.isInteger(lead) && lead >= 0 && lead < candidates[i].length);
  if (fits) return;
  throw new RangeError(
    `Cannot pack an example: ${candidates.length} candidates of ${
      candidates.map(({ length }) => length).join(", ")
    } tokens begin with ${leads.join(", ")} tokens of context${
      scored || masked ? ", but it also specifies what its loss covers in another way" : ""
    }; expected one number for each candidate, below its length`,
  );
}

function checkExample(example: Example, context: number): void {
  const { prompt, candidates, label, masked } = example;
  if (candidates.length === 0) throw new RangeError("Cannot pack an example without candidates");
  if (!(Number.isInteger(label) && label >= 0 && label < candidates.length)) {
    throw new RangeError(
      `Cannot pack an example: label ${label} is not one of its ${candidates.length} candidates`,
    );
  }
  // The device would silently read the low 32 bits as another token.
  const check = (token: number) => integerWithin("a batch", "a token", token, 0, 0xffffffff);
  prompt.forEach(check);
  if (masked) checkMasked(example, masked, context);
  for (const candidate of candidates) {
    candidate.forEach(check);
    if (masked) continue;
    const length = prompt.length + candidate.length;
    if (candidate.length === 0 || length < 2) {
      throw new RangeError(
        "Cannot pack an example: a candidate needs at least one token, and a token before it",
      );
    }
    if (length > context) {
      throw new RangeError(
        `Cannot pack an example of ${length} tokens: the model's context is ${context}`,
      );
    }
  }
  checkScored(example);
  checkLeads(example);
}

function checkMasked(
  { prompt, candidates }: Example,
  masked: readonly number[],
  context: number,
): void {
  const isPlace = (place: number, i: number) =>
    Number.isInteger(place) && place > (masked[i - 1] ?? -1) && place < prompt.length;
  if (masked.length === 0 || !masked.every(isPlace)) {
    throw new RangeError(
      `Cannot pack an example with masked positions ${
        JSON.stringify(masked)
      }: expected one or more of its ${prompt.length} tokens, ascending`,
    );
  }
  const other = candidates.find((candidate) => candidate.length !== masked.length);
  if (other) {
    throw new RangeError(
      `Cannot pack an example: a candidate has ${other.length} tokens for ${masked.length} masked positions`,
    );
  }
  if (prompt.length > context) {
    throw new RangeError(
      `Cannot pack an example of ${prompt.length} tokens: the model's context is ${context}`,
    );
  }
}
