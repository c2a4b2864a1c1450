/**
 * What becomes of every key of a configuration, and the one checker of the tables that say it: a key is read, harmless, ignored with a note
 * as the reference ignores it, fine with some values only, an object with a table of its own, or not known.
 *
 * @module
 */

/** Called with what a user should know, a sentence each. */
export type Note = (sentence: string) => void;

/** A configuration before it is checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** What becomes of a key. */
export type KeyRule =
  /** The reader asks for it, and checks its value itself. */
  | { readonly kind: "read"; readonly type?: "boolean" }
  /** It says nothing of the result; `why` in few words. */
  | { readonly kind: "harmless"; readonly why: string }
  /** It is not asked, here as in the reference: a value that says something makes a note. */
  | {
    readonly kind: "noted";
    readonly why: string;
    readonly when?: (value: unknown) => boolean;
  }
  /** With such values it changes nothing; any other is refused. */
  | {
    readonly kind: "only";
    readonly values: readonly unknown[];
    readonly fits?: (value: unknown, fields: Fields) => boolean;
    readonly why: string;
    /** `false` is a value like any other. */
    readonly exactly?: boolean;
  }
  /** An object with a table of its own; of `entries`, whose keys are names. */
  | { readonly kind: "nested"; readonly table: KeyTable; readonly entries: boolean };

/** The keys of one kind of object. */
export type KeyTable = Readonly<Record<string, KeyRule>>;

/** A key that the reader asks for. */
export const read = (type?: "boolean"): KeyRule => ({ kind: "read", ...type && { type } });

/** A key that says nothing of the result. */
export const harmless = (why: string): KeyRule => ({ kind: "harmless", why });

/** A key that the reference does not ask either; of other values than those of `when` there is nothing to say. */
export const noted = (why: string, when?: (value: unknown) => boolean): KeyRule => ({
  kind: "noted",
  why,
  ...when && { when },
});

/** A key that is refused but for values with which it changes nothing. No value, `false` and empty ones are always among them. */
export const only = (
  values: readonly unknown[],
  why: string,
  fits?: (value: unknown, fields: Fields) => boolean,
): KeyRule => ({ kind: "only", values, why, ...fits && { fits } });

/** The same, where `false` says something: only these values and `null` pass. */
export const exactly = (values: readonly unknown[], why: string): KeyRule => ({
  kind: "only",
  values,
  why,
  exactly: true,
});

/** An object with a table of its own. */
export const nested = (table: KeyTable): KeyRule => ({ kind: "nested", table, entries: false });

/** An object whose keys are names, each with such an object. */
export const entries = (table: KeyTable): KeyRule => ({ kind: "nested", table, entries: true });

/** The same rule for several keys. */
export function keysOf(names: string, rule: KeyRule): KeyTable {
  return Object.fromEntries(names.trim().split(/\s+/).map((name) => [name, rule]));
}

/** Where a table's object lies. */
export interface KeyPlace {
  /** What is read, for messages, such as `"model/config.json"`. */
  readonly what: string;
  /** The keys that lead to the object, such as `quantization_config`; none for the whole file. */
  readonly path?: string;
  /** Told what a user should know. */
  readonly note?: Note;
}

// By their names about a file's history, not about the model.
const DECORATION =
  /(^|_)(licen[cs]e|authors?|date|timestamp|created|url|repo|repository|datasets?|description|comments?|notes?|tags?|hash|commit|languages?|framework|uuid|title|citation|library|organi[sz]ation|company)($|_)|(^|_)(model|run|project|experiment|dataset|wandb)_name($|_)|(^|_)(base|parent|teacher|source)_model$|_version$|_path$/;

/**
 * Holds an object against its table. Unknown keys pass when they hold nothing (`null`, `false`, `""`, `[]`, `{}`), when they begin with `_`
 * (a writer's private attributes), and, with a note, when name and value are text about the file (`license`, `base_model`, `x_version`).
 *
 * @throws {RangeError} naming key and value, for a value that is refused, of the wrong type, or of a key that is not known.
 */
export function checkKeys(fields: Fields, table: KeyTable, place: KeyPlace): void {
  for (const [key, value] of Object.entries(fields)) {
    const rule = Object.hasOwn(table, key) ? table[key] : undefined;
    const saysNo = value === false && rule?.kind === "only" && rule.exactly === true;
    if (isEmpty(value) && !saysNo) continue;
    const path = place.path === undefined ? key : `${place.path}.${key}`;
    const within = { ...place, path };
    if (rule) checkRule(value, rule, fields, within);
    else if (!key.startsWith("_")) checkUnknown(key, value, within);
  }
}

type Within = KeyPlace & { readonly path: string };

function checkRule(value: unknown, rule: KeyRule, fields: Fields, place: Within): void {
  const refuse = (because: string): never => {
    throw new RangeError(`Cannot read ${place.what}: ${place.path} ${shown(value)} ${because}`);
  };
  switch (rule.kind) {
    case "harmless":
      return;
    case "read":
      if (rule.type !== undefined && typeof value !== rule.type) refuse(`is not a ${rule.type}`);
      return;
    case "noted":
      if (rule.when?.(value) === false) return;
      place.note?.(`${place.what}: ${place.path} ${shown(value)} is ignored: ${rule.why}`);
      return;
    case "only":
      if (rule.values.includes(value) || rule.fits?.(value, fields)) return;
      return refuse(`is not supported: ${rule.why}`);
    case "nested":
      if (!isObject(value)) return refuse("is not an object");
      if (!rule.entries) return checkKeys(value, rule.table, place);
      for (const [name, entry] of Object.entries(value)) {
        const within = { ...place, path: `${place.path}.${name}` };
        if (!isEmpty(entry)) checkRule(entry, nested(rule.table), value, within);
      }
  }
}

function checkUnknown(key: string, value: unknown, { what, path, note }: Within): void {
  if (!DECORATION.test(key) || !isText(value)) {
    throw new RangeError(
      `Cannot read ${what}: ${path} ${
        shown(value)
      } is not a known key and may change the model; if it does not, remove it`,
    );
  }
  note?.(
    `${what}: ${path} ${
      shown(value)
    } is not a known key; judging by its name, it only describes the file`,
  );
}

/** Whether a value is an object with keys. */
export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value says nothing: none, `false`, or empty. Zero says something. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function isText(value: unknown): boolean {
  return typeof value === "string" ||
    Array.isArray(value) && value.every((item) => typeof item === "string");
}

const LONGEST = 160;

/** A value as JSON for messages, cut where it is long. */
export function shown(value: unknown): string {
  const plain = (_: string, v: unknown) =>
    typeof v === "bigint" || typeof v === "number" && !Number.isFinite(v) ? String(v) : v;
  const text = JSON.stringify(value, plain) ?? "undefined";
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}
