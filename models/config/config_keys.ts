/**
 * Tables that say how every key of a configuration is treated, and the function that checks a configuration against them. A key is read,
 * harmless, ignored with a note (as in the reference implementation), allowed with certain values, an object with its own table, or unknown.
 *
 * @module
 */

/** Called with information for the user, one sentence at a time. */
export type Note = (sentence: string) => void;

/** A configuration before it is checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** How a key is treated. */
export type KeyRule =
  /** The reader uses the key and checks its value. */
  | { readonly kind: "read"; readonly type?: "boolean" }
  /** The key does not affect the result; `why` gives the reason briefly. */
  | { readonly kind: "harmless"; readonly why: string }
  /** The key is ignored, as in the reference implementation. A value that would matter produces a note. */
  | {
    readonly kind: "noted";
    readonly why: string;
    readonly when?: (value: unknown) => boolean;
  }
  /** The key has no effect with these values. Any other value is rejected. */
  | {
    readonly kind: "only";
    readonly values: readonly unknown[];
    readonly fits?: (value: unknown, fields: Fields) => boolean;
    readonly why: string;
    /** Whether `false` is treated like any other value. */
    readonly exactly?: boolean;
  }
  /** An object with its own table. If `entries`, its keys are names and each entry has the table. */
  | { readonly kind: "nested"; readonly table: KeyTable; readonly entries: boolean };

/** The keys of one kind of object. */
export type KeyTable = Readonly<Record<string, KeyRule>>;

/** A key that the reader uses. */
export const read = (type?: "boolean"): KeyRule => ({ kind: "read", ...type && { type } });

/** A key that does not affect the result. */
export const harmless = (why: string): KeyRule => ({ kind: "harmless", why });

/** A key that the reference implementation ignores too. If `when` is given, only values for which it returns true produce a note. */
export const noted = (why: string, when?: (value: unknown) => boolean): KeyRule => ({
  kind: "noted",
  why,
  ...when && { when },
});

/** A key that is rejected, except with values that have no effect. These always include `null`, `false` and empty values. */
export const only = (
  values: readonly unknown[],
  why: string,
  fits?: (value: unknown, fields: Fields) => boolean,
): KeyRule => ({ kind: "only", values, why, ...fits && { fits } });

/** As {@linkcode only}, except that `false` is not accepted automatically: only these values and `null` pass. */
export const exactly = (values: readonly unknown[], why: string): KeyRule => ({
  kind: "only",
  values,
  why,
  exactly: true,
});

/** An object with its own table. */
export const nested = (table: KeyTable): KeyRule => ({ kind: "nested", table, entries: false });

/** An object whose keys are names and whose values are objects with this table. */
export const entries = (table: KeyTable): KeyRule => ({ kind: "nested", table, entries: true });

/** One rule for several keys. */
export function keysOf(names: string, rule: KeyRule): KeyTable {
  return Object.fromEntries(names.trim().split(/\s+/).map((name) => [name, rule]));
}

/** The place of the object in its file. */
export interface KeyPlace {
  /** Name of the file for messages, such as `"model/config.json"`. */
  readonly what: string;
  /** Keys that lead to the object, such as `quantization_config`. Absent for the file itself. */
  readonly path?: string;
  /** Called with information for the user. */
  readonly note?: Note;
}

// Names that show that a key is about the file's history rather than about the model.
const DECORATION =
  /(^|_)(licen[cs]e|authors?|date|timestamp|created|url|repo|repository|datasets?|description|comments?|notes?|tags?|hash|commit|languages?|framework|uuid|title|citation|library|organi[sz]ation|company)($|_)|(^|_)(model|run|project|experiment|dataset|wandb)_name($|_)|(^|_)(base|parent|teacher|source)_model$|_version$|_path$/;

/**
 * Checks an object against its table. An unknown key is accepted if its value is empty (`null`, `false`, `""`, `[]`, `{}`) or if it starts with
 * `_` (a private attribute of the writer). It is accepted with a note if name and value are text about the file (`license`, `base_model`,
 * `x_version`).
 *
 * @throws {RangeError} naming key and value, when the value is rejected or has the wrong type, or the key is unknown.
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

/** Whether a value is empty: missing, `null`, `false`, or an empty string, list or object. Zero is not empty. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function isText(value: unknown): boolean {
  return typeof value === "string" ||
    Array.isArray(value) && value.every((item) => typeof item === "string");
}

const LONGEST = 160;

/** A value as JSON for messages, truncated if it is long. */
export function shown(value: unknown): string {
  const plain = (_: string, v: unknown) =>
    typeof v === "bigint" || typeof v === "number" && !Number.isFinite(v) ? String(v) : v;
  const text = JSON.stringify(value, plain) ?? "undefined";
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}
