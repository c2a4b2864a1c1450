/**
 * Parses regular expressions of files into trees, which `tokenizer_automaton.ts` runs without backtracking. The syntax is that of JavaScript with the
 * flag u, as produced by the engine's translation.
 *
 * @module
 */

/** A part of an expression. */
export type Expression =
  | { readonly kind: "letter"; readonly test: RegExp }
  | { readonly kind: "all" | "any"; readonly parts: readonly Expression[] }
  | {
    readonly kind: "repeat";
    readonly part: Expression;
    readonly least: number;
    readonly most: number;
    readonly greedy: boolean;
  }
  | {
    readonly kind: "look";
    readonly part: Expression;
    readonly behind: boolean;
    readonly negative: boolean;
  };

const deepest = 64;

/**
 * Parses an expression.
 *
 * @throws {RangeError} when it cannot be expressed as such a tree: a back-reference, or groups nested deeper than 64.
 */
export function parseExpression(source: string, where: string): Expression {
  let at = 0;
  const refuse = (what: string): never => {
    throw new RangeError(
      `Cannot load the tokenizer: the expression of ${where} has ${what} at character ${at}, which cannot run in bounded time`,
    );
  };

  function any(depth: number): Expression {
    if (depth > deepest) refuse("groups nested too deep");
    const parts = [all(depth)];
    while (source[at] === "|") {
      at++;
      parts.push(all(depth));
    }
    return parts.length === 1 ? parts[0] : { kind: "any", parts };
  }

  function all(depth: number): Expression {
    const parts: Expression[] = [];
    while (at < source.length && source[at] !== "|" && source[at] !== ")") {
      parts.push(repeated(atom(depth)));
    }
    return parts.length === 1 ? parts[0] : { kind: "all", parts };
  }

  function repeated(part: Expression): Expression {
    const match = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})(\??)/.exec(source.slice(at, at + 32));
    if (match === null) return part;
    at += match[0].length;
    const [, sign, low, comma, high, lazy] = match;
    const least = sign === undefined ? Number(low) : sign === "+" ? 1 : 0;
    const most = sign !== undefined
      ? (sign === "?" ? 1 : Infinity)
      : comma === ""
      ? least
      : high === ""
      ? Infinity
      : Number(high);
    return { kind: "repeat", part, least, most, greedy: lazy === "" };
  }

  function atom(depth: number): Expression {
    const start = at;
    const letter = (length: number): Expression => {
      at += length;
      return { kind: "letter", test: new RegExp(`^(?:${source.slice(start, at)})$`, "u") };
    };
    const edge = (behind: boolean): Expression => {
      at++;
      return { kind: "look", part: anything, behind, negative: true };
    };
    switch (source[at]) {
      case "(":
        return group(depth);
      case "[":
        return letter(endOfClass(source, at) - at);
      case "^":
        return edge(true);
      case "$":
        return edge(false);
      case ".":
        return letter(1);
      case "\\": {
        if (/[1-9kbB]/.test(source[at + 1] ?? "")) refuse(`"\\${source[at + 1]}"`);
        const escape = /^\\(?:[pPu]\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|.)/su.exec(
          source.slice(at),
        );
        return letter(escape === null ? 1 : escape[0].length);
      }
      default: {
        const character = String.fromCodePoint(source.codePointAt(at)!);
        at += character.length;
        const escaped = character.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
        return { kind: "letter", test: new RegExp(`^${escaped}$`, "u") };
      }
    }
  }

  function group(depth: number): Expression {
    const open = /^\((?:\?(?:<?[=!]|:|<[A-Za-z_]\w*>))?/.exec(source.slice(at))![0];
    if (open === "(" && source[at + 1] === "?") refuse("a group of an unknown kind");
    at += open.length;
    const part = any(depth + 1);
    if (source[at] !== ")") refuse("a group that is not closed");
    at++;
    if (!/[=!]$/.test(open)) return part;
    return { kind: "look", part, behind: open.includes("<"), negative: open.endsWith("!") };
  }

  const tree = any(0);
  if (at < source.length) refuse("an unmatched bracket");
  return tree;
}

const anything: Expression = { kind: "letter", test: /^[\s\S]$/u };

/** The index after a character class. */
function endOfClass(source: string, start: number): number {
  for (let i = start + 1; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "]") return i + 1;
  }
  return source.length;
}
