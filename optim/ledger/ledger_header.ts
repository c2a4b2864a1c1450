/**
 * The header of a ledger: the model, what is trained, the optimiser and the seed.
 *
 * Bytes, little-endian: `QZOLEDGR`, u32 version, u32 length of the JSON, the JSON (UTF-8), u32 CRC-32 of everything before, and zeros up to a
 * multiple of 8.
 *
 * Version 7 lists the `features` that a reader must support, see {@linkcode LedgerFeature}; unknown ones are rejected by name. This version is
 * written. Older versions are still read as before (`old_versions.ts`).
 *
 * @module
 */
import { crc32 } from "node:zlib";
import {
  type DirectionPlan,
  movesOf,
  parseDirections,
  plainDirections,
} from "../directions/direction_plan.ts";
import { largestLayer } from "../directions/blocks.ts";
import {
  type Distribution,
  DISTRIBUTIONS,
  largestGain,
  type Law,
  lawOf,
} from "../directions/noise.ts";
import { parseGroups, parseTrainedGroup, trainedGroup } from "../group.ts";
import type { JsonValue } from "../json.ts";
import { offsetForms, type Projection, projections } from "../offset.ts";
import { factNames, wrongFact } from "../preparations/preparation.ts";
import { preparationsOf } from "../preparations/preparations.ts";
import { layerParts, type Trainable } from "../trainable.ts";
import type { UpdateRule } from "../updates/update_rule.ts";
import { parseUpdateRule } from "../updates/update_rules.ts";
import { assertFeatures, featuresOf, type LedgerFeature, saidFeatures } from "./features.ts";
import { bad, choice, fields, integer, isFields, json, text, trueOf } from "./fields.ts";
import { assertVersion, oldVersions, renewed } from "./old_versions.ts";

/** The properties of a fine-tune, as stored in its ledger. */
export interface LedgerHeader {
  /** The features that a reader must support. Determined when the header is encoded; always present in headers that were read, of any version. */
  readonly features?: readonly LedgerFeature[];
  /** Fingerprint of the base model: `2:` and a SHA-256, or an older one without `2:`. */
  readonly model: string;
  /** What is trained, in order, with unique ids. */
  readonly trainables: readonly Trainable[];
  /** The result of `optimiser.describe()`. */
  readonly optimiser: JsonValue;
  /** The master seed. */
  readonly seed: number;
  /** Distribution of z, for the elements that its structure keeps. */
  readonly distribution: Distribution;
  /** Restriction on offsets. */
  readonly projection: Projection;
  /** `NOISE_VERSION` of the library that wrote it. */
  readonly noiseVersion: number;
  /** Directions per step, 1 to 1024. */
  readonly directions: number;
  /** Number of f32 state values in a record, 0 to 1024. */
  readonly stateSize: number;
  /**
   * `"move"`: the optimiser's update rule also acts on gradients of zeros. Absent if there is no rule, and in ledgers of older versions, whose
   * rules did nothing in this case (see {@linkcode UpdateRule.restsAtZero}).
   */
  readonly zeros?: "move" | undefined;
  /** Description of the adapter by the models room; trainables may belong to it. Absent if there is none. */
  readonly adapter?: JsonValue | undefined;
  /**
   * `true` for a fine-tune by exact gradients, which a ledger cannot replay: it has no records, and its offsets are in a state file. Otherwise
   * absent.
   */
  readonly exact?: true | undefined;
  /** How the data were ordered, as needed to continue with the same batches. */
  readonly data: JsonValue;
  /** Time of creation, in ISO 8601. */
  readonly created: string;
}

/** A header with its bytes, on which every record's checksum depends. */
export interface LedgerHead {
  /** The contents of the bytes. */
  readonly header: LedgerHeader;
  /** The head of the file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The checksum of the head. */
  readonly crc: number;
  /** Version of the format. */
  readonly version: number;
  /** Law of z. */
  readonly law: Law;
  /** How the directions of a record follow from its index. */
  readonly plan: DirectionPlan;
  /** Update rule. Undefined if offsets move by the coefficients alone. */
  readonly update: UpdateRule | undefined;
  /** Number of coefficients in every record. */
  readonly moves: number;
  /** Bytes per record. */
  readonly recordSize: number;
}

const magic = new TextEncoder().encode("QZOLEDGR");
/** The version that is written. */
const version = 7;
const fixedBytes = 16;
/** Far longer than any real manifest. */
const longestJson = 8 * 2 ** 20;

function padded(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/**
 * Encodes the head of a ledger.
 *
 * @throws {SyntaxError} when the header violates its type.
 *
 * @example The head of a new ledger
 * ```ts
 * import { encodeHeader, NOISE_VERSION, qzo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { bytes, recordSize } = encodeHeader({
 *   ...{ model: "toy", trainables: [], optimiser: qzo().describe(), seed: 1, data: null },
 *   ...{ distribution: "normal", projection: "keep-sign", noiseVersion: NOISE_VERSION },
 *   ...{ directions: 1, stateSize: 0, created: "2026-01-01T00:00:00Z" },
 * });
 * assertEquals([new TextDecoder().decode(bytes.subarray(0, 8)), recordSize], ["QZOLEDGR", 5]);
 * ```
 */
export function encodeHeader(header: LedgerHeader): LedgerHead {
  const { features, checked, shape } = checkHeader({ ...header });
  if (header.features) assertFeatures(saidFeatures({ ...header }), features);
  const whole: LedgerHeader = { features, ...checked };
  const json = new TextEncoder().encode(JSON.stringify(whole));
  if (json.length > longestJson) {
    throw new RangeError(
      `Cannot encode ledger header: ${json.length} bytes of JSON, at most ${longestJson} are allowed`,
    );
  }
  const bytes = new Uint8Array(padded(fixedBytes + json.length + 4));
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  view.setUint32(8, version, true);
  view.setUint32(12, json.length, true);
  bytes.set(json, fixedBytes);
  const crc = crc32(bytes.subarray(0, fixedBytes + json.length));
  view.setUint32(fixedBytes + json.length, crc, true);
  return { header: whole, bytes, crc, version, ...shape };
}

/**
 * Reads the head of a ledger. Records may follow it.
 *
 * @throws {SyntaxError} when the bytes are not a complete and undamaged head of a known version.
 */
export function decodeHeader(bytes: Uint8Array): LedgerHead {
  if (bytes.length < fixedBytes) throw bad(`${bytes.length} bytes are too few`);
  if (magic.some((byte, i) => bytes[i] !== byte)) {
    throw bad(`it begins with ${JSON.stringify(String.fromCharCode(...bytes.subarray(0, 8)))}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = view.getUint32(8, true);
  if (found !== version && !oldVersions.includes(found)) {
    throw bad(
      `version ${found} is not supported, only ${[...oldVersions, version].join(", ")}: ` +
        "read it with a newer version of the library, such as the one that wrote it",
    );
  }
  const length = view.getUint32(12, true);
  const end = fixedBytes + length;
  if (length > longestJson || padded(end + 4) > bytes.length) {
    throw bad(`it should have ${length} bytes of JSON, but the file has ${bytes.length} bytes`);
  }
  const crc = view.getUint32(end, true);
  const actual = crc32(bytes.subarray(0, end));
  if (crc !== actual) {
    throw bad(`its checksum is ${actual.toString(16)}, but ${crc.toString(16)} is stored`);
  }
  const head = bytes.slice(0, padded(end + 4));
  if (head.subarray(end + 4).some((byte) => byte !== 0)) throw bad("its padding is not zero");
  const parsed = parseJson(bytes.subarray(fixedBytes, end));
  const isOld = found !== version;
  const said = isOld ? undefined : saidFeatures(fields(parsed, "the JSON"));
  const { features, checked, shape } = checkHeader(isOld ? renewed(parsed) : parsed);
  if (said) assertFeatures(said, features);
  else assertVersion(found, features);
  return { header: { features, ...checked }, bytes: head, crc, version: found, ...shape };
}

/** The part of `optimiser.describe()` about directions that are not plain, an update rule, or groups. */
function described({ optimiser }: LedgerHeader, key: "directions" | "update" | "groups"): unknown {
  return isFields(optimiser) ? optimiser[key] : undefined;
}

/** Values derived from a header. */
type Shape = Pick<LedgerHead, "law" | "plan" | "update" | "moves" | "recordSize">;

function shapeOf(header: LedgerHeader): Shape {
  const planned = described(header, "directions");
  const plan = planned === undefined
    ? plainDirections
    : readPart("directions", planned, parseDirections);
  const rule = described(header, "update");
  const named = rule === undefined ? undefined : readPart("update rule", rule, parseUpdateRule);
  if (header.zeros && !named) throw bad(`"zeros" is ${header.zeros}, but there is no update rule`);
  const update = named && !header.zeros ? { ...named, restsAtZero: true } : named;
  if (update && (plan.memory > 1 || plan.decays)) {
    throw bad("its update rule cannot follow directions that are remembered or decay");
  }
  const moves = movesOf(plan, header.directions);
  if (moves > 1024) throw bad(`a step moves along ${moves} directions, at most 1024 are allowed`);
  const wrong = wrongFact(preparationsOf(plan), header.trainables);
  if (wrong) {
    throw bad(`"${wrong.tensor.name}" has ${wrong.missing ? "no" : "a"} ${factNames[wrong.fact]}`);
  }
  const recordSize = 3 * moves + 4 * header.stateSize + 2;
  return { law: lawOf(header.distribution, plan), plan, update, moves, recordSize };
}

function readPart<Part>(what: string, value: unknown, parse: (value: unknown) => Part): Part {
  try {
    return parse(value);
  } catch (error) {
    throw bad(`its ${what} cannot be used (${error instanceof Error ? error.message : error})`);
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw bad(`its JSON does not parse (${error instanceof Error ? error.message : error})`);
  }
}

const u32 = 0xffffffff;

function checkTrainable(value: unknown): Trainable {
  const from = fields(value, "a trainable");
  return {
    name: text(from, "name"),
    id: integer(from, "id", 0, u32),
    count: integer(from, "count", 0, u32),
    form: choice(from, "form", offsetForms),
    span: integer(from, "span", 1, u32),
    rows: integer(from, "rows", 1, u32),
    columns: integer(from, "columns", 1, u32),
    ...(from.share === undefined ? {} : { share: integer(from, "share", 0, 65536) }),
    ...(from.gain === undefined ? {} : { gain: integer(from, "gain", -largestGain, largestGain) }),
    ...(from.group === undefined
      ? {}
      : { group: readPart("group", from.group, parseTrainedGroup) }),
    ...(from.exact === undefined ? {} : { exact: trueOf(from, "exact") }),
    ...(from.layer === undefined ? {} : { layer: integer(from, "layer", 0, largestLayer) }),
    ...(from.part === undefined ? {} : { part: choice(from, "part", layerParts) }),
  };
}

/** The trainable with its place, if anything in the ledger depends on places. */
function withPlaces({ blocks }: DirectionPlan, trainable: Trainable): Trainable {
  if (blocks && blocks.by !== "tensor") return trainable;
  const { layer: _, part: __, ...rest } = trainable;
  return rest;
}

/** The adapter in a header: an object that names a scheme. */
function adapterOf(value: unknown): JsonValue {
  const adapter = fields(value, `"adapter"`);
  text(adapter, "scheme");
  return adapter as JsonValue;
}

/** Rejects groups of tensors that do not match the optimiser's, because steps would be misread. */
function assertGroups(header: LedgerHeader): void {
  const groups = readPart("groups", described(header, "groups") ?? [], parseGroups);
  for (const { name, group } of header.trainables) {
    if (!group || wordOf(trainedGroup({ groups }, group.name)) === wordOf(group)) continue;
    throw bad(`"${name}" is in group ${wordOf(group)}, which its optimiser does not have`);
  }
}

/** The value of a trainable's key, for comparison and messages. */
export function wordOf(value: Trainable[keyof Trainable]): unknown {
  return typeof value === "object" ? JSON.stringify(value) : value;
}

/** Checks a header and derives the features and values that follow from it. */
function checkHeader(
  value: unknown,
): { readonly features: LedgerFeature[]; readonly checked: LedgerHeader; readonly shape: Shape } {
  const from = fields(value, "the JSON");
  const list = from.trainables;
  if (!Array.isArray(list)) throw bad(`"trainables" is not an array`);
  const trainables = list.map(checkTrainable);
  const ids = new Map<number, string>();
  for (const { id, name } of trainables) {
    if (ids.has(id)) throw bad(`"${ids.get(id)}" and "${name}" have the same id ${id}`);
    ids.set(id, name);
  }
  const said: LedgerHeader = {
    model: text(from, "model"),
    trainables,
    optimiser: json(from, "optimiser"),
    seed: integer(from, "seed", 0, Number.MAX_SAFE_INTEGER),
    distribution: choice(from, "distribution", DISTRIBUTIONS),
    projection: choice(from, "projection", projections),
    noiseVersion: integer(from, "noiseVersion", 0, u32),
    directions: integer(from, "directions", 1, 1024),
    stateSize: integer(from, "stateSize", 0, 1024),
    ...(from.zeros === undefined ? {} : { zeros: choice(from, "zeros", ["move"] as const) }),
    ...(from.adapter === undefined ? {} : { adapter: adapterOf(from.adapter) }),
    ...(from.exact === undefined ? {} : { exact: trueOf(from, "exact") }),
    data: json(from, "data"),
    created: text(from, "created"),
  };
  assertGroups(said);
  const shape = shapeOf(said);
  const checked = { ...said, trainables: trainables.map((one) => withPlaces(shape.plan, one)) };
  const features = featuresOf({
    ...shape,
    planned: described(said, "directions") !== undefined,
    adapted: checked.adapter !== undefined,
    exact: checked.exact === true,
    grouped: checked.trainables.some(({ group }) => group !== undefined),
    placed: checked.trainables.some(({ layer, part }) => layer !== undefined || part !== undefined),
  });
  return { features, checked, shape };
}
