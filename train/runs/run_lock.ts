/**
 * One process at a time in a run's folder.
 *
 * @module
 */
import { attempting } from "../../models/checkpoints/disk/attempt.ts";
import { readFileText } from "../../models/checkpoints/disk/read_file.ts";
import { runFolder } from "./run_folder.ts";

/** A run's folder that no other process trains in, until disposed of or until this process ends, however it ends. */
export class RunLock implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #released = false;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Locks a folder, which must exist: by a lock of the system on `run.lock` in it, which dies with the process; the file says whose it is.
   *
   * @throws {Deno.errors.Busy} When it is locked; the message has the other's process id
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
        // Who let go of it may have removed it between the two lines above.
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

  /** Lets go of it. */
  [Symbol.dispose](): void {
    if (this.#released) return;
    this.#released = true;
    try {
      Deno.removeSync(this.#path);
    } catch { /* It is gone, or the system keeps what is open: the lock is what counts. */ }
    this.#file.close();
  }
}

/** The process that holds a lock, where the file says it. */
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
