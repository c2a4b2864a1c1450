/**
 * Drops the selection in a configuration file if the command line names another tuning scheme than the one it was made for.
 *
 * @module
 */
import { adapterSchemeNames } from "../models/adapters/schemes.ts";
import {
  adapterOfScheme,
  type SchemeName,
  schemeNames,
  schemeSelection,
} from "../train/config/scheme_schema.ts";

/** Default scheme of a configuration that names none. */
const USUAL: SchemeName = "full";
/** Keys of `trainables` that select kinds and names; layers mean the same under every scheme. */
const SELECTED = ["kinds", "include", "exclude"];
/** Sections and keys that apply only to the scheme they were written for. */
const OWN = ["groups", "adapter", ...adapterSchemeNames];

/**
 * The file's keys. If the command line names another scheme, those that apply only to the file's scheme are left out: kinds and names of trainables,
 * groups, an adapter and its settings. A note names what was left out, except defaults of the file's scheme and keys that the command line sets.
 *
 * @param keys All keys of the file.
 * @param name Scheme on the command line. Undefined if it names none.
 * @param given Keys that the command line sets itself, such as `trainables.kinds`.
 */
export function withoutOthersSelection(
  keys: Readonly<Record<string, unknown>>,
  { name, given, file }: {
    readonly name: unknown;
    readonly given: ReadonlySet<string>;
    readonly file: string;
  },
): { readonly keys: Record<string, unknown>; readonly notes: readonly string[] } {
  const same = { keys: { ...keys }, notes: [] };
  const before = keys.scheme ?? USUAL;
  if (typeof name !== "string" || String(before).toLowerCase() === name.toLowerCase()) return same;
  const left = { ...keys };
  const out: string[] = [];
  const beside = adapterOf(name.toLowerCase());
  for (const key of OWN) {
    // Keep what the new scheme uses: the settings of its adapter, and the adapter to start from if both schemes have the same kind.
    if (key === beside || key === "adapter" && beside === adapterOf(before)) continue;
    if (left[key] === undefined || isEmpty(left[key])) continue;
    delete left[key];
    out.push(key);
  }
  const { trainables } = keys;
  if (typeof trainables === "object" && trainables !== null && !Array.isArray(trainables)) {
    const rest: Record<string, unknown> = { ...trainables };
    const usual = usualOf(before);
    for (const key of SELECTED) {
      if (rest[key] === undefined) continue;
      if (JSON.stringify(rest[key]) !== JSON.stringify(usual[key])) out.push(`trainables.${key}`);
      delete rest[key];
    }
    left.trainables = rest;
  }
  const silent = out.filter((key) => !given.has(key));
  return {
    keys: left,
    notes: silent.length === 0 ? [] : [
      `${silent.join(", ")} of ${file} ${
        silent.length === 1 ? "was" : "were"
      } chosen for scheme ${before} and left out, because of --scheme ${name}`,
    ],
  };
}

/** Kind of adapter that a scheme adds to the base model. Undefined if it adds none or is not a known scheme. */
function adapterOf(scheme: unknown): string | undefined {
  const known = schemeNames.find((name) => name === scheme);
  return known && adapterOfScheme(known);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** Default selection of a scheme, which the configuration file of a run contains although nobody chose it. */
function usualOf(scheme: unknown): Readonly<Record<string, unknown>> {
  const known = schemeNames.find((name) => name === scheme);
  return known === undefined ? {} : { ...schemeSelection(known) };
}
