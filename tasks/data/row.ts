/**
 * A row of a data set, and reading its fields as the types a template needs.
 *
 * @module
 */

/** One row of a data set: field names to values. Values are what the file holds, so nothing about them is certain. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * The value of a field, undefined where there is none: the one of that name, else the one that dots lead to, through objects and lists
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

/** One step of such a path: a key of an object, or the place of an item of a list. */
function within(value: unknown, name: string): unknown {
  const may = Array.isArray(value) ? /^\d{1,9}$/.test(name) : isObject(value);
  return may && Object.hasOwn(value as Row, name) ? (value as Row)[name] : undefined;
}

/**
 * The text of a field, see {@linkcode fieldValue}; numbers and booleans are spelled out.
 *
 * @throws RangeError if there is no such field (it names those there are), TypeError if it holds no text.
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

/** The fields among which one is missing: of the row, or of what its name leads to. */
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

/** Whether an object is a table by its columns: lists, or objects by the number of their row, of one length. */
function holdsColumns(row: Row): boolean {
  const lengths = Object.values(row).map((value) => {
    if (Array.isArray(value)) return value.length;
    if (!isObject(value)) return -1;
    const keys = Object.keys(value);
    return keys.every((key) => /^\d+$/.test(key)) ? keys.length : -1;
  });
  return lengths.length > 1 && lengths[0] > 0 && lengths.every((it) => it === lengths[0]);
}

/** What to say of a row that is a whole data set: `{"data": [...]}`. */
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

/** The text of a row of a text file. @throws TypeError that names the line and the row's fields, if it has no text */
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

/** The names of a row's fields, the first 20. */
export function fieldNames(row: Row): string {
  return Object.keys(row).slice(0, 20).map((name) => JSON.stringify(name)).join(", ") || "none";
}

/** The items of a field that holds a list. @throws TypeError otherwise. */
export function fieldItems(row: Row, field: string, what: string): unknown[] {
  const value = Object.hasOwn(row, field) ? row[field] : undefined;
  if (!Array.isArray(value)) {
    throw new TypeError(`Cannot ${what}: field ${JSON.stringify(field)} is not a list`);
  }
  return value;
}

/** A value as a row. @throws TypeError if it is not an object. */
export function asRow(value: unknown, what: string): Row {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(
      `Cannot ${what}: expected an object, found ${JSON.stringify(value)?.slice(0, 40)}`,
    );
  }
  return value as Row;
}
