/**
 * Turns a `.wgsl` file into the shader of one variant, with `#if`, `#for`, `#include` and `#insert` lines, and
 * constants from a key.
 *
 * The files remain readable WGSL. The key determines what differs between variants (bits, tile, what is fused). What
 * differs between steps (seeds, sizes, learning rates) is stored in buffers and never appears in the text.
 *
 * - `#if NAME`, `#if !NAME`, `#if NAME == value`, `#if A && B`, `#elif …`, `#else`, `#endif`
 * - `#for i COUNT` … `#endfor` repeats the lines with `{i}` replaced (COUNT is a number or a name in the key); `{i+1}`
 *   works
 * - `#include "name"`; `{NAME}` in the name is replaced, so that a shader can include the file of its layout
 * - `#include "name" part` includes only the lines between `#part part` and `#endpart` of that file; anything outside
 *   the parts is documentation
 * - `#insert NAME` inserts the string NAME of the key unchanged: generated WGSL, such as the steps of an optimiser
 * - every number in the key becomes `const NAME: u32 = …u;`, and `{NAME}` is replaced in the text
 *
 * Branches and parts that are not selected are not parsed.
 *
 * @module
 */

/**
 * Selects a variant of a shader. Numbers become constants, booleans and strings control `#if`, and strings can be
 * inserted.
 */
export type ShaderKey = Readonly<Record<string, number | boolean | string>>;

/** The texts for `#include`, by name. */
export type ShaderLibrary = Readonly<Record<string, string>>;

/**
 * Expands a shader template.
 *
 * @param source Text with directives.
 * @param key Names that the directives can use.
 * @param library Texts for `#include`.
 * @returns Plain WGSL.
 * @throws {SyntaxError} for an unknown directive, name, include or part, or a block that is not closed.
 *
 * @example Repeat a line per row of a register tile
 * ```ts
 * import { expandShader } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * const text = expandShader("#for r ROWS\nlet x{r} = 0.0;\n#endfor", { ROWS: 2 });
 * assertEquals(text, "const ROWS: u32 = 2u;\nlet x0 = 0.0;\nlet x1 = 0.0;");
 * ```
 */
export function expandShader(source: string, key: ShaderKey, library: ShaderLibrary = {}): string {
  const constants = Object.entries(key)
    .filter((entry): entry is [string, number] => typeof entry[1] === "number")
    .map(([name, value]) => `const ${name}: u32 = ${value}u;`);
  const body = expandLines(source.split("\n"), { ...key }, { library, depth: 0 });
  return [...constants, ...body].join("\n");
}

type Names = Record<string, number | boolean | string>;

/** The texts for includes, and the nesting depth of the current lines. */
interface Source {
  readonly library: ShaderLibrary;
  readonly depth: number;
}

function expandLines(lines: readonly string[], names: Names, source: Source): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const directive = /^\s*#(\w+)\s*(.*?)\s*$/.exec(line);
    if (!directive) {
      out.push(substitute(line, names));
      continue;
    }
    const [, word, rest] = directive;
    if (word === "if") {
      const { branches, end } = splitConditional(lines, i, rest);
      const taken = branches.find((b) => b.condition === undefined || holds(b.condition, names));
      if (taken) out.push(...expandLines(taken.lines, names, source));
      i = end;
    } else if (word === "for") {
      const end = blockEnd(lines, i, "for", "endfor");
      const [name, count] = rest.split(/\s+/);
      const limit = lookUpNumber(count, names);
      for (let v = 0; v < limit; v++) {
        out.push(...expandLines(lines.slice(i + 1, end), { ...names, [name]: v }, source));
      }
      i = end;
    } else if (word === "include") {
      const included = includedLines(rest, names, source);
      out.push(...expandLines(included, names, { ...source, depth: source.depth + 1 }));
    } else if (word === "insert") {
      out.push(lookUpText(rest, names));
    } else {
      throw new SyntaxError(`Cannot expand shader: unexpected "#${word}" in line ${i + 1}`);
    }
  }
  return out;
}

/** The lines included by `#include`: a whole file, or one part of it. */
function includedLines(rest: string, names: Names, { library, depth }: Source): string[] {
  const match = /^"([^"]+)"(?:\s+(\w+))?/.exec(rest);
  if (!match) throw new SyntaxError(`Cannot expand shader: "#include ${rest}" names no file`);
  if (depth >= 8) throw new SyntaxError("Cannot expand shader: includes nest deeper than 8");
  const name = substitute(match[1], names);
  const text = library[name];
  if (text === undefined) throw new SyntaxError(`Cannot expand shader: no include "${name}"`);
  const lines = text.split("\n");
  const part = match[2];
  if (part === undefined) return lines;
  const start = lines.findIndex((line) => /^\s*#part\s+(\w+)/.exec(line)?.[1] === part);
  if (start < 0) {
    throw new SyntaxError(`Cannot expand shader: include "${name}" has no part "${part}"`);
  }
  return lines.slice(start + 1, blockEnd(lines, start, "part", "endpart"));
}

function substitute(line: string, names: Names): string {
  return line.replace(
    /\{(\w+)(?:([+*-])(\w+))?(?:([+*-])(\w+))?\}/g,
    (whole, a: string, op1?: string, b?: string, op2?: string, c?: string) => {
      if (names[a] === undefined && !/^\d+$/.test(a)) return whole;
      if (op1 === undefined) return String(names[a] ?? a);
      const first = apply(op1, lookUpNumber(a, names), lookUpNumber(b!, names));
      return String(op2 === undefined ? first : apply(op2, first, lookUpNumber(c!, names)));
    },
  );
}

function apply(op: string, a: number, b: number): number {
  return op === "+" ? a + b : op === "-" ? a - b : a * b;
}

function lookUpNumber(name: string, names: Names): number {
  const value = /^\d+$/.test(name) ? Number(name) : names[name];
  if (typeof value !== "number") {
    throw new SyntaxError(`Cannot expand shader: "${name}" is not a number of the key`);
  }
  return value;
}

function lookUpText(name: string, names: Names): string {
  const value = names[name];
  if (typeof value !== "string") {
    throw new SyntaxError(`Cannot expand shader: "${name}" is not a text of the key`);
  }
  return value;
}

function holds(condition: string, names: Names): boolean {
  return condition.split("&&").every((term) => {
    const match = /^\s*(!?)(\w+)\s*(?:(==|!=)\s*(\w+))?\s*$/.exec(term);
    if (!match) throw new SyntaxError(`Cannot expand shader: condition "${condition}"`);
    const [, not, name, comparison, wanted] = match;
    const value = names[name];
    if (value === undefined) {
      throw new SyntaxError(`Cannot expand shader: "${name}" is not in the key`);
    }
    if (comparison) return (String(value) === wanted) === (comparison === "==");
    return Boolean(value) !== (not === "!");
  });
}

function splitConditional(lines: readonly string[], start: number, first: string) {
  const branches: { condition: string | undefined; lines: string[] }[] = [
    { condition: first, lines: [] },
  ];
  let depth = 0;
  for (let i = start + 1; i < lines.length; i++) {
    const directive = /^\s*#(if|elif|else|endif)\b\s*(.*?)\s*$/.exec(lines[i]);
    if (directive?.[1] === "if") depth++;
    if (directive && depth === 0) {
      if (directive[1] === "endif") return { branches, end: i };
      branches.push({
        condition: directive[1] === "elif" ? directive[2] : undefined,
        lines: [],
      });
      continue;
    }
    if (directive?.[1] === "endif") depth--;
    branches.at(-1)!.lines.push(lines[i]);
  }
  throw new SyntaxError(`Cannot expand shader: "#if ${first}" in line ${start + 1} does not close`);
}

function blockEnd(lines: readonly string[], start: number, open: string, close: string): number {
  let depth = 0;
  for (let i = start + 1; i < lines.length; i++) {
    const word = /^\s*#(\w+)/.exec(lines[i])?.[1];
    if (word === open) depth++;
    if (word === close && depth-- === 0) return i;
  }
  throw new SyntaxError(`Cannot expand shader: "#${open}" in line ${start + 1} does not close`);
}
