/**
 * A ledger on disk: created whole, appended to and flushed, and truncated to its last complete record when it is resumed.
 *
 * @module
 */

import { ledgerHeader, type LedgerSubject } from "./ledger_header.ts";
import { attempting, inWords } from "../../models/checkpoints/disk/attempt.ts";
import { writeFileWhole } from "../../models/checkpoints/disk/files.ts";
import { readFileBytes } from "../../models/checkpoints/disk/read_file.ts";
import {
  damageText,
  encodeHeader,
  encodeRecord,
  type Ledger,
  type LedgerDamage,
  type LedgerHead,
  type LedgerHeader,
  readLedger,
} from "../../optim/mod.ts";

/** A step to append. */
export interface LedgerEntry {
  /** Rounded coefficients, one per direction. */
  readonly coefficients: readonly number[];
  /** The chain's state after the step. */
  readonly state: readonly number[];
}

/**
 * A ledger that is open for appending. Disposing closes it.
 *
 * @example One step
 * ```ts
 * import { qzo, roundCoefficient, tensorId } from "@qzo/qzo/optim";
 * import { LedgerFile, openLedger } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * const shape = { count: 4, form: "absolute", span: 1, rows: 1, columns: 4 } as const;
 * const trainables = [{ name: "gain", id: tensorId("gain"), ...shape }];
 * const model = { fingerprint: `2:${"0".repeat(64)}` };
 * {
 *   const subject = { model, optimiser: qzo(), offsets: { trainables } };
 *   using ledger = await LedgerFile.create(`${folder}/run.ledger`, subject);
 *   await ledger.append([{ coefficients: [roundCoefficient(1e-3)], state: [] }]);
 * }
 * assertEquals((await openLedger(`${folder}/run.ledger`)).records.length, 1);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export class LedgerFile implements Disposable {
  /** Path of the file. */
  readonly path: string;
  /** Its header, with the header's bytes. */
  readonly head: LedgerHead;
  readonly #file: Deno.FsFile;
  #length: number;
  #closed = false;
  #held = false;
  #turn: Promise<void> = Promise.resolve();

  private constructor(path: string, head: LedgerHead, file: Deno.FsFile, length: number) {
    this.path = path;
    this.head = head;
    this.#file = file;
    this.#length = length;
  }

  /** Number of steps in the file. */
  get length(): number {
    return this.#length;
  }

  /**
   * Creates a ledger without steps, from a fine-tune's properties or from a header. If several processes create the same path at once, one
   * succeeds.
   *
   * @throws {Deno.errors.AlreadyExists} when `path` exists. A fine-tune is never overwritten.
   */
  static async create(path: string, of: LedgerSubject | LedgerHeader): Promise<LedgerFile> {
    const head = encodeHeader("offsets" in of ? ledgerHeader(of) : of);
    try {
      await writeFileWhole(path, [head.bytes], { exclusive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      throw new Deno.errors.AlreadyExists(
        `Cannot create the ledger "${path}": it exists. Resume it, or choose another output`,
      );
    }
    return new LedgerFile(path, head, await Deno.open(path, { append: true }), 0);
  }

  /**
   * Opens a ledger to continue it. An incomplete record at its end is removed. If a complete record is damaged, it and all later records are
   * removed too, and a copy of the original file is kept, as the ledger's `notes` say.
   *
   * @param check Called with the ledger before anything is removed. If it throws, the file is not changed.
   * @throws {SyntaxError} when its header is damaged. The file is then not changed.
   */
  static async resume(
    path: string,
    { check }: { readonly check?: (ledger: Ledger) => void | Promise<void> } = {},
  ): Promise<{ file: LedgerFile; ledger: Ledger }> {
    const found = await openLedger(path);
    await check?.(found);
    const ledger = found.damage ? await withoutDamage(path, found, found.damage) : found;
    const open = await attempting({ what: "go on with the ledger", path }, async () => {
      if (ledger.tornBytes > 0) await Deno.truncate(path, ledger.validBytes);
      return await Deno.open(path, { append: true });
    });
    return { file: new LedgerFile(path, ledger.head, open, ledger.records.length), ledger };
  }

  /**
   * Appends steps and flushes them to disk. Concurrent calls are executed one after another.
   *
   * @throws Any error of the disk, for example when it is full. The file then contains none of these steps.
   */
  append(entries: readonly LedgerEntry[]): Promise<void> {
    const done = this.#turn.then(() => this.#append(entries));
    this.#turn = done.catch(() => {});
    return done;
  }

  async #append(entries: readonly LedgerEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const size = this.head.recordSize;
    const bytes = new Uint8Array(entries.length * size);
    entries.forEach(({ coefficients, state }, i) => {
      bytes.set(encodeRecord(this.head, this.#length + i, coefficients, state), i * size);
    });
    try {
      for (let done = 0; done < bytes.length;) {
        done += await this.#file.write(bytes.subarray(done));
      }
      await this.#file.syncData();
    } catch (error) {
      // Steps appended later would lie behind a torn record and be lost with it.
      await this.#file.truncate(this.head.bytes.length + this.#length * size).catch(() => {});
      throw inWords(error, { what: `append ${entries.length} steps to`, path: this.path });
    }
    this.#length += entries.length;
  }

  /**
   * Prevents other fine-tunes from writing to this ledger until disposed, because their steps would be counted as those of this one.
   *
   * @throws {Deno.errors.Busy} when another fine-tune is already writing.
   */
  hold(): Disposable {
    if (this.#held) {
      throw new Deno.errors.Busy(
        `Cannot write to the ledger "${this.path}": another fine-tune is writing to it. Give each its own, or wait for its end`,
      );
    }
    this.#held = true;
    return { [Symbol.dispose]: () => void (this.#held = false) };
  }

  /** Closes the file. Everything appended is on disk. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.#file.close();
    this.#closed = true;
  }
}

/** Copies a damaged ledger before it is truncated. */
async function withoutDamage(
  path: string,
  ledger: Ledger,
  damage: LedgerDamage,
): Promise<Ledger> {
  const bytes = await readFileBytes(path, "ledger");
  for (let number = 1;; number++) {
    const kept = `${path}.damaged${number === 1 ? "" : `-${number}`}`;
    try {
      await writeFileWhole(kept, [bytes], { exclusive: true });
      const note = `"${path}": ${
        damageText(damage)
      }; it continues from step ${ledger.records.length}, and the file as it was is kept as "${kept}"`;
      return { ...ledger, damage: undefined, notes: [...ledger.notes, note] };
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

const NO_LEDGER = "Name the run's folder, or the run.ledger in it";

/**
 * Reads a whole ledger.
 *
 * @throws {SyntaxError} when its header is damaged.
 * @throws {TypeError | RangeError} when it is not a regular file, or larger than 1 GiB.
 * @throws {Deno.errors.NotFound} when it does not exist.
 *
 * @example A ledger without steps
 * ```ts
 * import { LedgerFile, openLedger, qzo } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * const shape = { count: 4, form: "absolute", span: 1, rows: 1, columns: 4 } as const;
 * const offsets = { trainables: [{ name: "gain", id: 1, ...shape }] };
 * const folder = await Deno.makeTempDir();
 * const path = `${folder}/run.ledger`;
 * const subject = { model: { fingerprint: `2:${"0".repeat(64)}` }, optimiser: qzo(), offsets, seed: 7 };
 * (await LedgerFile.create(path, subject))[Symbol.dispose]();
 * const { header, records } = await openLedger(path);
 * assertEquals([header.seed, records.length], [7, 0]);
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function openLedger(path: string): Promise<Ledger> {
  try {
    const ledger = readLedger(await readFileBytes(path, "ledger", { hint: NO_LEDGER }));
    return { ...ledger, notes: ledger.notes.map((note) => `"${path}": ${note}`) };
  } catch (error) {
    if (error instanceof SyntaxError) {
      error.message = `Cannot read "${path}": ${error.message.replace(/^Cannot read /, "")}`;
    }
    throw error;
  }
}
