/**
 * Event files for TensorBoard: losses, accuracy, learning rate and speed of a run as scalars.
 *
 * A file is a sequence of records (length, checksum, an `Event` as protobuf, checksum). The encoder is written here, because only a few fields of
 * the protobuf are needed.
 *
 * @module
 */
import { join } from "@std/path";
import { attempting, attemptingNow } from "../../models/checkpoints/disk/attempt.ts";
import { crc32c } from "./crc32c.ts";
import { eventFileName, isEventFile } from "./event_file_name.ts";
import type { RunEvent } from "./run_folder.ts";

/** The event file of one session of a run. It grows like {@linkcode MetricsFile}. */
export class EventFile implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #waiting: Uint8Array[] = [];

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Creates a file in a run's folder. TensorBoard then ignores events of later steps than `step` in earlier files.
   *
   * @param step Number of steps made before. At 0, a new run, event files of an earlier run are removed.
   * @param earlier Events of the run so far. They are written if there is no earlier file.
   * @throws any error of the file system.
   */
  static async create(
    folder: string,
    step: number,
    earlier: readonly RunEvent[] = [],
  ): Promise<EventFile> {
    let last = 0;
    for await (const { name } of Deno.readDir(folder)) {
      if (!isEventFile(name)) continue;
      if (step === 0) await Deno.remove(join(folder, name));
      else last = Math.max(last, Number(name.split(".")[3]));
    }
    const seconds = Math.max(Math.floor(Date.now() / 1000), last + 1);
    const path = join(folder, eventFileName(seconds, Deno.pid));
    const file = await attempting(
      { what: "write the events", path },
      () => Deno.open(path, { write: true, createNew: true }),
    );
    const events = new EventFile(path, file);
    const now = Date.now() / 1000;
    events.#add(now, 0, text(3, "brain.Event:2"));
    // A session log with status START.
    if (last > 0) events.#add(now, step + 1, bytes(7, [...varint(8), ...varint(1)]));
    else for (const event of earlier) events.add(event);
    return events;
  }

  /** Adds the scalars of a step or an evaluation. */
  add(event: RunEvent): void {
    const scalars = event.type === "step"
      ? {
        "train/loss": event.loss,
        "train/learning_rate": event.learningRate,
        "train/tokens_per_second": event.tokensPerSecond,
      }
      : { "held_out/loss": event.loss, "held_out/accuracy": event.accuracy };
    const time = event.time === undefined ? Date.now() : Date.parse(event.time);
    const values = Object.entries(scalars).flatMap(([tag, value]) =>
      value === undefined ? [] : bytes(1, [...text(1, tag), ...float(2, value)])
    );
    this.#add(time / 1000, event.step, bytes(5, values));
  }

  #add(time: number, step: number, what: readonly number[]): void {
    this.#waiting.push(record([...double(1, time), ...varint(16), ...varint(step), ...what]));
  }

  /** Writes the events added since the last call. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    attemptingNow({ what: "write the events", path: this.#path }, () => {
      for (const bytes of waiting) {
        for (let done = 0; done < bytes.length;) {
          done += this.#file.writeSync(bytes.subarray(done));
        }
      }
    });
  }

  /** Writes the remaining events and closes the file. */
  [Symbol.dispose](): void {
    try {
      this.flush();
    } finally {
      this.#file.close();
    }
  }
}

function record(data: readonly number[]): Uint8Array {
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, masked(out.subarray(12, 12 + data.length)), true);
  return out;
}

/** The masked checksum of records, because the CRC of data that contains CRCs is weak. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A number as a protobuf varint. */
function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out.push(rest % 128 + 128);
  return [...out, rest];
}

/** A length-delimited protobuf field. */
function bytes(field: number, content: readonly number[]): number[] {
  return [...varint(field * 8 + 2), ...varint(content.length), ...content];
}

function text(field: number, content: string): number[] {
  return bytes(field, [...new TextEncoder().encode(content)]);
}

function double(field: number, value: number): number[] {
  return [...varint(field * 8 + 1), ...new Uint8Array(Float64Array.of(value).buffer)];
}

function float(field: number, value: number): number[] {
  return [...varint(field * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer)];
}
