/**
 * Declarative schemas of configuration files. A field describes what it accepts and reads an untrusted value. The fields of a section have
 * camelCase names, as in TypeScript; the file's keys are the same names in snake_case.
 *
 * @module
 */
import { distance } from "fastest-levenshtein";
import { isWithin, type NumberRule } from "../../optim/options.ts";
import { COMMAND_KEYS, meantKey } from "./field_words.ts";

/** The position of a value: the file's name and the keys that lead to it. */
export interface Place {
  /** Name of the file, for messages. */
  readonly file: string;
  /** Other origins of values, such as a command-line flag, by the path of their key. */
  readonly sources?: ReadonlyMap<string, string> | undefined;
  /** Keys from the outermost one, spelled as in the file. */
  readonly path: readonly string[];
}

/** A value in a configuration file: how to read it, and its documentation. */
export interface Field<T> {
  /** One-line description. */
  readonly doc: string;
  /** What is accepted, as a noun phrase. */
  readonly expects: string;
  /** The default as shown in documentation. Undefined if there is none. */
  readonly shownDefault?: string;
  /** All possible or known values, if there are few. */
  readonly values?: readonly string[];
  /** The fields, if it is a section. */
  readonly fields?: Readonly<Record<string, Field<unknown>>>;
  /**
   * Reads a value. Returns the default if `value` is undefined.
   *
   * @throws {TypeError} for a value of another kind, or a missing required value.
   * @throws {RangeError} for a value that is not allowed, or an unknown key.
   */
  read(value: unknown, place: Place): T;
}

/** The origin of the value at a place: the file, or whatever overrides it. */
export function sourceOf({ file, path, sources }: Place): string {
  for (let length = path.length; length > 0 && sources; length--) {
    const source = sources.get(path.slice(0, length).join("."));
    if (source !== undefined) return source;
  }
  return file;
}

/** The spelling of a name in files: `learningRate` becomes `learning_rate`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const longestShown = 60;

/** An untrusted value for a message. Scalars are shown as written; the contents of lists and sections are not shown. */
export function showValue(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "a section";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > longestShown ? `${text.slice(0, longestShown)}...` : text;
}

/** The message that rejects a value at a place. */
export function refusal(place: Place, value: unknown, expects: string): string {
  return `Cannot use ${place.path.join(".")}: ${showValue(value)} in ${
    sourceOf(place)
  }: expected ${expects}`;
}

/** A field whose `accept` returns undefined for a value of another kind. */
function field<T, F>(
  { doc, expects, fallback, shownDefault, values, accept }: {
    doc: string;
    expects: string;
    fallback: F | undefined;
    shownDefault?: string;
    values?: readonly string[];
    accept(value: unknown): { ok: T } | { outside: true } | undefined;
  },
): Field<T | F> {
  return {
    doc,
    expects,
    ...(values ? { values } : {}),
    shownDefault: shownDefault ?? (fallback === undefined ? undefined : String(fallback)),
    read(value, place) {
      if (value === undefined || value === null) return fallback as F;
      const result = accept(value);
      if (result === undefined) throw new TypeError(refusal(place, value, expects));
      if ("outside" in result) throw new RangeError(refusal(place, value, expects));
      return result.ok;
    },
  };
}

/** Text of at least one character. */
export function text(doc: string): Field<string | undefined>;
/** Text of at least one character, with a default. */
export function text(doc: string, fallback: string): Field<string>;
export function text(doc: string, fallback?: string): Field<string | undefined> {
  return field<string, string | undefined>({
    doc,
    expects: "text",
    fallback,
    accept: (value) =>
      typeof value !== "string" ? undefined : value === "" ? { outside: true } : { ok: value },
  });
}

/** Limits of a number. Infinity is accepted if it is the largest value, or if the limits explicitly allow it. */
export interface NumberBounds extends NumberRule {
  /** Smallest value. */
  readonly min: number;
  /** Largest value. */
  readonly max: number;
}

/** The range of allowed numbers, as text. */
function boundsText(
  { min, max, above = false, below = false, whole, infinite }: NumberBounds,
): string {
  if (min === max) return String(min);
  const open = max === Infinity || max >= Number.MAX_SAFE_INTEGER && whole;
  const to = below ? `below ${max}` : above ? `at most ${max}` : `${max}`;
  const range = `${above ? "above" : "from"} ${min}${
    open ? "" : above ? ` and ${to}` : ` to ${to}`
  }`;
  return `${whole ? "a whole number" : "a number"} ${range}${infinite && !open ? ", or .inf" : ""}`;
}

/** A number within limits. */
export function number(doc: string, bounds: NumberBounds): Field<number | undefined>;
/** A number within limits, with a default. */
export function number(doc: string, bounds: NumberBounds, fallback: number): Field<number>;
export function number(
  doc: string,
  bounds: NumberBounds,
  fallback?: number,
): Field<number | undefined> {
  const rule = { infinite: bounds.max === Infinity, ...bounds };
  return field<number, number | undefined>({
    doc,
    expects: boundsText(bounds),
    fallback,
    accept(value) {
      // YAML reads 1e-3 as a number and 1e-3 in quotes as text; text is never taken for a number.
      if (typeof value !== "number") return undefined;
      return isWithin(value, rule) ? { ok: value } : { outside: true };
    },
  });
}

/** A name in the form used for comparison: ignoring case and how its words are joined. */
function plainName(name: unknown): string {
  return String(name).toLowerCase().replace(/[-_ ]/g, "");
}

/** One of the given values. For names, case and the way words are joined are ignored. */
export function choice<const C extends string | number>(
  doc: string,
  choices: readonly C[],
): Field<C | undefined>;
/** One of the given values, with a default. */
export function choice<const C extends string | number>(
  doc: string,
  choices: readonly C[],
  fallback: NoInfer<C>,
): Field<C>;
export function choice<const C extends string | number>(
  doc: string,
  choices: readonly C[],
  fallback?: C,
): Field<C | undefined> {
  return field<C, C | undefined>({
    doc,
    expects: `one of ${choices.join(", ")}`,
    values: choices.map(String),
    fallback,
    accept(value) {
      const found = choices.find((it) => it === value) ??
        (typeof value === "string"
          ? choices.find((it) => typeof it === "string" && plainName(it) === plainName(value))
          : undefined);
      if (found !== undefined) return { ok: found };
      return choices.some((it) => typeof it === typeof value) ? { outside: true } : undefined;
    },
  });
}

const longestList = 1000;

/** A list of at most 1000 items, each read by a field. A single item may be given without a list. */
export function list<T>(
  doc: string,
  item: Field<T | undefined>,
): Field<readonly T[] | undefined>;
/** A list of at most 1000 items, each read by a field, with a default. */
export function list<T>(
  doc: string,
  item: Field<T | undefined>,
  fallback: readonly T[],
): Field<readonly T[]>;
export function list<T>(
  doc: string,
  item: Field<T | undefined>,
  fallback?: readonly T[],
): Field<readonly T[] | undefined> {
  const expects = `a list of ${item.expects}`;
  return {
    doc,
    expects,
    ...(item.values ? { values: item.values } : {}),
    shownDefault: fallback?.join(", "),
    read(value, place) {
      if (value === undefined || value === null) return fallback;
      const items: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (items.length === 0 || items.length > longestList) {
        throw new RangeError(refusal(place, value, `${expects}, 1 to ${longestList} of them`));
      }
      return items.map((it, index) => {
        const at = { ...place, path: [...place.path, String(index)] };
        const read = item.read(it, at);
        if (read === undefined) throw new TypeError(refusal(at, it, item.expects));
        return read;
      });
    },
  };
}

/** A value read by a custom function; see {@linkcode Field.read} for what `read` must do. */
export function custom<T>(
  doc: string,
  expects: string,
  accept: (value: unknown, place: Place) => T | undefined,
  values?: readonly string[],
): Field<T | undefined> {
  return {
    doc,
    expects,
    ...(values ? { values } : {}),
    read(value, place) {
      if (value === undefined || value === null) return undefined;
      const read = accept(value, place);
      if (read === undefined) throw new TypeError(refusal(place, value, expects));
      return read;
    },
  };
}

/** A field that is required. */
export function required<T>(inner: Field<T | undefined>): Field<T> {
  return {
    ...inner,
    shownDefault: "required",
    read(value, place) {
      const read = inner.read(value, place);
      if (read === undefined) {
        throw new TypeError(
          `Missing key "${place.path.join(".")}" in ${place.file}: expected ${inner.expects}`,
        );
      }
      return read;
    },
  };
}

/** A section, in which unknown keys are rejected. */
export function section<T extends object>(
  doc: string,
  fields: { readonly [Name in keyof T]-?: Field<T[Name]> },
): Field<T> {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  const names = new Map(entries.map(([name]) => [snakeCase(name), name]));
  const own: Field<T> = {
    doc,
    expects: "a section of keys",
    fields: Object.fromEntries(entries),
    read(value, place) {
      const given = value ?? {};
      if (typeof given !== "object" || Array.isArray(given)) {
        throw new TypeError(refusal(place, value, own.expects));
      }
      for (const key of Object.keys(given)) {
        if (!names.has(key)) throw new RangeError(unknownKey(key, place));
      }
      return Object.fromEntries(entries.map(([name, child]) => {
        const key = snakeCase(name);
        const inner = Object.hasOwn(given, key)
          ? (given as Record<string, unknown>)[key]
          : undefined;
        return [name, child.read(inner, { ...place, path: [...place.path, key] })];
      })) as T;
    },
  };
  const unknownKey = (key: string, place: Place): string => {
    const short = key.slice(0, longestShown);
    const instead = place.path.length === 0 ? COMMAND_KEYS.get(key) : undefined;
    return `Unknown key ${JSON.stringify([...place.path, short].join("."))} in ${
      sourceOf({ ...place, path: [...place.path, key] })
    }: ${
      instead
        ? `only the command line takes it; in a script, leave it out and ${instead}`
        : `did you mean "${nearestKey(short, own)}"?`
    }`;
  };
  return own;
}

/** A documented key of a schema. */
export interface ConfigKey {
  /** Path of the key: keys joined by dots, as in the file. */
  readonly path: string;
  /** One-line description. */
  readonly doc: string;
  /** What is accepted. */
  readonly expects: string;
  /** The default as text. Undefined if there is none. */
  readonly shownDefault?: string;
  /** All possible or known values, if there are few. */
  readonly values?: readonly string[];
}

/** Every key of a schema in order, without the sections themselves. */
export function keysOf(field: Field<unknown>, before: readonly string[] = []): ConfigKey[] {
  return Object.entries(field.fields ?? {}).flatMap(([name, child]) => {
    const path = [...before, snakeCase(name)];
    if (child.fields !== undefined) return keysOf(child, path);
    const { doc, expects, shownDefault, values } = child;
    return [{ path: path.join("."), doc, expects, shownDefault, ...(values ? { values } : {}) }];
  });
}

/** The known key whose spelling is closest to the given one. Of equally close keys, the least deeply nested. */
function nearestKey(key: string, inside: Field<unknown>): string {
  const sections = Object.entries(inside.fields ?? {})
    .filter(([, child]) => child.fields !== undefined)
    .map(([name]) => snakeCase(name));
  const known = [...sections, ...keysOf(inside).map((it) => it.path)];
  const meant = meantKey(key, known);
  if (meant !== undefined) return meant;
  let best = "";
  let least = Infinity;
  for (const path of known) {
    const parts = path.split(".");
    const cost = distance(key, parts[parts.length - 1]) + (parts.length - 1);
    if (cost < least) [best, least] = [path, cost];
  }
  return best;
}
