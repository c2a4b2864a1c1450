/**
 * Finds runs of statements that repeat the same operations for one element after another, and where their operands come from.
 *
 * @module
 */

/** A part of a statement that may differ from element to element: a scalar declared by `let`, an index in brackets, or the bits of a literal. */
export interface Hole {
  readonly word: string;
  readonly kind: "name" | "index" | "literal";
}

export interface Statement {
  readonly text: string;
  /** Text between the holes, and the kinds of the holes. Equal for statements that can share a loop. */
  readonly shape: string;
  readonly pieces: readonly string[];
  readonly holes: readonly Hole[];
  /** Name of the scalar that it declares. */
  readonly declares: string | undefined;
}

/** The source of a hole's value in each pass of a loop. */
export type Source =
  | { readonly kind: "same"; readonly name: string }
  | { readonly kind: "array"; readonly first: string; readonly by: number }
  | { readonly kind: "own"; readonly line: number }
  | { readonly kind: "before"; readonly line: number; readonly first: string }
  | { readonly kind: "index"; readonly first: number; readonly by: number }
  | { readonly kind: "literal"; readonly word: string };

/** A loop of `count` passes over `lines` statements each, from statement `from` on. */
export interface Run {
  readonly from: number;
  readonly lines: number;
  readonly count: number;
  readonly sources: readonly (readonly Source[])[];
}

export interface Place {
  readonly run: Run;
  readonly line: number;
  readonly pass: number;
}

/** Minimum number of statements that a loop replaces. */
const LEAST = 24;
/** Maximum number of statements per pass. */
const MOST_LINES = 32;

/** Parses a statement into its holes and the text between them. */
export function statement(text: string, declared: ReadonlySet<string>): Statement {
  const pieces: string[] = [];
  const holes: Hole[] = [];
  let at = 0;
  for (const match of text.matchAll(WORDS)) {
    const [all, index] = match;
    const kind = index !== undefined ? "index" : all.startsWith("0x") ? "literal" : "name";
    if (kind === "name" && !declared.has(all)) continue;
    const word = index ?? all;
    const start = match.index + all.lastIndexOf(word);
    pieces.push(text.slice(at, start));
    holes.push({ word, kind });
    at = start + word.length;
  }
  pieces.push(text.slice(at));
  const declares = /^let (\w+) =/.exec(text)?.[1];
  const kinds = holes.map(({ kind }) => kind[0]).join("");
  return { text, shape: `${pieces.join("\0")}\0${kinds}`, pieces, holes, declares };
}

/** Names, literals and, in brackets, an index or the number added to one. */
const WORDS = /\b[A-Za-z_]\w*|\b0x[0-9a-f]+u|\[(?:\w+ \+ )?(\d+u?)\]/g;

/** The statements of a section, with those of a loop combined. Adds the places of the loops' scalars to `places`. */
export function planned(
  statements: readonly Statement[],
  places: Map<string, Place>,
): (Statement | Run)[] {
  const steps: (Statement | Run)[] = [];
  for (let at = 0; at < statements.length;) {
    const run = longestRun(statements, at, places);
    if (!run) {
      steps.push(statements[at++]);
      continue;
    }
    for (let pass = 0; pass < run.count; pass++) {
      for (let line = 0; line < run.lines; line++) {
        const name = statements[at + pass * run.lines + line].declares;
        if (name !== undefined) places.set(name, { run, line, pass });
      }
    }
    steps.push(run);
    at += run.lines * run.count;
  }
  return steps;
}

function longestRun(
  statements: readonly Statement[],
  from: number,
  places: ReadonlyMap<string, Place>,
): Run | undefined {
  let best: Run | undefined;
  for (let lines = 1; lines <= MOST_LINES && from + 2 * lines <= statements.length; lines++) {
    if (best && best.lines * best.count >= (statements.length - from) / 2) break;
    const run = runOf(statements, { from, lines }, places);
    if (!run || run.count * lines < LEAST || run.count < 3) continue;
    if (!best || run.count * lines > best.count * best.lines) best = run;
  }
  return best;
}

/** The longest loop with the given number of statements per pass. */
function runOf(
  statements: readonly Statement[],
  { from, lines }: { readonly from: number; readonly lines: number },
  places: ReadonlyMap<string, Place>,
): Run | undefined {
  let count = 1;
  for (;; count++) {
    const next = from + count * lines;
    if (next + lines > statements.length) break;
    let alike = true;
    for (let line = 0; alike && line < lines; line++) {
      alike = statements[next + line].shape === statements[from + line].shape;
    }
    if (!alike) break;
  }
  const own = new Map<string, { readonly line: number; readonly pass: number }>();
  for (let i = 0; i < count * lines; i++) {
    const { declares } = statements[from + i];
    if (declares !== undefined) own.set(declares, { line: i % lines, pass: Math.floor(i / lines) });
  }
  const sources: Source[][] = [];
  for (let line = 0; line < lines; line++) {
    sources[line] = [];
    const { holes, declares } = statements[from + line];
    for (let h = 0; h < holes.length; h++) {
      if (h === 0 && declares !== undefined) continue; // the name that it declares
      const over = (pass: number) => statements[from + pass * lines + line].holes[h];
      const found = sourceOf(over, count, line, { own, places });
      if (!found || found.count < 2) return undefined;
      count = found.count;
      sources[line][h] = found.source;
    }
  }
  return { from, lines, count, sources };
}

/** The source of a hole's values, and the number of passes for which it holds. */
function sourceOf(
  over: (pass: number) => Hole,
  count: number,
  line: number,
  { own, places }: {
    readonly own: ReadonlyMap<string, { readonly line: number; readonly pass: number }>;
    readonly places: ReadonlyMap<string, Place>;
  },
): { readonly source: Source; readonly count: number } | undefined {
  const passes = (holds: (pass: number) => boolean) => {
    let pass = 0;
    while (pass < count && holds(pass)) pass++;
    return pass;
  };
  if (count < 2) return undefined;
  const [{ word: name, kind }, { word: next }] = [over(0), over(1)];
  if (kind === "index") {
    const indexAt = (pass: number) => Number.parseInt(over(pass).word);
    const first = indexAt(0);
    const by = indexAt(1) - first;
    const found = passes((pass) => indexAt(pass) === first + pass * by);
    return { source: { kind, first, by }, count: found };
  }
  if (kind === "literal") {
    // Different literals per element would require a table, which does not compile faster.
    return { source: { kind, word: name }, count: passes((pass) => over(pass).word === name) };
  }
  if (name === next) {
    // A scalar of the loop itself cannot be the same in each pass.
    if (own.has(name)) return undefined;
    return { source: { kind: "same", name }, count: passes((pass) => over(pass).word === name) };
  }
  const mine = own.get(next);
  if (mine && mine.pass === 1 && mine.line < line) {
    const of = mine.line;
    const holds = (pass: number) => {
      const it = own.get(over(pass).word);
      return it !== undefined && it.pass === pass && it.line === of;
    };
    return { source: { kind: "own", line: of }, count: passes(holds) };
  }
  if (mine && mine.pass === 0 && !own.has(name)) {
    const of = mine.line;
    const holds = (pass: number) => {
      const it = own.get(over(pass).word);
      return pass === 0 || it !== undefined && it.pass === pass - 1 && it.line === of;
    };
    return { source: { kind: "before", line: of, first: name }, count: passes(holds) };
  }
  const [a, b] = [places.get(name), places.get(next)];
  if (!a || !b || a.run !== b.run || a.line !== b.line) return undefined;
  const by = b.pass - a.pass;
  const holds = (pass: number) => {
    const it = places.get(over(pass).word);
    return it !== undefined && it.run === a.run && it.line === a.line &&
      it.pass === a.pass + pass * by;
  };
  return { source: { kind: "array", first: name, by }, count: passes(holds) };
}
