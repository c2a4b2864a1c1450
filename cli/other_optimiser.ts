/**
 * An optimiser named on the command line in place of a file's: what the file says was chosen for another.
 *
 * @module
 */
import { parameterKeys } from "../train/config/optimiser_schema.ts";

/** The default of a configuration that names none. */
const USUAL = "qzoNormalised";

/**
 * The file's section `optimiser` without what only the optimiser that it names can mean (learning rate, schedule, epsilon, thresholds), where the command
 * line names another; what any may have laid around it stays. A sentence says what was left out.
 *
 * @param written The section, as the file has it.
 * @param name The name on the command line; undefined if there is none.
 * @param given Keys that the command line sets itself, as `optimiser.learning_rate`.
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
