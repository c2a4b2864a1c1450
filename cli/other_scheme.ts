/**
 * A tuning scheme named on the command line in place of a file's: what the file selects was selected for another.
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

/** The scheme of a configuration that names none. */
const USUAL: SchemeName = "full";
/** Keys of `trainables` that select kinds and names; layers mean the same under every scheme. */
const SELECTED = ["kinds", "include", "exclude"];
/** Sections and keys that only the scheme they were written for can mean. */
const OWN = ["groups", "adapter", ...adapterSchemeNames];

/**
 * The file's keys without what only the scheme that it names can mean (kinds and names of trainables, groups, an adapter and its settings), where the
 * command line names another. A sentence says what was left out, unless it follows from the file's scheme anyway.
 *
 * @param keys All of the file's.
 * @param name The scheme on the command line; undefined if there is none.
 * @param given Keys that the command line sets itself, as `trainables.kinds`.
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
    // What is meant for the new scheme stays: the settings of its adapter, and one to start from where both have the same kind.
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

/** What a scheme puts beside the base; undefined for none, and for what is no scheme. */
function adapterOf(scheme: unknown): string | undefined {
  const known = schemeNames.find((name) => name === scheme);
  return known && adapterOfScheme(known);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** What a run's own file has of a scheme, though nobody chose it. */
function usualOf(scheme: unknown): Readonly<Record<string, unknown>> {
  const known = schemeNames.find((name) => name === scheme);
  return known === undefined ? {} : { ...schemeSelection(known) };
}
