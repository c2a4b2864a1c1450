/**
 * The identity of a base model, for ledgers and adapters. It covers every byte on the device and every constant of the forward pass.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { decode } from "../../quant/layouts/decode.ts";
import type { Format } from "../../quant/formats/format.ts";
import { PieceMemory } from "../../quant/piece_memory.ts";
import { formatByName } from "../../quant/formats/formats.ts";
import { elementType, type Layout, type PackedTensor } from "../../quant/layouts/layout.ts";
import type { WeightRole } from "../architecture.ts";
import { weightsOf } from "../architectures.ts";
import type { LlamaConfig } from "../architectures/llama.ts";
import type { ModelConfig, RopeScaling } from "../model_config.ts";
import { isForCaller, type ModelSource, piecesOf, type TensorSource } from "./checkpoint.ts";
import { assertFinite } from "./non_finite_weight.ts";
import { type StreamDigest, type StreamHash, StreamHashes } from "./stream_hashes.ts";
import { isOlderFingerprint } from "../../optim/ledger/older_fingerprint.ts";

/** The fingerprints of a base model. */
export interface BaseIdentity {
  /** `2:` followed by a SHA-256 over every byte. */
  readonly fingerprint: string;
  /**
   * The fingerprint as computed by older versions of this library: a SHA-256 that omits the middle rows of tensors. Absent if there is no file
   * to compute it from.
   */
  readonly olderFingerprint?: (() => Promise<string>) | undefined;
}

/** The parts of a model that are hashed. */
export type HashedModel = Pick<ModelSource, "config" | "tensors" | "ropeFactors">;

const PLANES = ["codes", "scales", "codebook"] as const;
type Plane = typeof PLANES[number];

const F32 = formatByName("F32");
/** Version of the formula, so that ledgers can tell fingerprints apart. */
const VERSION = "2:";

/**
 * Computes a model's fingerprint from its tensors, which can be added in any order, in pieces with any even number of rows: each plane of a
 * tensor is hashed as a separate stream. Disposing ends the hashing threads.
 */
export class BaseHash implements Disposable {
  readonly #source: HashedModel;
  readonly #weights: ReadonlyMap<string, Weight>;
  readonly #begun = new Map<string, Record<Plane, StreamHash>>();
  readonly #digests = new Map<string, Promise<Record<Plane, StreamDigest | undefined>>>();
  /** Tensors with a part that was not searched for NaN and infinity before it was added. */
  readonly #unseen = new Set<string>();
  readonly #workers: StreamHashes;

  /**
   * Covers the weights of the model's architecture; other tensors of the source are ignored.
   *
   * @param workers Number of hashing threads. Default: none for small models, otherwise one per additional core, at most 2.
   */
  constructor(source: HashedModel, workers?: number) {
    const { config, tensors } = source;
    this.#source = source;
    this.#weights = new Map(
      weightsOf(config).flatMap(({ name, role }) => {
        const tensor = tensors.get(name);
        return tensor ? [[name, { tensor, format: loadedFormat(role, tensor.format) }]] : [];
      }),
    );
    const bytes = [...this.#weights.values()].map(({ tensor }) => bytesOf(tensor));
    this.#workers = new StreamHashes(bytes.reduce((sum, it) => sum + it, 0), workers);
  }

  /**
   * Adds the next rows of a tensor. They may be changed after the promise resolves. Rows that were created for the caller are transferred to a
   * thread, and returned to `memory` after hashing.
   *
   * @param look Called with rows that are not searched for NaN and infinity while they are hashed. For all other rows, {@linkcode digest} throws
   * if it finds any.
   */
  async add(
    name: string,
    rows: PackedTensor,
    { look, memory }: { readonly look?: () => void; readonly memory?: PieceMemory } = {},
  ): Promise<void> {
    const weight = this.#weights.get(name);
    if (weight) await this.#add(name, weight, rows, this.#workers, { look, memory });
    else look?.();
  }

  async #add(
    name: string,
    { tensor, format }: Weight,
    rows: PackedTensor,
    hashes: StreamHashes,
    { look, memory }: Parameters<BaseHash["add"]>[2] & object = {},
  ): Promise<void> {
    const packed = asLoaded(rows, format.layout);
    const begun = this.#begun.get(name);
    const planes = begun ?? {
      codes: hashes.open(bytesOf(tensor)),
      scales: hashes.open(4 * packed.scales.length * tensor.rows / packed.rows),
      codebook: hashes.open(4 * packed.codebook.length),
    };
    this.#begun.set(name, planes);
    const codes = bytesIn(packed.codes);
    const { take } = planes.codes;
    const given = isForCaller(tensor) && codes.byteLength === codes.buffer.byteLength;
    if (take && given) {
      const floats = look && elementType(packed.layout);
      if (floats) this.#unseen.add(name);
      else look?.();
      await take(codes, { floats, memory });
    } else {
      look?.();
      await planes.codes.update(codes);
      if (given) memory?.give(codes);
    }
    await planes.scales.update(bytesIn(packed.scales));
    // Every piece contains the whole codebook.
    if (!begun) await planes.codebook.update(bytesIn(packed.codebook));
  }

  /** Marks that the last rows of a tensor have been added. */
  end(name: string): void {
    const planes = this.#begun.get(name);
    if (!planes || this.#digests.has(name)) return;
    const digests = PLANES.map(async (plane) => [plane, await planes[plane].digest()] as const);
    this.#digests.set(name, Promise.all(digests).then(Object.fromEntries));
  }

  /** Reads and hashes a whole tensor. */
  async #read(name: string, hashes: StreamHashes, signal?: AbortSignal): Promise<void> {
    const weight = this.#weights.get(name)!;
    this.#begun.delete(name);
    this.#digests.delete(name);
    const memory = new PieceMemory();
    for await (const { firstRow, packed } of piecesOf([weight.tensor], { signal, memory })) {
      if (this.#unseen.has(name)) assertFinite(weight.tensor, packed, firstRow);
      await this.#add(name, weight, packed, hashes, { memory });
    }
    this.end(name);
  }

  /**
   * Returns the fingerprint. Tensors that have not been added completely are read from the source.
   *
   * @throws {RangeError} naming a weight that is not finite, if its tensor was searched while it was hashed.
   */
  async digest(signal?: AbortSignal): Promise<string> {
    for (const name of this.#weights.keys()) {
      if (!this.#digests.has(name)) await this.#read(name, this.#workers, signal);
    }
    using here = new StreamHashes(0);
    const tensors: unknown[] = [];
    for (const name of [...this.#weights.keys()].sort()) {
      let planes = await this.#digests.get(name)!;
      if (PLANES.some((plane) => planes[plane] === undefined) || planes.codes?.nonFinite) {
        // Its worker failed, or the name of a non-finite weight is needed.
        await this.#read(name, here, signal);
        planes = await this.#digests.get(name)!;
      }
      const hex = Object.fromEntries(PLANES.map((plane) => [plane, planes[plane]!.sha256]));
      const { tensor: { rows, columns, columnOrder }, format } = this.#weights.get(name)!;
      const order = columnOrder && sha256(columnOrder);
      tensors.push({ name, rows, columns, format: format.name, order, ...hex });
    }
    const { ropeFactors } = this.#source;
    const config = asHashed(this.#source.config);
    const rope = ropeFactors && sha256(ropeFactors);
    return `${VERSION}${sha256(canonicalJson({ config, rope, tensors }))}`;
  }

  /** Ends the hashing threads. */
  [Symbol.dispose](): void {
    this.#workers[Symbol.dispose]();
  }
}

/** Fingerprints of sources whose bytes have been hashed. Most are requested more than once. */
const known = new WeakMap<HashedModel, string>();

/** Stores the fingerprint of a source that was computed while its bytes were being read. */
export function rememberFingerprint(source: HashedModel, fingerprint: string): void {
  known.set(source, fingerprint);
}

/**
 * The identity of a base model in ledgers: `2:` followed by a SHA-256 over its configuration and, for each tensor, its name, shape, format and
 * every byte as it is on the device. It does not depend on the order or pieces in which tensors are read. Reads the whole model once per source;
 * `loadModel` computes it while loading.
 *
 * @throws The signal's reason when it aborts, and any error of reading.
 *
 * @example The bundled model
 * ```ts
 * import { fingerprint, openModelSource } from "@qzo/qzo/models";
 * import { assertMatch } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * assertMatch(await fingerprint(source), /^2:[0-9a-f]{64}$/);
 * ```
 */
export async function fingerprint(
  source: HashedModel,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<string> {
  const before = known.get(source);
  if (before !== undefined) return before;
  using hash = new BaseHash(source);
  const found = await hash.digest(signal);
  rememberFingerprint(source, found);
  return found;
}

/**
 * The fingerprint of earlier versions, before the prefix `2:`, for their ledgers and adapters. It is a SHA-256 over the configuration of that
 * time and, for each tensor, its name, shape, format and the planes of its first and last rows. The rows between them are not read.
 */
export async function olderFingerprint({ config, ...source }: HashedModel): Promise<string> {
  const hash = createHash("sha256");
  const entries = (from: object, keys: readonly string[]) =>
    JSON.stringify(
      keys.filter((key) => key in from).sort().map((key) => [key, Reflect.get(from, key)]),
    );
  hash.update(entries(asHashed(config), OLDER_CONFIG));
  // At that time, all models were Llama models.
  const { ropeScaling } = config as Partial<LlamaConfig>;
  if (ropeScaling && ropeScaling.type !== "dynamic") {
    hash.update(entries(ropeScaling, OLDER_SCALING));
  }
  if (source.ropeFactors) hash.update(source.ropeFactors);
  for (const name of [...source.tensors.keys()].sort()) {
    const tensor = source.tensors.get(name)!;
    hash.update(JSON.stringify([name, tensor.rows, tensor.columns, tensor.format.name]));
    if (tensor.columnOrder) hash.update(tensor.columnOrder);
    const firsts = tensor.whole || tensor.rows <= 2 ? [0] : [0, (tensor.rows - 1) & ~1];
    for (const first of firsts) {
      const rows = tensor.whole ? tensor.rows : Math.min(2, tensor.rows - first);
      const packed = await tensor.read(first, rows);
      for (const plane of PLANES) hash.update(packed[plane]);
    }
  }
  return hash.digest("hex");
}

/**
 * A configuration as it enters the fingerprint. In earlier versions, a window in all layers was stored as the context, and dynamic scaling,
 * which changes nothing within the context, was absent. Keeping this form lets ledgers of such models still match their base.
 */
function asHashed(
  config: ModelConfig & { readonly ropeScaling?: RopeScaling | undefined },
): object {
  const { slidingWindow, slidingLayers, ropeScaling, ...rest } = config;
  return {
    ...rest,
    ...ropeScaling?.type !== "dynamic" && { ropeScaling },
    ...slidingWindow === undefined || slidingLayers
      ? { slidingWindow, slidingLayers }
      : { context: Math.min(slidingWindow, config.context) },
  };
}

/** The fields of a configuration in earlier versions. */
const OLDER_CONFIG = [
  "architecture",
  "hidden",
  "layers",
  "heads",
  "keyValueHeads",
  "headDimension",
  "feedForward",
  "vocabulary",
  "context",
  "rmsEpsilon",
  "ropeTheta",
  "ropeInterleaved",
  "tiedHead",
];
const OLDER_SCALING = [
  "type",
  "factor",
  "lowFrequencyFactor",
  "highFrequencyFactor",
  "originalContext",
];

/** The fingerprint of the base to compare with `other`, which comes from a ledger or an adapter. It is the older kind if `other` is. */
export async function fingerprintLike(
  other: string,
  { fingerprint, olderFingerprint }: BaseIdentity,
): Promise<string> {
  return isOlderFingerprint(other) && olderFingerprint ? await olderFingerprint() : fingerprint;
}

interface Weight {
  readonly tensor: TensorSource;
  /** Format on the device. */
  readonly format: Format;
}

/** The format in which a weight of this role is stored on the device. Gains of norms and biases become f32. */
export function loadedFormat(role: WeightRole, format: Format): Format {
  return role === "norm" || role === "bias" ? F32 : format;
}

/** Converts rows to the form they have on the device. */
export function asLoaded(rows: PackedTensor, layout: Layout): PackedTensor {
  const [stored, wanted] = [elementType(rows.layout), elementType(layout)];
  if (!stored || !wanted || stored === wanted) return rows;
  const values = decode(rows);
  return { ...rows, layout, codes: new Uint32Array(values.buffer as ArrayBuffer) };
}

function bytesOf({ format, rows, columns }: TensorSource): number {
  return format.rowBytes(columns) * rows;
}

function bytesIn({ buffer, byteOffset, byteLength }: Uint32Array<ArrayBuffer>) {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function sha256(of: string | Uint32Array | Float32Array): string {
  return createHash("sha256").update(of).digest("hex");
}

/** JSON with sorted keys, so that it does not depend on how an object was built. Undefined values are omitted. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, it: unknown) =>
      typeof it === "object" && it !== null && !Array.isArray(it)
        ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => a < b ? -1 : 1))
        : it,
  );
}
