/**
 * Text for quantising: windows for calibration, and other windows for measuring perplexity.
 *
 * @module
 */
import { assertOptions } from "../optim/options.ts";
import type { Sight } from "../models/architecture.ts";
import type { Example } from "../models/batch.ts";
import type { Tokenizer } from "../models/tokenizers/tokenizer.ts";
import { dataChunks } from "../tasks/data/data_file.ts";
import { dataExtension } from "../tasks/data/data_name.ts";
import { dataPath } from "../tasks/data/data_path.ts";
import { dataRows } from "../tasks/files.ts";
import { assertWindow, seenWindow, WindowStream } from "../tasks/language_modelling.ts";
import { encodeLong, encodeStream } from "../tasks/long_text.ts";
import { Pause } from "../tasks/pause.ts";
import { rowText } from "../tasks/data/row.ts";
import { subsample } from "../tasks/split.ts";
import { formatOfFile } from "./config/task.ts";

/** Options for dividing the text. */
export interface CalibrationTextOptions {
  /** The most windows for calibration. Default 128. */
  readonly windows?: number;
  /** Tokens per window. */
  readonly length: number;
  /** Which tokens the model attends to. With `"all"`, 15 % of a window's tokens are masked. Default `"earlier"`. */
  readonly sees?: Sight | undefined;
  /** A file to measure perplexity on. Default: the end of the calibration text, at most a fifth of it. */
  readonly evaluate?: string | undefined;
  /** The most windows for measuring. Default 64. */
  readonly heldOut?: number;
  /** Aborts reading. */
  readonly signal?: AbortSignal | undefined;
  /** Called about every 50 ms with the file and the number of windows so far. */
  readonly onProgress?: ((file: string, windows: number) => void) | undefined;
}

/** Windows of a text, as language-modelling examples. */
export interface CalibrationText {
  /** Windows for calibration: a seeded sample. */
  readonly calibration: readonly Example[];
  /** Windows for measuring perplexity. */
  readonly heldOut: readonly Example[];
}

/**
 * Reads a text and divides it into windows. A `.txt` file is one stream; for `.jsonl`, `.tsv` and `.csv` files, the `text` fields of all rows
 * are joined.
 *
 * @throws {RangeError} when the text is too short to hold out a window, or a number is below 1.
 * @throws Any error of reading files and making windows.
 *
 * @example Windows of 16 tokens
 * ```ts
 * import { calibrationText, openModelSource } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const path = await Deno.makeTempFile({ suffix: ".txt" });
 * await Deno.writeTextFile(path, "The soup was warm, and the staff were kind. ".repeat(20));
 * const { calibration, heldOut } = await calibrationText(path, source.tokenizer!, { length: 16, windows: 4 });
 * assertEquals([calibration.length, heldOut[0].candidates[0].length], [4, 16]);
 * await Deno.remove(path);
 * ```
 */
export async function calibrationText(
  path: string,
  tokenizer: Tokenizer,
  options: CalibrationTextOptions,
): Promise<CalibrationText> {
  assertOptions("calibrate", options, {
    windows: "any",
    length: "any",
    sees: "any",
    evaluate: "any",
    heldOut: "any",
    signal: "any",
    onProgress: "any",
  });
  const { windows = 128, length, evaluate, heldOut = 64 } = options;
  for (const [what, count] of Object.entries({ windows, heldOut })) {
    if (!(Number.isInteger(count) && count > 0)) {
      throw new RangeError(`Cannot calibrate: ${what} is ${count}, expected 1 or more`);
    }
  }
  const all = await windowsOf(path, tokenizer, options);
  if (evaluate !== undefined) {
    const others = await windowsOf(evaluate, tokenizer, options);
    return { calibration: subsample(all, windows), heldOut: others.slice(0, heldOut) };
  }
  const count = Math.min(heldOut, Math.floor(all.length / 5));
  if (count === 0) {
    throw new RangeError(
      `Cannot hold out a part of "${path}": it has ${all.length} windows of ${length} tokens, expected 5 or more. Provide more text, use shorter windows, or give another file to evaluate on`,
    );
  }
  return {
    calibration: subsample(all.slice(0, -count), windows),
    heldOut: all.slice(-count),
  };
}

async function windowsOf(
  path: string,
  tokenizer: Tokenizer,
  { length, sees, signal, onProgress }: CalibrationTextOptions,
): Promise<Example[]> {
  assertWindow(length);
  const file = dataPath(path);
  const pause = new Pause(signal);
  const windows: Example[] = [];
  const stream = new WindowStream(tokenizer, { length, sees });
  const rest = async () => {
    if (!pause.due) return;
    onProgress?.(path, windows.length);
    await pause.rest();
  };
  if (dataExtension(path) === ".txt") {
    let begun = false;
    for await (const ids of encodeStream(tokenizer, dataChunks(file, { signal }), { pause })) {
      windows.push(...(begun ? stream.more(ids) : stream.document(ids)));
      begun = true;
      await rest();
    }
  } else {
    for await (const rows of dataRows(file, formatOfFile(path), { signal, name: path })) {
      for (const { row, line } of rows) {
        const ids = await encodeLong(tokenizer, rowText(row, line, path), { pause });
        windows.push(...stream.document(ids));
        await rest();
      }
    }
  }
  windows.push(...stream.end());
  if (windows.length === 0) {
    throw new RangeError(`Cannot calibrate on "${path}": it gives no window of 2 tokens`);
  }
  return windows.flatMap((window, round) => seenWindow(tokenizer, window, { sees, round }) ?? []);
}
