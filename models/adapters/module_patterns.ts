/**
 * Names of a model's matrices as adapters' settings give them: by the ends of module paths, by regular expressions, as PEFT does.
 *
 * @module
 */

import type { Weight } from "../architecture.ts";

/** The path of a weight's module in a folder, such as `model.layers.0.self_attn.q_proj`. */
export function modulePath({ huggingFace }: Pick<Weight, "huggingFace">): string {
  return huggingFace.replace(/\.weight$/, "");
}

/** The paths by which a matrix may be named: its module's in a folder, and its own inside. */
function pathsOf(weight: Pick<Weight, "huggingFace" | "name">): readonly string[] {
  return [modulePath(weight), weight.name.replace(/\.weight$/, "")];
}

const LONGEST_PATTERN = 500;

/** A pattern as a regular expression for a whole path or for its end. @throws {RangeError} For what is none, or could take for ever */
function expressionOf(pattern: string, { whole }: { readonly whole: boolean }): RegExp {
  const refuse = (why: string) =>
    new RangeError(`Cannot use the pattern ${JSON.stringify(pattern.slice(0, 80))}: ${why}`);
  if (pattern.length > LONGEST_PATTERN) {
    throw refuse(`it has ${pattern.length} characters, at most ${LONGEST_PATTERN}`);
  }
  // A repeated group with a repetition inside: time that doubles with every letter of a name.
  if (/\([^)]*[*+}][^)]*\)\s*[*+{]/.test(pattern)) throw refuse("it repeats a repetition");
  try {
    return new RegExp(whole ? `^(?:${pattern})$` : `^(?:.*\\.)?(?:${pattern})$`);
  } catch (error) {
    throw refuse(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Whether a matrix is one of those that `targets` name: in a list by the end of its path (`q_proj`, `layers.0.self_attn.q_proj`), by a text that is
 * a regular expression by its whole path; `all-linear` is all but the head.
 *
 * @throws {RangeError} For a text that is no regular expression
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

/** Names that stand for just these of some matrices: last parts of their paths where that is so, else the paths. */
export function namesFor(all: readonly Weight[], chosen: readonly Weight[]): string[] {
  const ends = [...new Set(chosen.map((it) => modulePath(it).split(".").at(-1)!))];
  const isTarget = targetsOf(ends);
  const meant = all.filter((it) => isTarget(it));
  return meant.length === chosen.length ? ends : chosen.map(modulePath);
}

/**
 * The value of the first pattern that the end of a matrix's path is like, as PEFT reads `rank_pattern` and `alpha_pattern`.
 *
 * @throws {RangeError} For a pattern that is no regular expression
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
