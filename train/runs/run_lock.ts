/**
 * A lock that lets only one process train in a run's folder.
 *
 * @module
 */
import { attempting } from "../../models/checkpoints/disk/attempt.ts";
import { readFileText } from "../../models/checkpoints/disk/read_file.ts";
import { runFolder } from "./run_folder.ts";

/** A lock on a run's folder. It is released when it is disposed, or when the process ends for any reason. */
export class RunLock implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #released = false;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Locks a folder, which must exist, by a system lock on its file `run.lock`, which contains the id of the process.
   *
   * @throws {Deno.errors.Busy} when the folder is locked. The message gives the id of the process, if it is known.
   */
  static async take(folder: string): Promise<RunLock> {
    const path = runFolder(folder).lock;
    for (;;) {
      const file = await attempting(
        { what: "lock the run's folder by", path },
        () => Deno.open(path, { create: true, read: true, write: true }),
      );
      try {
        if (!await file.tryLock(true)) throw busy(folder, await ownerOf(path));
        // A process that released the lock may have removed the file between opening and locking it.
        const [held, named] = [await file.stat(), await Deno.stat(path).catch(() => undefined)];
        if (named && held.ino === named.ino) {
          await file.truncate();
          await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
          return new RunLock(path, file);
        }
      } catch (error) {
        file.close();
        throw error;
      }
      file.close();
    }
  }

  /** Releases the lock. */
  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    try {
      Deno.removeSync(this.#path);
    } catch { /* Already gone, or the system does not remove open files. Only the lock matters. */ }
    this.#file.close();
  }
}

/** Id of the process that holds a lock, if the file contains it. */
async function ownerOf(path: string): Promise<string | undefined> {
  const text = await readFileText(path, "settings").catch(() => "");
  return /^\d{1,10}$/.exec(text.trim())?.[0];
}

function busy(folder: string, owner: string | undefined): Error {
  const who = owner === undefined
    ? "another process"
    : owner === String(Deno.pid)
    ? `this process (id ${owner})`
    : `another process (id ${owner})`;
  return new Deno.errors.Busy(
    `Cannot train in "${folder}": ${who} is training there. Wait for it to finish, stop it, or choose another --output`,
  );
}
