/**
 * Removes the files of a new run that failed before its first step.
 *
 * @module
 */
import { join } from "@std/path";
import { isEventFile } from "./event_file_name.ts";
import type { RunFolder } from "./run_folder.ts";

/** The files of a new run. They are removed if it fails before its first step, so that the folder is free for the next attempt. */
export class BegunFiles implements Disposable {
  readonly #folder: RunFolder;
  readonly #hadFolder: boolean;
  #taken = false;
  #kept = false;

  /** Call it before a run begins in `folder`. */
  constructor(folder: RunFolder) {
    this.#folder = folder;
    this.#hadFolder = existsSync(folder.path);
  }

  /** Records that this run created the ledger, so that the files are its own. */
  made(): void {
    this.#taken = true;
  }

  /** Sets whether the files are kept. */
  keep(kept: boolean): void {
    this.#kept = kept;
  }

  /** Removes the files unless they are kept. */
  [Symbol.dispose](): void {
    if (this.#kept) return;
    const { ledger, state, best, config, metrics, curve, examples, path } = this.#folder;
    const own = [ledger, state, best, config, metrics, curve, examples];
    for (const file of this.#taken ? own : []) remove(file);
    for (const file of this.#taken ? eventFilesOf(path) : []) remove(file);
    if (!this.#hadFolder) remove(path);
  }
}

/** Paths of the event files in a run's folder. */
export function eventFilesOf(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name).filter(isEventFile)
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/** Removes a file or an empty folder, if it exists. */
export function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch { /* Missing, or not empty. */ }
}

function existsSync(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
