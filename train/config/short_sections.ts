/**
 * Sections that may be written as one text: the value of the key that matters most in them.
 *
 * @module
 */

/** That key of each such section: `task: sst2` is `task: { name: sst2 }`. */
export const MAIN_KEYS: Readonly<Record<string, string>> = {
  task: "name",
  data: "folder",
  optimiser: "name",
  quantize: "format",
  device: "adapter",
};

/** The keys of a configuration with sections in place of such texts. */
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
