/**
 * A row of a data set, and functions that read its fields as the types a template needs.
 *
 * @module
 */

/** One row of a data set: values by field name. The values come from the file, so their types are unknown. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * The value of a field, or undefined. A field with exactly this name takes precedence; otherwise dots lead through objects and lists
 * (`input.text`, `answers.0.text`).
 */
export function fieldValue(row: Row, field: string): unknown {
  if (Object.hasOwn(row, field)) return row[field];
  let value: unknown = row;
  for (const name of field.split(".")) {
    value = within(value, name);
  }
  return value;
}

/** One step of such a path: a key of an object, or the index of an item in a list. */
function within(value: unknown, name: string): unknown {
  const may = Array.isArray(value) ? /^\d{1,9}$/.test(name) : isObject(value);
  return may && Object.hasOwn(value as Row, name) ? (value as Row)[name] : undefined;
}

/**
 * The text of a field; see {@linkcode fieldValue}. Numbers and booleans are converted to text.
 *
 * @throws {RangeError} when there is no such field; the message lists the existing ones.
 * @throws {TypeError} when the field does not contain text.
 */
export function fieldText(row: Row, field: string, what: string): string {
  const value = fieldValue(row, field);
  if (value === undefined) {
    throw new RangeError(
      `Cannot ${what}: unknown field ${JSON.stringify(field)}, ${fieldsThere(row, field)}${
        rowsWithin(row)
      }`,
    );
  }
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const found = value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
  const [inner] = Object.keys(value ?? {});
  const advice = inner === undefined
    ? ""
    : holdsColumns(row)
    ? '; the object contains columns, not a row: write one object per row (in pandas: to_json(orient="records", lines=True))'
    : `; name fields within it with dots: ${JSON.stringify(`${field}.${inner}`.slice(0, 80))}`;
  throw new TypeError(
    `Cannot ${what}: field ${JSON.stringify(field)} is ${found}, expected a string${advice}`,
  );
}

/** The names of the fields where one is missing: those of the row, or of the object that the first part of the name leads to. */
function fieldsThere(row: Row, field: string): string {
  let path = "";
  let value: unknown = row;
  for (const name of field.split(".")) {
    const next = within(value, name);
    if (next === undefined) break;
    path += path === "" ? name : `.${name}`;
    value = next;
  }
  const where = path === "" ? "the row" : JSON.stringify(path);
  if (!isObject(value) && !Array.isArray(value)) {
    return `${where} is ${value === null ? "null" : `a ${typeof value}`} and has no fields`;
  }
  if (Array.isArray(value)) return `${where} is a list of ${value.length} items, counted from 0`;
  const known = Object.keys(value).slice(0, 20).map((name) => JSON.stringify(name)).join(", ");
  return `${where} has ${known || "none"}`;
}

function isObject(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether an object is a table stored by columns: lists, or objects indexed by row number, all of the same length. */
function holdsColumns(row: Row): boolean {
  const lengths = Object.values(row).map((value) => {
    if (Array.isArray(value)) return value.length;
    if (!isObject(value)) return -1;
    const keys = Object.keys(value);
    return keys.every((key) => /^\d+$/.test(key)) ? keys.length : -1;
  });
  return lengths.length > 1 && lengths[0] > 0 && lengths.every((it) => it === lengths[0]);
}

/** A hint for a row that contains a whole data set: `{"data": [...]}`. */
function rowsWithin(row: Row): string {
  for (const [name, value] of Object.entries(row)) {
    const isList = Array.isArray(value) && value.length > 0 &&
      value.every((item) => typeof item === "object" && item !== null && !Array.isArray(item));
    if (isList) {
      const shown = JSON.stringify(name.slice(0, 40));
      return `. ${shown} is a list of ${value.length} objects: if they are the rows, write only that list to the file (jq ${
        JSON.stringify(`.${name.slice(0, 40)}`)
      })`;
    }
  }
  return "";
}

/**
 * The text of a row in a text file.
 *
 * @throws {TypeError} naming the line and the row's fields, when it has no text.
 */
export function rowText(row: Row, line: number, name: string): string {
  const { text } = row;
  if (typeof text === "string") return text;
  const known = Object.keys(row).slice(0, 20).map((field) => JSON.stringify(field)).join(", ");
  const why = Object.hasOwn(row, "text")
    ? `its field "text" is ${
      text === null ? "null" : Array.isArray(text) ? "an array" : typeof text
    }, not a string`
    : `an example needs a field "text", but the row has ${known || "none"}${rowsWithin(row)}`;
  throw new TypeError(`Cannot read a text: ${why} (line ${line} of ${name})`);
}

/** The names of a row's fields, at most 20. */
export function fieldNames(row: Row): string {
  return Object.keys(row).slice(0, 20).map((name) => JSON.stringify(name)).join(", ") || "none";
}

/**
 * The items of a field that contains a list.
 *
 * @throws {TypeError} when it does not contain a list.
 */
export function fieldItems(row: Row, field: string, what: string): unknown[] {
  const value = Object.hasOwn(row, field) ? row[field] : undefined;
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot ${what}: field ${JSON.stringify(field)} is not a list`);
  }
  return value;
}

/**
 * Checks that a value is a row.
 *
 * @throws {TypeError} when it is not an object.
 */
export function asRow(value: unknown, what: string): Row {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(
      `Cannot ${what}: expected an object, found ${JSON.stringify(value)?.slice(0, 40)}`,
    );
  }
  return value as Row;
}
