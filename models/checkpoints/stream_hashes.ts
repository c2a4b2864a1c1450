/**
 * SHA-256 of many streams of bytes beside the work that brings them: on other cores, where there is much to hash.
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
 * Bytes below which the hash costs less than a worker for it, which holds its maker for 20 to 70 ms while it begins and takes a part of the
 * memory's speed: of 157 MiB of F16, 8 % of loading and 12 % (`deno task bench loading`).
 */
const LEAST_WORK = 256 * 2 ** 20;
/** Bytes of a stream below which a message costs more than the hash. */
const LEAST_STREAM = 2 ** 18;
/** A worker hashes 1 to 2 GB a second, which is more than most disks give. */
const MOST_WORKERS = 2;
const SLOT = 2 * 2 ** 20;
/** Enough that loading does not wait for a worker to begin; memory that is not needed is not touched. */
const SLOTS = 16;
/** Bytes handed over that may wait: as many as the slots have, so that memory is bounded alike. */
const MOST_HANDED = SLOTS * SLOT;

/** A stream that is hashed as it comes. */
export interface StreamHash {
  /**
   * Takes the next bytes; they may be changed when the promise resolves.
   */
  update(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /**
   * Takes the next bytes, the whole of a buffer, which is empty afterwards. Undefined where they would be hashed on this thread.
   */
  readonly take?: (bytes: Uint8Array<ArrayBuffer>, options: TakeOptions) => Promise<void>;
  /** What all were; undefined when a worker broke, so that the bytes are to be hashed again. */
  digest(): Promise<StreamDigest | undefined>;
}

/** What is done with bytes that are taken. */
export interface TakeOptions {
  /** Looks through them for NaN and infinity. */
  readonly floats: DenseType | undefined;
  /** Is given their buffer when they have been hashed. */
  readonly memory: PieceMemory | undefined;
}

/** What the bytes of a stream were. */
export interface StreamDigest {
  /** Their SHA-256, in hex. */
  readonly sha256: string;
  /** Whether among the floats that were to be looked through may be one that is not finite. */
  readonly nonFinite: boolean;
}

/** Hashes streams; dispose ends its workers. */
export class StreamHashes implements Disposable {
  readonly #helpers: Helper[] = [];
  #streams = 0;

  /**
   * Starts workers when there is enough to do for them and a core to do it.
   *
   * @param expected Bytes that will come
   * @param workers At most so many. Default: as many as there are further cores, at most 2
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
      this[Symbol.dispose](); // not allowed, or no workers here
    }
  }

  /** Begins a stream of about `expected` bytes. */
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

/** A worker with the memory that it is handed bytes in, or one that broke: text that cannot be run is only told of later. */
class Helper implements Disposable {
  /** Bytes of streams that have begun and not ended. */
  waiting = 0;
  /** Whether it cannot be used any more. */
  broken = false;
  readonly #worker = textWorker(hashWorkerText());
  readonly #memory = new Uint8Array(new SharedArrayBuffer(SLOTS * SLOT));
  readonly #free = Array.from({ length: SLOTS }, (_, i) => i * SLOT);
  readonly #ended = new Map<number, (digest: StreamDigest | undefined) => void>();
  /** Where the buffers belong that were handed over, in this order. */
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

  /** Until there is room, or the worker broke. */
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
