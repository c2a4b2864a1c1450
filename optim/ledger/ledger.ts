/**
 * The ledger: a fine-tune as a file of seeds and coefficients. It has a head (see {@linkcode LedgerHeader}) and one record of fixed size per
 * step. This module handles bytes only; the owner of a file appends and flushes them.
 *
 * A record, little-endian: for each direction moved along, the top 24 bits of the coefficient's f32 (the low 8 are zero), then the f32 state
 * after the step, then a CRC-16 over the head's checksum, the record's index and the record.
 *
 * @module
 */
import type { StepRecord } from "../steps/apply_record.ts";
import { crc16 } from "./crc16.ts";
import { moveSeeds } from "../directions/direction_plan.ts";
import { decodeHeader, type LedgerHead, type LedgerHeader } from "./ledger_header.ts";
import { isOlderFingerprint, OLDER_FINGERPRINT } from "./older_fingerprint.ts";
import { roundCoefficient } from "../offset.ts";
import { masterSeed, type Seed } from "../directions/seed.ts";
import { isHeld, updateInputs } from "../updates/update_rule.ts";

/** A step as stored in a ledger. */
export interface LedgerRecord extends StepRecord {
  /** Index of the record, from 0. */
  readonly step: number;
  /** The transformation's state after the step. */
  readonly state: readonly number[];
}

/** A ledger as read from a file. */
export interface Ledger {
  /** The head with its bytes, after which records can be appended. */
  readonly head: LedgerHead;
  /** The contents of the head. */
  readonly header: LedgerHeader;
  /** The records before the first incomplete or damaged one. */
  readonly records: LedgerReader;
  /** Number of valid bytes in the file. Truncate it to this length before appending. */
  readonly validBytes: number;
  /** Number of bytes dropped after them. */
  readonly tornBytes: number;
  /** Information for the user, one sentence each. */
  readonly notes: readonly string[];
  /** The first complete record whose checksum is wrong. Undefined if there is none or only an incomplete tail. */
  readonly damage: LedgerDamage | undefined;
}

/** A complete record that is damaged. Damage on disk is assumed, because interrupted writing leaves a short record, or zeros. */
export interface LedgerDamage {
  /** Index of the record, from 0; this many steps before it are valid. */
  readonly record: number;
  /** Number of complete records in the file, including later ones. */
  readonly records: number;
  /** Offset of the record in the file, in bytes. */
  readonly offset: number;
}

/**
 * A description of a ledger's damage, as part of a sentence.
 *
 * @example The fourth of ten records
 * ```ts
 * import { damageText } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   damageText({ record: 3, records: 10, offset: 315 }),
 *   "record 3 of 10, counted from 0, is damaged (offset 315 of the file)",
 * );
 * ```
 */
export function damageText({ record, records, offset }: LedgerDamage): string {
  return `record ${record} of ${records}, counted from 0, is damaged (offset ${offset} of the file)`;
}

/**
 * The number of steps to replay. Default: all.
 *
 * @param steps Number of steps wanted.
 * @throws {SyntaxError} when the ledger is damaged within these steps.
 * @throws {TypeError} when it is a ledger of exact gradients.
 *
 * @example More than there are
 * ```ts
 * import { encodeHeader, encodeRecord, NOISE_VERSION, qzo, readLedger, stepsToReplay } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const head = encodeHeader({
 *   ...{ model: "toy", trainables: [], optimiser: qzo().describe(), seed: 1, data: null },
 *   ...{ distribution: "normal", projection: "keep-sign", noiseVersion: NOISE_VERSION },
 *   ...{ directions: 1, stateSize: 0, created: "2026-01-01T00:00:00Z" },
 * });
 * const ledger = readLedger(Uint8Array.of(...head.bytes, ...encodeRecord(head, 0, [2 ** -20], [])));
 * assertEquals([stepsToReplay(ledger), stepsToReplay(ledger, 20)], [1, 1]);
 * ```
 */
export function stepsToReplay({ header, records, damage }: Ledger, steps?: number): number {
  assertReplayed(header);
  if (damage && (steps ?? Infinity) > records.length) {
    throw new SyntaxError(
      `Cannot replay ${steps ?? "all"} steps of the ledger: ${damageText(damage)}. ` +
        `The ${records.length} steps before it are intact: replay those with --step ${records.length}, or restore the file from a backup`,
    );
  }
  return Math.min(steps ?? records.length, records.length);
}

/** Rejects a ledger that has nothing to replay. */
function assertReplayed({ exact }: LedgerHeader): void {
  if (!exact) return;
  throw new TypeError(
    "Cannot replay the ledger: its steps follow exact gradients, which cannot be regenerated from seeds. The offsets are in the state files next to it, which evaluate, generate and export use",
  );
}

/** The start of a record's checksum, which depends on its position and is continued over its payload. */
function startChecksum(head: LedgerHead, index: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setUint32(0, head.crc, true);
  view.setUint32(4, index, true);
  return crc16(new Uint8Array(view.buffer));
}

/**
 * The bytes of one record.
 *
 * @param index Index of the step, from 0.
 * @param coefficients One per direction moved along, rounded by {@linkcode roundCoefficient}.
 * @param state The transformation's state after the step, finite f32.
 * @throws {TypeError} when the number of coefficients or state values is wrong.
 * @throws {RangeError} when one of them is not rounded or not finite.
 *
 * @example The first step of plain QZO takes five bytes
 * ```ts
 * import { encodeHeader, encodeRecord, NOISE_VERSION, qzo, roundCoefficient } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const head = encodeHeader({
 *   ...{ model: "toy", trainables: [], optimiser: qzo().describe(), seed: 1, data: null },
 *   ...{ distribution: "normal", projection: "keep-sign", noiseVersion: NOISE_VERSION },
 *   ...{ directions: 1, stateSize: 0, created: "2026-01-01T00:00:00Z" },
 * });
 * assertEquals(encodeRecord(head, 0, [roundCoefficient(1e-4)], []).length, 5);
 * ```
 */
export function encodeRecord(
  head: LedgerHead,
  index: number,
  coefficients: readonly number[],
  state: readonly number[],
): Uint8Array<ArrayBuffer> {
  const { moves, header: { stateSize, exact } } = head;
  if (exact) {
    throw new TypeError(
      `Cannot encode record ${index}: it is a ledger of exact gradients, which cannot be replayed from records`,
    );
  }
  if (coefficients.length !== moves || state.length !== stateSize) {
    throw new TypeError(
      `Cannot encode record ${index}: ${coefficients.length} coefficients and ${state.length} state scalars given, ` +
        `${moves} and ${stateSize} needed`,
    );
  }
  if (!(Number.isInteger(index) && index >= 0 && index < 2 ** 32)) {
    throw new RangeError(`Cannot encode record ${index}: the index is not a u32`);
  }
  const bytes = new Uint8Array(head.recordSize);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const coefficient of coefficients) {
    if (!isCoefficient(coefficient)) {
      throw new RangeError(
        `Cannot encode record ${index}: coefficient ${coefficient} is not rounded`,
      );
    }
    const bits = floatBits(coefficient) >>> 8;
    view.setUint16(at, bits & 0xffff, true);
    view.setUint8(at + 2, bits >>> 16);
    at += 3;
  }
  for (const value of state) {
    if (!Number.isFinite(value) || Math.fround(value) !== value) {
      throw new RangeError(
        `Cannot encode record ${index}: state scalar ${value} is not a finite f32`,
      );
    }
    view.setFloat32(at, value, true);
    at += 4;
  }
  view.setUint16(at, crc16(bytes.subarray(0, at), startChecksum(head, index)), true);
  return bytes;
}

const scratch = new DataView(new ArrayBuffer(4));

function floatBits(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

function bitsFloat(bits: number): number {
  scratch.setUint32(0, bits);
  return scratch.getFloat32(0);
}

/** Whether rounding would leave a coefficient unchanged. */
function isCoefficient(value: number): boolean {
  return Number.isFinite(value) && Object.is(roundCoefficient(value), value);
}

/**
 * The records of a ledger, by step.
 *
 * @example The coefficients of one step
 * ```ts
 * import { encodeHeader, encodeRecord, LedgerReader, NOISE_VERSION, qzo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const head = encodeHeader({
 *   ...{ model: "toy", trainables: [], optimiser: qzo().describe(), seed: 1, data: null },
 *   ...{ distribution: "normal", projection: "keep-sign", noiseVersion: NOISE_VERSION },
 *   ...{ directions: 1, stateSize: 0, created: "2026-01-01T00:00:00Z" },
 * });
 * const records = new LedgerReader(head, encodeRecord(head, 0, [2 ** -20], []));
 * assertEquals([records.length, ...records.coefficients(0)], [1, 2 ** -20]);
 * ```
 */
export class LedgerReader implements Iterable<LedgerRecord> {
  /** Number of records. */
  readonly length: number;
  readonly #head: LedgerHead;
  readonly #view: DataView;
  readonly #master: Seed;

  /** Reads the complete records in `bytes`, which start after the head; {@linkcode readLedger} has checked them. */
  constructor(head: LedgerHead, bytes: Uint8Array) {
    this.#head = head;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = Math.floor(bytes.length / head.recordSize);
    this.#master = masterSeed(head.header.seed);
  }

  #at(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) {
      return index * this.#head.recordSize;
    }
    throw new RangeError(`Cannot read record ${index} of a ledger of ${this.length} records`);
  }

  /** The factors of z in a step, one per direction moved along. */
  coefficients(index: number): number[] {
    const start = this.#at(index);
    return Array.from({ length: this.#head.moves }, (_, move) => {
      const at = start + 3 * move;
      const bits = this.#view.getUint16(at, true) | (this.#view.getUint8(at + 2) << 16);
      return bitsFloat(bits << 8);
    });
  }

  /** The transformation's state after a step. */
  state(index: number): number[] {
    const { moves, header: { stateSize } } = this.#head;
    const start = this.#at(index) + 3 * moves;
    return Array.from({ length: stateSize }, (_, i) => this.#view.getFloat32(start + 4 * i, true));
  }

  /** The seeds of all directions that a step moved along. */
  seeds(index: number): Seed[] {
    this.#at(index);
    const { plan, header: { directions } } = this.#head;
    return moveSeeds(plan, directions, this.#master, index);
  }

  /** The whole record of a step. */
  record(index: number): LedgerRecord {
    const { update, plan } = this.#head;
    const coefficients = this.coefficients(index);
    return {
      step: index,
      seeds: this.seeds(index),
      coefficients,
      ...(update
        ? {
          inputs: updateInputs(this.#head, index),
          held: isHeld(plan, index) ||
            update.restsAtZero === true && coefficients.every((c) => c === 0),
        }
        : {}),
      state: this.state(index),
    };
  }

  /** All steps in order. */
  *[Symbol.iterator](): Generator<LedgerRecord> {
    for (let index = 0; index < this.length; index++) yield this.record(index);
  }
}

/** Number of records in `bytes` before the first incomplete or damaged one. */
function countValid(head: LedgerHead, bytes: Uint8Array): number {
  if (head.header.exact) return 0;
  const reader = new LedgerReader(head, bytes);
  const payload = head.recordSize - 2;
  for (let index = 0; index < reader.length; index++) {
    const at = index * head.recordSize;
    const crc = crc16(bytes.subarray(at, at + payload), startChecksum(head, index));
    const stored = bytes[at + payload] | (bytes[at + payload + 1] << 8);
    const good = crc === stored && reader.coefficients(index).every(isCoefficient) &&
      reader.state(index).every(Number.isFinite);
    if (!good) return index;
  }
  return reader.length;
}

/** The damage after the valid records. Undefined if only an incomplete tail follows. */
function damageOf(head: LedgerHead, body: Uint8Array, record: number): LedgerDamage | undefined {
  const at = record * head.recordSize;
  const records = Math.floor(body.length / head.recordSize);
  // After a power failure, a file that had been extended but not yet written contains zeros.
  if (records === record || body.subarray(at).every((byte) => byte === 0)) return undefined;
  return { record, records, offset: head.bytes.length + at };
}

/**
 * Reads a ledger. An incomplete tail is dropped and reported. Everything from the first damaged record on is also dropped, because later steps
 * have no meaning without it; this is reported separately, see {@linkcode stepsToReplay}.
 *
 * @throws {SyntaxError} when the head is damaged. Nothing can then be said about the records.
 *
 * @example Write, truncate and read a ledger
 * ```ts
 * import { encodeHeader, encodeRecord, NOISE_VERSION, qzo, readLedger } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const head = encodeHeader({
 *   model: "toy",
 *   trainables: [],
 *   optimiser: qzo().describe(),
 *   seed: 1,
 *   distribution: "normal",
 *   projection: "keep-sign",
 *   noiseVersion: NOISE_VERSION,
 *   directions: 1,
 *   stateSize: 0,
 *   data: null,
 *   created: "2026-01-01T00:00:00Z",
 * });
 * const file = [...head.bytes, ...encodeRecord(head, 0, [-0.25], []), 1, 2];
 * const { records, tornBytes } = readLedger(new Uint8Array(file));
 * assertEquals(records.coefficients(0), [-0.25]);
 * assertEquals([records.length, tornBytes], [1, 2]);
 * ```
 */
export function readLedger(bytes: Uint8Array): Ledger {
  const head = decodeHeader(bytes);
  const body = bytes.subarray(head.bytes.length);
  const count = countValid(head, body);
  const valid = count * head.recordSize;
  const tornBytes = body.length - valid;
  return {
    head,
    header: head.header,
    records: new LedgerReader(head, body.slice(0, valid)),
    validBytes: head.bytes.length + valid,
    tornBytes,
    damage: damageOf(head, body, count),
    notes: isOlderFingerprint(head.header.model) ? [OLDER_FINGERPRINT] : [],
  };
}
