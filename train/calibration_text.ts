/**
 * Text for quantising: windows to calibrate with, and others to measure perplexity on.
 *
 * @module
 */
import type { Example } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizer.ts";
import { languageModellingExamples, readDataFile, subsample } from "../tasks/mod.ts";
import { formatOfFile } from "./config_task.ts";
import { textsOf } from "./task_examples.ts";

/** How to cut the text. */
export interface CalibrationTextOptions {
  /** Windows to calibrate with, at most. Default 128. */
  readonly windows?: number;
  /** Tokens of a window. */
  readonly length: number;
  /** A file to measure on. Default: the end of the calibration text, a fifth of it at most. */
  readonly evaluate?: string | undefined;
  /** Windows to measure on, at most. Default 64. */
  readonly heldOut?: number;
}

/** Windows of a text, as language modelling sees them. */
export interface CalibrationText {
  /** To calibrate with: a seeded sample. */
  readonly calibration: readonly Example[];
  /** To measure on. */
  readonly heldOut: readonly Example[];
}

/**
 * Reads a text and cuts it into windows: a `.txt` file is one stream, of `.jsonl`, `.tsv` and `.csv` the `text` of the rows follow each other.
 *
 * @throws {RangeError} When the text is too short to hold out a window, or a number is below 1
 * @throws What reading files and cutting windows throw
 */
export async function calibrationText(
  path: string,
  tokenizer: Tokenizer,
  { windows = 128, length, evaluate, heldOut = 64 }: CalibrationTextOptions,
): Promise<CalibrationText> {
  for (const [what, count] of Object.entries({ windows, heldOut })) {
    if (!(Number.isInteger(count) && count > 0)) {
      throw new RangeError(`Cannot calibrate: ${what} is ${count}, expected 1 or more`);
    }
  }
  const all = await windowsOf(path, tokenizer, length);
  if (evaluate !== undefined) {
    const others = await windowsOf(evaluate, tokenizer, length);
    return { calibration: subsample(all, windows), heldOut: others.slice(0, heldOut) };
  }
  const count = Math.min(heldOut, Math.floor(all.length / 5));
  if (count === 0) {
    throw new RangeError(
      `Cannot hold out a part of "${path}": it has ${all.length} windows of ${length} tokens, expected 5 or more. Bring more text, cut shorter windows, or name another file to evaluate on`,
    );
  }
  return {
    calibration: subsample(all.slice(0, -count), windows),
    heldOut: all.slice(-count),
  };
}

async function windowsOf(path: string, tokenizer: Tokenizer, length: number): Promise<Example[]> {
  const body = await readDataFile(path);
  const documents = /\.txt$/i.test(path)
    ? [body]
    : textsOf(body, formatOfFile(path), { name: path });
  return languageModellingExamples(tokenizer, documents, { length });
}
