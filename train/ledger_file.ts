/**
 * A ledger on disk: created whole, appended and flushed, its torn tail cut when it is resumed.
 *
 * @module
 */

import { attempting, inWords } from "../models/attempt.ts";
import { writeFileWhole } from "../models/file_source.ts";
import { readFileBytes } from "../models/read_file.ts";
import {
  encodeHeader,
  encodeRecord,
  type Ledger,
  type LedgerHead,
  type LedgerHeader,
  readLedger,
} from "../optim/mod.ts";

/** A step as it is appended. */
export interface LedgerEntry {
  /** One per direction, rounded. */
  readonly coefficients: readonly number[];
  /** The chain's state after the step. */
  readonly state: readonly number[];
}

/** A ledger open for appending; dispose closes it. */
export class LedgerFile implements Disposable {
  /** Where it lies. */
  readonly path: string;
  /** Its header with its bytes. */
  readonly head: LedgerHead;
  readonly #file: Deno.FsFile;
  #length: number;
  #closed = false;

  private constructor(path: string, head: LedgerHead, file: Deno.FsFile, length: number) {
    this.path = path;
    this.head = head;
    this.#file = file;
    this.#length = length;
  }

  /** Steps in the file. */
  get length(): number {
    return this.#length;
  }

  /**
   * Creates a ledger with no steps.
   *
   * @throws {Deno.errors.AlreadyExists} When `path` exists: a fine-tune is never overwritten
   */
  static async create(path: string, header: LedgerHeader): Promise<LedgerFile> {
    if (await Deno.stat(path).then(() => true, () => false)) {
      throw new Deno.errors.AlreadyExists(
        `Cannot create the ledger "${path}": it exists. Resume it, or choose another output`,
      );
    }
    const head = encodeHeader(header);
    await writeFileWhole(path, [head.bytes]);
    return new LedgerFile(path, head, await Deno.open(path, { append: true }), 0);
  }

  /**
   * Opens a ledger to go on: what lies behind its last whole record is cut off.
   *
   * @throws {SyntaxError} When its head is damaged; the file is then left as it is
   */
  static async resume(path: string): Promise<{ file: LedgerFile; ledger: Ledger }> {
    const ledger = await openLedger(path);
    const open = await attempting({ what: "go on with the ledger", path }, async () => {
      if (ledger.tornBytes > 0) await Deno.truncate(path, ledger.validBytes);
      return await Deno.open(path, { append: true });
    });
    return { file: new LedgerFile(path, ledger.head, open, ledger.records.length), ledger };
  }

  /**
   * Appends steps and flushes them to the disk.
   *
   * @throws What the disk throws, for example when it is full; none of these steps is then in the file
   */
  async append(entries: readonly LedgerEntry[]): Promise<void> {
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

  /** Closes the file; what was appended is on the disk. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.#file.close();
    this.#closed = true;
  }
}

const NO_LEDGER = "Name the run's folder, or the run.ledger in it";

/**
 * Reads a whole ledger.
 *
 * @throws {SyntaxError} When its head is damaged
 * @throws {TypeError | RangeError} For what is no regular file, or larger than 1 GiB
 * @throws {Deno.errors.NotFound} When there is none
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
