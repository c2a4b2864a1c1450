/**
 * The files that a run begins with.
 *
 * @module
 */
import { join } from "@std/path";
import { isEventFile } from "./event_file_name.ts";
import type { RunFolder } from "./run_folder.ts";

/** The files that a new run begins with: taken back when it fails before its first step, so that the next try finds the folder free. */
export class BegunFiles implements Disposable {
  readonly #folder: RunFolder;
  readonly #hadFolder: boolean;
  #taken = false;
  #kept = false;

  /** Of a run that is about to begin in `folder`. */
  constructor(folder: RunFolder) {
    this.#folder = folder;
    this.#hadFolder = existsSync(folder.path);
  }

  /** The ledger is this run's own. */
  made(): void {
    this.#taken = true;
  }

  /** Whether they are to stay. */
  keep(kept: boolean): void {
    this.#kept = kept;
  }

  /** Takes them back, unless they are to stay. */
  [Symbol.dispose](): void {
    if (this.#kept) return;
    const { ledger, state, best, config, metrics, curve, examples, path } = this.#folder;
    const own = [ledger, state, best, config, metrics, curve, examples];
    for (const file of this.#taken ? own : []) remove(file);
    for (const file of this.#taken ? eventFilesOf(path) : []) remove(file);
    if (!this.#hadFolder) remove(path);
  }
}

/** Event files in a run's folder, by path. */
export function eventFilesOf(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).filter(isEventFile)
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/** Removes a file, or a folder that is empty. */
export function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch { /* There is none, or it is not empty. */ }
}

function existsSync(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
