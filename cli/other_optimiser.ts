/**
 * Drops the optimiser arguments in a configuration file if the command line names another optimiser than the one they were chosen for.
 *
 * @module
 */
import { parameterKeys } from "../train/config/optimiser_schema.ts";

/** Default optimiser of a configuration that names none. */
const USUAL = "qzoNormalised";

/**
 * The file's section `optimiser`. If the command line names another optimiser, arguments that apply only to the file's optimiser are left out:
 * learning rate, schedule, epsilon and thresholds. Keys that apply to any optimiser stay. A note names what was left out, except keys that the
 * command line sets.
 *
 * @param written The section as written in the file.
 * @param name Optimiser on the command line. Undefined if it names none.
 * @param given Keys that the command line sets itself, such as `optimiser.learning_rate`.
 */
export function withoutOthersArguments(
  written: unknown,
  { name, given, file }: {
    readonly name: unknown;
    readonly given: ReadonlySet<string>;
    readonly file: string;
  },
): { readonly section: unknown; readonly notes: readonly string[] } {
  const same = { section: written, notes: [] };
  if (typeof name !== "string" || typeof written !== "object" || written === null) return same;
  if (Array.isArray(written)) return same;
  const { name: before = USUAL, ...keys } = written as Readonly<Record<string, unknown>>;
  if (String(before).toLowerCase() === name.toLowerCase()) return same;
  const foreign = Object.keys(keys).filter((key) => parameterKeys.has(key));
  if (foreign.length === 0) return same;
  const left = Object.entries(keys).filter(([key]) => !parameterKeys.has(key));
  const silent = foreign.filter((key) => !given.has(`optimiser.${key}`));
  return {
    section: Object.fromEntries(left),
    notes: silent.length === 0 ? [] : [
      `${silent.map((key) => shown(key, keys[key])).join(", ")} of ${file} ${
        silent.length === 1 ? "is" : "are"
      } for ${before} and ignored: --optimiser ${name} uses its own. Give it with --optimiser.${
        silent[0].replaceAll("_", "-")
      } if it is meant for both`,
    ],
  };
}

function shown(key: string, value: unknown): string {
  const plain = typeof value === "object" ? "" : ` ${String(value)}`;
  return `optimiser.${key}${plain.slice(0, 60)}`;
}
