/**
 * What identifies a base model to ledgers and adapters: every byte of it that lies on the device, and what forwards make of them.
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
import { isOlderFingerprint } from "../../optim/ledger/ledger_header.ts";

/** What a base is known by. */
export interface BaseIdentity {
  /** Of every byte: `2:` and a SHA-256. */
  readonly fingerprint: string;
  /** As libraries before it made it: a SHA-256 that leaves the middle rows out. Absent where there is no file to make it from. */
  readonly olderFingerprint?: (() => Promise<string>) | undefined;
}

/** What of a model is hashed. */
export type HashedModel = Pick<ModelSource, "config" | "tensors" | "ropeFactors">;

const PLANES = ["codes", "scales", "codebook"] as const;
type Plane = typeof PLANES[number];

const F32 = formatByName("F32");
/** Of the formula, so that ledgers tell which they have. */
const VERSION = "2:";

/**
 * The fingerprint of a model whose tensors pass by, in any order and in pieces of any even number of rows: each plane of a tensor is a
 * stream of its own. Dispose ends what hashes beside.
 */
export class BaseHash implements Disposable {
  readonly #source: HashedModel;
  readonly #weights: ReadonlyMap<string, Weight>;
  readonly #begun = new Map<string, Record<Plane, StreamHash>>();
  readonly #digests = new Map<string, Promise<Record<Plane, StreamDigest | undefined>>>();
  /** Tensors that have a part which was not looked through before it was added. */
  readonly #unseen = new Set<string>();
  readonly #workers: StreamHashes;

  /**
   * Of the weights that the model's architecture has; other tensors of the source are none of the base.
   *
   * @param workers Threads to hash on. Default: none for small models, else as many as there are further cores, at most 2
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
   * Takes the next rows of a tensor, which may be changed when the promise resolves; rows that are made for the caller are taken away, and
   * given to `memory` when they have been hashed.
   *
   * @param look Is called with rows that are not looked through for NaN and infinity beside the hash; of others, {@linkcode digest} throws
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
    // Every piece of rows comes with the whole of it.
    if (!begun) await planes.codebook.update(bytesIn(packed.codebook));
  }

  /** Says that the last rows of a tensor have been added. */
  end(name: string): void {
    const planes = this.#begun.get(name);
    if (!planes || this.#digests.has(name)) return;
    const digests = PLANES.map(async (plane) => [plane, await planes[plane].digest()] as const);
    this.#digests.set(name, Promise.all(digests).then(Object.fromEntries));
  }

  /** Reads a whole tensor. */
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
   * The fingerprint. Tensors whose end has not been told are read for it.
   *
   * @throws {RangeError} Naming a weight that is not finite, of tensors that were looked through beside the hash
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
        // Its worker broke, or a weight is to be named.
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

  /** Ends what hashes beside. */
  [Symbol.dispose](): void {
    this.#workers[Symbol.dispose]();
  }
}

/** Of sources whose bytes have been seen: most are asked for more than once. */
const known = new WeakMap<HashedModel, string>();

/** Remembers what a source's bytes have been hashed to while they passed by. */
export function rememberFingerprint(source: HashedModel, fingerprint: string): void {
  known.set(source, fingerprint);
}

/**
 * What identifies a base model to a ledger: `2:` and a SHA-256 over its configuration and, per tensor, name, shape, format and every
 * byte as it lies on the device. The same in whatever order and pieces tensors are read. Reads the whole model, once for a source;
 * `loadModel` finds it while it loads.
 *
 * @throws The signal's reason when it aborts, and what reading throws
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
 * The fingerprint as libraries before `2:` made it, for their ledgers and adapters: a SHA-256 over the configuration as it was then and,
 * per tensor, name, shape, format and the planes of the first and last rows. What lies between is not looked at.
 */
export async function olderFingerprint({ config, ...source }: HashedModel): Promise<string> {
  const hash = createHash("sha256");
  const entries = (from: object, keys: readonly string[]) =>
    JSON.stringify(
      keys.filter((key) => key in from).sort().map((key) => [key, Reflect.get(from, key)]),
    );
  hash.update(entries(asHashed(config), OLDER_CONFIG));
  // All models were Llamas then.
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
 * A configuration as fingerprints have it. A window of all layers was the context once, and dynamic scaling, which changes nothing up to the context,
 * was not there: so ledgers of such models still know their base.
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

/** Fields of a configuration that were in it then. */
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

/** The base's fingerprint that compares with `other`, what a ledger or an adapter says: the older one, where that is. */
export async function fingerprintLike(
  other: string,
  { fingerprint, olderFingerprint }: BaseIdentity,
): Promise<string> {
  return isOlderFingerprint(other) && olderFingerprint ? await olderFingerprint() : fingerprint;
}

interface Weight {
  readonly tensor: TensorSource;
  /** As it lies on the device. */
  readonly format: Format;
}

/** The format in which a weight of this role lies on the device: gains of norms and biases become f32. */
export function loadedFormat(role: WeightRole, format: Format): Format {
  return role === "norm" || role === "bias" ? F32 : format;
}

/** Rows as they lie on the device. */
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

/** JSON with keys in order, so that it does not depend on how an object was made; what is undefined is left out. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, it: unknown) =>
      typeof it === "object" && it !== null && !Array.isArray(it)
        ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => a < b ? -1 : 1))
        : it,
  );
}
