/**
 * Shortens straight-line WGSL: runs of statements that repeat the same operations for one element after another become loops over arrays. The
 * operations and their order per element stay the same, and so do the resulting bits. The text becomes shorter, which matters because drivers'
 * compile time grows faster than its length.
 *
 * @module
 */

import { type Place, planned, type Run, type Statement, statement } from "./statement_runs.ts";

/** Statements with loops. */
export interface RolledLines {
  /** The sections, in the given order. */
  readonly sections: string[][];
  /** Words that the statements need in an array `scratch` of u32 in a buffer. With a function's variables, compilation would take minutes. */
  readonly words: number;
}

/**
 * Replaces long runs of statements by loops.
 *
 * @param sections Sections of statements, one statement per text. Later sections may use what earlier ones declare by `let`.
 * @param typeOf Returns the type of the scalar with the given name.
 *
 * @example A sum over what a map makes
 * ```ts
 * import { rolledLines } from "./rolled_lines.ts";
 * import { assert, assertEquals } from "@std/assert";
 *
 * const squares = Array.from({ length: 100 }, (_, i) => `let v${i} = x[${i}] * x[${i}];`);
 * const sums = Array.from({ length: 99 }, (_, i) => `let v${100 + i} = v${i ? 99 + i : 0} + v${i + 1};`);
 * const { sections: [lines], words } = rolledLines([[...squares, ...sums, "y[0] = v198;"]], () => "f32");
 * assert(lines.length < 20);
 * assertEquals([lines.at(-1), words], ["y[0] = carry1_0;", 100]);
 * ```
 */
export function rolledLines(
  sections: readonly (readonly string[])[],
  typeOf: (name: string) => string,
): RolledLines {
  const declared = new Set(
    sections.flat().flatMap((text) => /^let (\w+) =/.exec(text)?.[1] ?? []),
  );
  const parsed = sections.map((lines) => lines.map((text) => statement(text, declared)));
  const places = new Map<string, Place>();
  const plans = parsed.map((statements) => planned(statements, places));
  const names = new Names(plans.flat(), places, typeOf);
  const lines = plans.map((steps, s) =>
    steps.flatMap((step) => "text" in step ? [names.statement(step)] : names.loop(step, parsed[s]))
  );
  return { sections: lines, words: names.words };
}

/** The names of scalars after some have become elements of arrays. */
class Names {
  readonly #places: ReadonlyMap<string, Place>;
  readonly #numbers = new Map<Run, number>();
  /** Lines of runs whose values are used outside their pass: all of the values, or only the last. */
  readonly #kept = new Map<Run, Map<number, "last" | "all">>();
  /** Start of each line's values in the scratch memory. */
  readonly #firsts = new Map<Run, Map<number, number>>();
  readonly #types = new Map<Run, string[]>();
  /** Number of words of scratch memory. */
  words = 0;

  constructor(
    steps: readonly (Statement | Run)[],
    places: ReadonlyMap<string, Place>,
    typeOf: (name: string) => string,
  ) {
    this.#places = places;
    for (const [name, { run, line }] of places) {
      const types = this.#types.get(run) ?? [];
      types[line] = typeOf(name);
      this.#types.set(run, types);
    }
    const carried = new Map<Run, Set<number>>();
    for (const step of steps) {
      if ("text" in step) {
        for (const { word, kind } of step.holes) {
          if (kind === "name" && word !== step.declares) this.#use(word);
        }
        continue;
      }
      this.#numbers.set(step, this.#numbers.size);
      for (const source of step.sources.flat()) {
        if (source?.kind === "same") this.#use(source.name);
        if (source?.kind === "before") {
          this.#use(source.first);
          const lines = carried.get(step) ?? new Set();
          carried.set(step, lines.add(source.line));
        }
        // Each pass uses another element of a loop's array.
        if (source?.kind === "array") this.#keep(places.get(source.first)!, "all");
      }
    }
    // A value carried from pass to pass is also available after the loop.
    for (const [run, lines] of carried) {
      for (const line of lines) this.#keep({ run, line, pass: run.count - 1 }, "last");
    }
  }

  #use(name: string): void {
    const place = this.#places.get(name);
    if (place) this.#keep(place, place.pass === place.run.count - 1 ? "last" : "all");
  }

  #keep({ run, line }: Place, how: "last" | "all"): void {
    const lines = this.#kept.get(run) ?? new Map<number, "last" | "all">();
    this.#kept.set(run, lines);
    if (lines.get(line) !== "all") lines.set(line, how);
  }

  /** Index of a value in the scratch memory. */
  #first({ run, line, pass }: Place): number {
    let first = this.#firsts.get(run)?.get(line);
    if (first === undefined) {
      first = this.words;
      this.words += run.count;
      const lines = this.#firsts.get(run) ?? new Map<number, number>();
      this.#firsts.set(run, lines.set(line, first));
    }
    return first + pass;
  }

  /** The value at an index of the scratch memory, in words. */
  #element({ run, line }: Place, index: string): string {
    return this.#typeOf(run, line) === "u32"
      ? `scratch[${index}]`
      : `bitcast<f32>(scratch[${index}])`;
  }

  #typeOf(run: Run, line: number): string {
    return this.#types.get(run)?.[line] ?? "f32";
  }

  #carry(run: Run, line: number): string {
    return `carry${this.#numbers.get(run)}_${line}`;
  }

  /** A scalar outside the loop that computes it. */
  #named(name: string): string {
    const place = this.#places.get(name);
    if (!place) return name;
    const { run, line, pass } = place;
    const isLast = pass === run.count - 1;
    return isLast && this.#isCarried(run, line)
      ? this.#carry(run, line)
      : this.#element(place, `${this.#first({ run, line, pass })}u`);
  }

  #isCarried(run: Run, line: number): boolean {
    return this.#kept.get(run)?.get(line) === "last" ||
      run.sources.flat().some((source) => source?.kind === "before" && source.line === line);
  }

  /** A statement outside loops. */
  statement({ pieces, holes, declares }: Statement): string {
    return pieces[0] + holes.map(({ word, kind }, h) => {
      const now = kind !== "name" || word === declares ? word : this.#named(word);
      return `${now}${pieces[h + 1]}`;
    }).join("");
  }

  /** A loop, with the variables that it carries. */
  loop(run: Run, statements: readonly Statement[]): string[] {
    const before: string[] = [];
    const body: string[] = [];
    const after: string[] = [];
    const number = this.#numbers.get(run)!;
    const at = (first: number, by: number) =>
      by === 0
        ? `${first}u`
        : `${first}u ${by < 0 ? "-" : "+"} ${
          Math.abs(by) === 1 ? "" : `${Math.abs(by)}u * `
        }i${number}`;
    for (let line = 0; line < run.lines; line++) {
      const { pieces, holes, declares } = statements[run.from + line];
      const words = holes.map((_, h) => {
        if (h === 0 && declares !== undefined) return `own${line}`;
        const source = run.sources[line][h];
        switch (source.kind) {
          case "same":
            return this.#named(source.name);
          case "own":
            return `own${source.line}`;
          case "before":
            return this.#carry(run, source.line);
          case "index":
            return at(source.first, source.by);
          case "literal":
            return source.word;
          case "array": {
            const place = this.#places.get(source.first)!;
            return this.#element(place, at(this.#first(place), source.by));
          }
        }
      });
      body.push(`  ${pieces[0]}${words.map((word, h) => `${word}${pieces[h + 1]}`).join("")}`);
      if (declares === undefined) continue;
      const type = this.#typeOf(run, line);
      if (this.#kept.get(run)?.get(line) === "all") {
        const own = type === "u32" ? `own${line}` : `bitcast<u32>(own${line})`;
        body.push(`  scratch[${at(this.#first({ run, line, pass: 0 }), 1)}] = ${own};`);
      }
      if (this.#isCarried(run, line)) {
        const first = run.sources.flat().find((it) => it?.kind === "before" && it.line === line);
        const from = first?.kind === "before" ? ` = ${this.#named(first.first)}` : "";
        before.push(`var ${this.#carry(run, line)}: ${type}${from};`);
        after.push(`  ${this.#carry(run, line)} = own${line};`);
      }
    }
    const head = `for (var i${number} = 0u; i${number} < ${run.count}u; i${number}++) {`;
    return [...before, head, ...body, ...after, "}"];
  }
}
