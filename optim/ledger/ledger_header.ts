/**
 * The header of a ledger: which model, what is trained, by which optimiser, from which seed.
 *
 * Bytes, little-endian: `QZOLEDGR`, u32 version, u32 length of the JSON, the JSON (UTF-8), u32 CRC-32 of all before,
 * zeros up to a multiple of 8.
 *
 * Version 7 names what a reader must know: `features` of its JSON, see {@linkcode LedgerFeature}. What is not known is refused by name. It is what is
 * written; older versions are read as they always were (`old_versions.ts`).
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
  NOISE_VERSION,
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

/** What a ledger says about itself. */
export interface LedgerHeader {
  /** What a reader must know, found when it is encoded; always there in what was read, of whatever version. */
  readonly features?: readonly LedgerFeature[];
  /** The fingerprint of the base model: `2:` and a SHA-256, or without the `2:` an older one, see {@linkcode isOlderFingerprint}. */
  readonly model: string;
  /** What is trained, in order; ids are unique. */
  readonly trainables: readonly Trainable[];
  /** `optimiser.describe()`. */
  readonly optimiser: JsonValue;
  /** The master seed. */
  readonly seed: number;
  /** The law of z, of the elements that its structure leaves. */
  readonly distribution: Distribution;
  /** What offsets may not do. */
  readonly projection: Projection;
  /** {@linkcode NOISE_VERSION} of the writer. */
  readonly noiseVersion: number;
  /** Directions of a step, 1 to 1024. */
  readonly directions: number;
  /** f32 scalars of state in a record, 0 to 1024. */
  readonly stateSize: number;
  /**
   * `"move"`: the optimiser's update rule moves by a gradient of zeros too. Absent where there is no rule, and in ledgers of older
   * versions, whose rules rested then (see {@linkcode UpdateRule.restsAtZero}).
   */
  readonly zeros?: "move" | undefined;
  /** What is beside the base, as the models' room describes it: trainables may be of it. Absent where there is nothing. */
  readonly adapter?: JsonValue | undefined;
  /**
   * `true` of a fine-tune by exact gradients, which a ledger cannot replay: it has no records, and offsets are in a state file. Absent where
   * steps are replayed.
   */
  readonly exact?: true | undefined;
  /** How the data were ordered: what is needed to go on with the same batches. */
  readonly data: JsonValue;
  /** When it was begun, in ISO 8601. */
  readonly created: string;
}

/** A header with its bytes: what every record's checksum depends on. */
export interface LedgerHead {
  /** What the bytes say. */
  readonly header: LedgerHeader;
  /** The head of the file. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The checksum in it. */
  readonly crc: number;
  /** The format that it is in. */
  readonly version: number;
  /** The law of z. */
  readonly law: Law;
  /** How the directions of a record follow from its index. */
  readonly plan: DirectionPlan;
  /** What becomes of each offset's gradient; undefined where offsets move by the coefficients alone. */
  readonly update: UpdateRule | undefined;
  /** Coefficients of every record. */
  readonly moves: number;
  /** Bytes of every record after it. */
  readonly recordSize: number;
}

const magic = new TextEncoder().encode("QZOLEDGR");
/** Of what is written. */
const version = 7;
const fixedBytes = 16;
/** Far above any real manifest. */
const longestJson = 8 * 2 ** 20;

function padded(length: number): number {
  return Math.ceil(length / 8) * 8;
}

/** The bytes of a ledger's head. Throws a SyntaxError when the header does not hold what its type promises. */
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
 * Reads the head of a ledger; records may follow it.
 *
 * @throws SyntaxError when the bytes are no whole and undamaged head of a known version.
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

/** What `optimiser.describe()` says of directions that are not plain, of an update rule, or of groups. */
function described({ optimiser }: LedgerHeader, key: "directions" | "update" | "groups"): unknown {
  return isFields(optimiser) ? optimiser[key] : undefined;
}

/** What follows from a header. */
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

/** Where tensors belong is part of a ledger where something follows from it. */
function withPlaces({ blocks }: DirectionPlan, trainable: Trainable): Trainable {
  if (blocks && blocks.by !== "tensor") return trainable;
  const { layer: _, part: __, ...rest } = trainable;
  return rest;
}

/** What a header says of an adapter: an object that names a scheme. */
function adapterOf(value: unknown): JsonValue {
  const adapter = fields(value, `"adapter"`);
  text(adapter, "scheme");
  return adapter as JsonValue;
}

/** Refuses groups of tensors that are not the optimiser's: its steps would be taken for others. */
function assertGroups(header: LedgerHeader): void {
  const groups = readPart("groups", described(header, "groups") ?? [], parseGroups);
  for (const { name, group } of header.trainables) {
    if (!group || wordOf(trainedGroup({ groups }, group.name)) === wordOf(group)) continue;
    throw bad(`"${name}" is in group ${wordOf(group)}, which its optimiser does not have`);
  }
}

/** What a trainable has under a key, to be compared and shown. */
function wordOf(value: Trainable[keyof Trainable]): unknown {
  return typeof value === "object" ? JSON.stringify(value) : value;
}

/** A header, what it needs of a reader, and what follows from it. */
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

const trainableKeys = [
  "id",
  "count",
  "form",
  "span",
  "rows",
  "columns",
  "share",
  "gain",
  "group",
  "exact",
] as const;

const placeKeys = ["layer", "part"] as const;

/**
 * Whether a base is known by a fingerprint of older libraries, a plain SHA-256: it covers the first and last rows of each tensor, and
 * not those between.
 */
export function isOlderFingerprint(model: string): boolean {
  return /^[0-9a-f]{64}$/.test(model);
}

/** What to say where {@linkcode isOlderFingerprint} holds and the base is the right one as far as can be seen. */
export const OLDER_FINGERPRINT =
  "its base is identified by an older fingerprint, middle rows unchecked: any base with the same first and last rows is accepted";

/** The beginning of a fingerprint: enough to tell two apart. */
function shortened(model: string): string {
  return model.length > 20 ? `${model.slice(0, 18)}…` : model;
}

/**
 * Refuses a ledger that was written over another model or other trainables, or with other noise.
 *
 * @throws RangeError that names the first difference.
 */
export function assertLedgerFits(
  header: LedgerHeader,
  model: string,
  trainables: readonly Trainable[],
): void {
  const refuse = (why: string) => new RangeError(`Cannot use ledger: ${why}`);
  if (header.model !== model) {
    throw refuse(
      `the loaded model is not the base this ledger was made with: its fingerprint is ${
        shortened(model)
      }, but that of the ledger's base is ${shortened(header.model)}. ` +
        "Load exactly the model that was trained: changing a single byte or key makes it a different model",
    );
  }
  if (header.noiseVersion !== NOISE_VERSION) {
    throw refuse(
      `it was made with noise version ${header.noiseVersion}, but this library has ${NOISE_VERSION}`,
    );
  }
  const placed = header.features?.includes("places");
  header.trainables.forEach((theirs, i) => {
    const ours = trainables.at(i);
    if (!ours || ours.name !== theirs.name) {
      throw refuse(
        `its trainable ${i} is "${theirs.name}", but the one given is "${ours?.name ?? "(none)"}"`,
      );
    }
    for (const key of [...trainableKeys, ...(placed ? placeKeys : [])]) {
      const [our, their] = [ours, theirs].map((one) => wordOf(one[key]));
      if (our !== their) {
        throw refuse(`"${theirs.name}" has ${key} ${their} in it, but ${our} here`);
      }
    }
  });
  if (trainables.length > header.trainables.length) {
    throw refuse(`the trainable "${trainables[header.trainables.length].name}" is not in it`);
  }
}
