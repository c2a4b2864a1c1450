/**
 * SHA-256 of many byte streams, computed in parallel with the work that produces them: on other cores if there is enough to hash.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { DenseType } from "../../quant/layouts/layout.ts";
import type { PieceMemory } from "../../quant/piece_memory.ts";
import { textWorker } from "../../quant/text_worker.ts";
import type { HashReply, HashRequest } from "./hash_messages.ts";
import { hashWorkerText } from "./serve_hashes.ts";

/**
 * Bytes below which hashing costs less than a worker, which blocks the creating thread for 20 to 70 ms while it starts and takes some of the memory
 * bandwidth: 8 % and 12 % of the time to load 157 MiB of F16 (`deno task bench loading`).
 */
const LEAST_WORK = 256 * 2 ** 20;
/** Bytes of a stream below which a message costs more than hashing. */
const LEAST_STREAM = 2 ** 18;
/** A worker hashes 1 to 2 GB/s, which is more than most disks deliver. */
const MOST_WORKERS = 2;
const SLOT = 2 * 2 ** 20;
/** Enough that loading does not wait for a worker to start. Unused memory is never touched. */
const SLOTS = 16;
/** Limit on transferred bytes that wait to be hashed: the total size of the slots, so that both uses of memory have the same bound. */
const MOST_HANDED = SLOTS * SLOT;

/** A stream that is hashed while it is produced. */
export interface StreamHash {
  /** Adds the next bytes. They may be changed after the promise resolves. */
  update(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * Adds the next bytes, which must be a whole buffer. The buffer is transferred and is empty afterwards. Undefined if the stream is hashed on this
   * thread.
   */
  readonly take?: (bytes: Uint8Array<ArrayBuffer>, options: TakeOptions) => Promise<void>;
  /** Result for all bytes. Undefined if a worker failed, in which case the bytes must be hashed again. */
  digest(): Promise<StreamDigest | undefined>;
}

/** Options for {@linkcode StreamHash.take}. */
export interface TakeOptions {
  /** Type of the elements if they are to be checked for NaN and infinity. */
  readonly floats: DenseType | undefined;
  /** Receives the buffer after it has been hashed. */
  readonly memory: PieceMemory | undefined;
}

/** Result of hashing a stream. */
export interface StreamDigest {
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
  /** Whether the checked floats may include one that is not finite. */
  readonly nonFinite: boolean;
}

/** Hashes streams. Disposing ends its workers. */
export class StreamHashes implements Disposable {
  readonly #helpers: Helper[] = [];
  #streams = 0;

  /**
   * Starts workers if there is enough work and a core for them.
   *
   * @param expected Number of bytes that will be hashed.
   * @param workers Maximum number of workers. Default: none below 256 MiB, otherwise the number of additional cores, at most 2.
   */
  constructor(
    expected: number,
    workers: number = expected < LEAST_WORK
      ? 0
      : Math.min(MOST_WORKERS, navigator.hardwareConcurrency - 1),
  ) {
    try {
      for (let i = 0; i < workers; i++) this.#helpers.push(new Helper());
    } catch {
      this[Symbol.dispose](); // Workers are not allowed or not available here.
    }
  }

  /** Opens a stream of about `expected` bytes. */
  open(expected: number): StreamHash {
    const idle = this.#helpers.filter(({ broken }) => !broken)
      .sort((a, b) => a.waiting - b.waiting).at(0);
    if (idle && expected >= LEAST_STREAM) return idle.open(this.#streams++, expected);
    const hash = createHash("sha256");
    return {
      update: (bytes) => {
        hash.update(bytes);
        return Promise.resolve();
      },
      digest: () => Promise.resolve({ sha256: hash.digest("hex"), nonFinite: false }),
    };
  }

  /** Ends the workers. */
  [Symbol.dispose](): void {
    for (const helper of this.#helpers.splice(0)) helper[Symbol.dispose]();
  }
}

/** A worker with the shared memory through which it receives bytes. It may fail at any time: code that cannot be run is reported only later. */
class Helper implements Disposable {
  /** Expected bytes of streams that have been opened and have not ended. */
  waiting = 0;
  /** Whether it has failed. */
  broken = false;
  readonly #worker = textWorker(hashWorkerText());
  readonly #memory = new Uint8Array(new SharedArrayBuffer(SLOTS * SLOT));
  readonly #free = Array.from({ length: SLOTS }, (_, i) => i * SLOT);
  readonly #ended = new Map<number, (digest: StreamDigest | undefined) => void>();
  /** Owners of the transferred buffers, in the order of transfer. */
  readonly #lent: (PieceMemory | undefined)[] = [];
  #handed = 0;
  #waiters: (() => void)[] = [];

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<HashReply>) => {
      if ("free" in data) {
        this.#free.push(data.free);
        this.#wake();
      } else if ("done" in data) {
        this.#handed -= data.done.byteLength;
        this.#lent.shift()?.give(new Uint8Array(data.done));
        this.#wake();
      } else {
        const { digest: sha256, nonFinite } = data;
        this.#ended.get(data.ended)?.({ sha256, nonFinite });
        this.#ended.delete(data.ended);
      }
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#break();
    };
    this.#tell({ memory: this.#memory });
  }

  open(stream: number, expected: number): StreamHash {
    this.waiting += expected;
    return {
      update: (bytes) => this.#copy(stream, bytes),
      take: (bytes, options) => this.#handOver(stream, bytes, options),
      digest: () => {
        this.waiting -= expected;
        if (this.broken) return Promise.resolve(undefined);
        return new Promise((resolve) => {
          this.#ended.set(stream, resolve);
          this.#tell({ end: stream });
        });
      },
    };
  }

  async #handOver(
    stream: number,
    bytes: Uint8Array<ArrayBuffer>,
    { floats, memory }: TakeOptions,
  ): Promise<void> {
    await this.#until(() => this.#handed < MOST_HANDED);
    if (this.broken) return;
    this.#handed += bytes.length;
    this.#lent.push(memory);
    this.#worker.postMessage({ stream, bytes, floats } satisfies HashRequest, [bytes.buffer]);
  }

  async #copy(stream: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length; at += SLOT) {
      await this.#until(() => this.#free.length > 0);
      if (this.broken) return;
      const offset = this.#free.pop()!;
      const part = bytes.subarray(at, at + SLOT);
      this.#memory.set(part, offset);
      this.#tell({ stream, offset, length: part.length });
    }
  }

  /** Waits until there is room or the worker fails. */
  async #until(isRoom: () => boolean): Promise<void> {
    while (!isRoom() && !this.broken) {
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    }
  }

  #tell(request: HashRequest): void {
    this.#worker.postMessage(request);
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #break(): void {
    this.broken = true;
    this.#wake();
    for (const resolve of this.#ended.values()) resolve(undefined);
    this.#ended.clear();
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
    this.#break();
  }
}
