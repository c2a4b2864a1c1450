/**
 * The state on disk of a fine-tune that cannot be replayed from a ledger: its offsets, the state of its update rule, and the position of the
 * run. It is a safetensors file that is written under a temporary name, flushed and renamed, so it always contains either the old or the new
 * state completely.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import type { Gpu, OffsetSet, Storage } from "../../kernels/mod.ts";
import { openFile, writeFileWhole } from "../../models/checkpoints/disk/files.ts";
import type { LedgerHead, UpdateRule } from "../../optim/mod.ts";
import type { ByteSource } from "../../quant/files/byte_source.ts";
import { readSafetensors, type SafetensorsFile, writeSafetensors } from "../../quant/mod.ts";

/** The parts stored for every trained tensor. */
type Part = "offsets" | `moments.${number}` | "gradients";

/** The position of a run. */
type Standing = Pick<StateToSave, "step" | "chain">;

/** The state of a run to save. */
export interface StateToSave {
  /** Number of steps done. */
  readonly step: number;
  /** The chain's state after these steps. */
  readonly chain: readonly number[];
  /** Offsets on the device, which must not be working on them. */
  readonly offsets: OffsetSet;
  /** The update rule whose state is saved. Without it only the offsets are written, which is enough for using them. */
  readonly update?: UpdateRule | undefined;
  /** Whether a gradient is being accumulated and must be saved too. */
  readonly accumulating?: boolean;
}

const FORMAT = "qzo state 1";

/** Least number of seconds between two saved states, if nothing else requests one. */
const SAVE_EVERY = 20;
/** The greatest fraction of time spent saving states. */
const SAVE_SHARE = 0.02;

/**
 * A state that belongs to a ledger, which it identifies by the ledger's checksum. Before the file exists, `step` is 0 and all offsets are zero.
 *
 * @example Before the first step there is no file
 * ```ts
 * import { encodeHeader, foSgd, NOISE_VERSION } from "@qzo/qzo/optim";
 * import { StateFile } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const optimiser = foSgd();
 * const head = encodeHeader({
 *   model: "toy",
 *   trainables: [],
 *   optimiser: optimiser.describe(),
 *   seed: 1,
 *   distribution: "normal",
 *   projection: "keep-sign",
 *   noiseVersion: NOISE_VERSION,
 *   directions: 1,
 *   stateSize: 0,
 *   exact: true,
 *   data: null,
 *   created: "2026-12-01T00:00:00Z",
 * });
 * const path = `${await Deno.makeTempDir()}/run.state`;
 * assertEquals((await StateFile.open(path, head)).step, 0);
 * ```
 */
export class StateFile {
  /** Path of the file. */
  readonly path: string;
  /** The header of the ledger that it belongs to. */
  readonly head: LedgerHead;
  #at: Standing;
  #isThere: boolean;
  #saved = performance.now();
  #took = 0;

  private constructor(path: string, head: LedgerHead, at: Standing | undefined) {
    this.path = path;
    this.head = head;
    this.#at = at ?? { step: 0, chain: [] };
    this.#isThere = at !== undefined;
  }

  /**
   * Opens a state, or starts one at step 0 if the file does not exist.
   *
   * @throws {SyntaxError | RangeError} when the file is damaged, or belongs to another ledger.
   */
  static async open(path: string, head: LedgerHead): Promise<StateFile> {
    return new StateFile(path, head, await readStanding(path, head));
  }

  /** Whether the file exists. */
  get isThere(): boolean {
    return this.#isThere;
  }

  /** Number of steps in the saved state. */
  get step(): number {
    return this.#at.step;
  }

  /** The chain's state after these steps. Undefined before the first. */
  get chain(): readonly number[] | undefined {
    return this.#at.step === 0 ? undefined : this.#at.chain;
  }

  /** Whether a state should be saved now: enough seconds have passed, and saving takes only a small fraction of the time. */
  get isDue(): boolean {
    const since = (performance.now() - this.#saved) / 1000;
    return since >= Math.max(SAVE_EVERY, this.#took / SAVE_SHARE);
  }

  /**
   * Reads the saved state into allocated offsets and, if `update` is given, the state of the update rule. Does nothing at step 0.
   *
   * @throws {SyntaxError | RangeError} when the file is damaged, or lacks the state of `update`.
   */
  async restore(gpu: Gpu, offsets: OffsetSet, update?: UpdateRule): Promise<void> {
    if (this.#at.step === 0) return;
    using source = await openFile(this.path, "state");
    const file = await readSafetensors(source);
    await checkSum(source, file);
    const write = async (part: Part, storages: readonly Storage[]) => {
      for (const { name, count } of offsets.trainables) {
        const { buffer, offset } = placeOf(offsets, storages, name);
        gpu.write(buffer, await valuesOf(source, file, { part, name, count }), offset);
      }
    };
    await write("offsets", offsets.arenas);
    if (!update) return;
    const moments = offsets.moments(update);
    for (let i = 0; i < update.stateSize; i++) {
      const storages = moments.map((arena) => arena[i].allocate(gpu));
      await write(`moments.${i}`, storages);
    }
    if (hasPart(file, "gradients")) {
      offsets.gradients.allocate(gpu);
      await write("gradients", offsets.gradients.storages);
    }
  }

  /**
   * Saves a state, replacing the previous one.
   *
   * @throws Any error of the disk. The previous state is then still there.
   */
  async save(gpu: Gpu, state: StateToSave): Promise<void> {
    const begun = performance.now();
    const { step, chain, offsets, update, accumulating } = state;
    const parts: [Part, readonly Storage[]][] = [["offsets", offsets.arenas]];
    if (update) {
      const moments = offsets.moments(update);
      for (let i = 0; i < update.stateSize; i++) {
        parts.push([`moments.${i}`, moments.map((arena) => arena[i])]);
      }
    }
    if (accumulating) parts.push(["gradients", offsets.gradients.storages]);
    const storages = parts.flatMap(([, all]) => all);
    const arenas = await gpu.read(storages.map(({ buffer }) => ({ buffer })));
    const bytes = new Map(storages.map((storage, i) => [storage, arenas[i]]));
    const tensors = parts.flatMap(([part, all]) =>
      offsets.trainables.map(({ name, count }) => {
        const { storage, offset } = placeOf(offsets, all, name);
        return {
          name: `${part}/${name}`,
          dtype: "F32" as const,
          shape: [count],
          bytes: new Uint8Array(bytes.get(storage)!, offset, count * 4),
        };
      })
    );
    const sum = tensors.reduce((crc, tensor) => crc32(tensor.bytes, crc), 0);
    const { header, crc } = this.head;
    await writeFileWhole(
      this.path,
      writeSafetensors(tensors, {
        format: FORMAT,
        step: String(step),
        chain: JSON.stringify(chain),
        ledger: word(crc),
        model: header.model,
        checksum: word(sum),
      }),
    );
    this.#at = { step, chain };
    this.#isThere = true;
    this.#saved = performance.now();
    this.#took = (this.#saved - begun) / 1000;
  }
}

function word(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}

/** Position of a tensor's values within storages that are laid out like the arenas. */
function placeOf(offsets: OffsetSet, storages: readonly Storage[], name: string) {
  const { storage: arena, offset = 0 } = offsets.range(name)!;
  const storage = storages[offsets.arenas.indexOf(arena)];
  return { storage, buffer: storage.buffer, offset };
}

function hasPart({ tensors }: SafetensorsFile, part: Part): boolean {
  return [...tensors.keys()].some((name) => name.startsWith(`${part}/`));
}

/** The position of a run in a state file. Undefined if the file does not exist. */
async function readStanding(path: string, head: LedgerHead): Promise<Standing | undefined> {
  const isThere = await Deno.lstat(path).then(() => true, () => false);
  if (!isThere) return undefined;
  using source = await openFile(path, "state");
  const { metadata } = await readSafetensors(source);
  const refuse = (why: string) => new RangeError(`Cannot use the training state "${path}": ${why}`);
  const said = (key: string) => metadata.get(key);
  if (said("format") !== FORMAT) {
    throw refuse(
      `its format is ${JSON.stringify(said("format"))}, not ${
        JSON.stringify(FORMAT)
      }. Read it with the version of the library that wrote it`,
    );
  }
  if (said("ledger") !== word(head.crc) || said("model") !== head.header.model) {
    throw refuse(
      "it belongs to another ledger. Restore both files of the run from the same backup",
    );
  }
  const step = Number(said("step"));
  const chain = chainOf(said("chain"));
  if (!(Number.isSafeInteger(step) && step >= 0) || chain?.length !== head.header.stateSize) {
    throw refuse(`it says step ${said("step")} and a chain of ${said("chain")}: it is damaged`);
  }
  return { step, chain };
}

function chainOf(text = ""): readonly number[] | undefined {
  try {
    const chain: unknown = JSON.parse(text);
    return Array.isArray(chain) && chain.every(Number.isFinite) ? chain : undefined;
  } catch {
    return undefined;
  }
}

/** Rejects a file whose values differ from those that were written. */
async function checkSum(
  source: ByteSource,
  { tensors, metadata }: SafetensorsFile,
): Promise<void> {
  let sum = 0;
  for (const { offset, byteLength } of tensors.values()) {
    sum = crc32(await source.read(offset, byteLength), sum);
  }
  if (word(sum) === metadata.get("checksum")) return;
  throw new RangeError(
    `Cannot use the training state "${source.name}": its checksum is ${word(sum)}, it says ${
      metadata.get("checksum")
    }: it is damaged. Restore it from a backup`,
  );
}

async function valuesOf(
  source: ByteSource,
  { tensors }: SafetensorsFile,
  { part, name, count }: { readonly part: Part; readonly name: string; readonly count: number },
): Promise<Float32Array<ArrayBuffer>> {
  const tensor = tensors.get(`${part}/${name}`);
  if (tensor?.dtype !== "F32" || tensor.byteLength !== count * 4) {
    throw new RangeError(
      `Cannot use the training state "${source.name}": it has no ${count} ${part} of "${name}"`,
    );
  }
  const bytes = await source.read(tensor.offset, tensor.byteLength);
  return new Float32Array(bytes.slice().buffer);
}
