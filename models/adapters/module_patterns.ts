/**
 * Selects a model's matrices by the names in adapters' settings, as PEFT does: by the ends of module paths, or by regular expressions.
 *
 * @module
 */

import type { Weight } from "../architecture.ts";

/** The path of a weight's module in a folder, such as `model.layers.0.self_attn.q_proj`. */
export function modulePath({ huggingFace }: Pick<Weight, "huggingFace">): string {
  return huggingFace.replace(/\.weight$/, "");
}

/** The paths by which a matrix can be selected: that of its module in a folder, and that inside this library. */
function pathsOf(weight: Pick<Weight, "huggingFace" | "name">): readonly string[] {
  return [modulePath(weight), weight.name.replace(/\.weight$/, "")];
}

const LONGEST_PATTERN = 500;

/** Compiles a pattern for a whole path or for its end. @throws {RangeError} when it is not a valid regular expression, or could take forever. */
function expressionOf(pattern: string, { whole }: { readonly whole: boolean }): RegExp {
  const refuse = (why: string) =>
    new RangeError(`Cannot use the pattern ${JSON.stringify(pattern.slice(0, 80))}: ${why}`);
  if (pattern.length > LONGEST_PATTERN) {
    throw refuse(`it has ${pattern.length} characters, at most ${LONGEST_PATTERN} are allowed`);
  }
  // A repetition within a repeated group can take time exponential in the length of a name.
  if (/\([^)]*[*+}][^)]*\)\s*[*+{]/.test(pattern)) throw refuse("it contains a nested repetition");
  try {
    return new RegExp(whole ? `^(?:${pattern})$` : `^(?:.*\\.)?(?:${pattern})$`);
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Returns a function that tells whether `targets` selects a matrix. A list selects by the ends of paths (`q_proj`, `layers.0.self_attn.q_proj`), a
 * string is a regular expression for the whole path, and `all-linear` selects all matrices except the head.
 *
 * @throws {RangeError} when a pattern is not a valid regular expression.
 */
export function targetsOf(
  targets: string | readonly string[],
): (weight: Pick<Weight, "huggingFace" | "name" | "role">) => boolean {
  if (targets === "all-linear") return ({ role }) => role === "matrix";
  if (typeof targets === "string") {
    const expression = expressionOf(targets, { whole: true });
    return (weight) => pathsOf(weight).some((path) => expression.test(path));
  }
  return (weight) =>
    pathsOf(weight).some((path) =>
      targets.some((target) => path === target || path.endsWith(`.${target}`))
    );
}

/** Names that select exactly the chosen matrices: the last components of their paths if possible, otherwise the paths. */
export function namesFor(all: readonly Weight[], chosen: readonly Weight[]): string[] {
  const ends = [...new Set(chosen.map((it) => modulePath(it).split(".").at(-1)!))];
  const isTarget = targetsOf(ends);
  const meant = all.filter((it) => isTarget(it));
  return meant.length === chosen.length ? ends : chosen.map(modulePath);
}

/**
 * Returns a function that gives the value of the first pattern that matches the end of a matrix's path, like `rank_pattern` and `alpha_pattern` in
 * PEFT.
 *
 * @throws {RangeError} when a pattern is not a valid regular expression.
 */
export function valueByPattern(
  patterns: Readonly<Record<string, number>> = {},
): (weight: Pick<Weight, "huggingFace" | "name">) => number | undefined {
  const rules = Object.entries(patterns).map(([pattern, value]) =>
    [expressionOf(pattern, { whole: false }), value] as const
  );
  return (weight) =>
    rules.find(([expression]) => pathsOf(weight).some((path) => expression.test(path)))?.[1];
}
