/**
 * Sections that may be written as one text: the value of their main key.
 *
 * @module
 */

/** Main key of each such section: `task: sst2` is short for `task: { name: sst2 }`. */
export const MAIN_KEYS: Readonly<Record<string, string>> = {
  task: "name",
  data: "folder",
  optimiser: "name",
  quantize: "format",
  device: "adapter",
};

/** The keys of a configuration, with such texts expanded to sections. */
export function withSections(keys: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(keys).map(([key, value]) => [
      key,
      typeof value === "string" && Object.hasOwn(MAIN_KEYS, key)
        ? { [MAIN_KEYS[key]]: value }
        : value,
    ]),
  );
}
