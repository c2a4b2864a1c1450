/**
 * Expressions run without backtracking: all ways to match are followed at once, letter by letter, best ones first (Pike's
 * machine), so that what is found is what a backtracking engine finds, in time that grows with text and expression alone.
 * What still takes too long (a search that begins anew behind every letter) stops with an error.
 *
 * @module
 */
import type { Expression } from "./tokenizer_expression.ts";

/** What a program does at a place. */
type Instruction =
  | { readonly op: "letter"; readonly test: (codePoint: number) => boolean }
  | { readonly op: "either"; readonly first: number; second: number }
  | { readonly op: "jump"; to: number }
  | { readonly op: "look"; readonly holds: Look }
  | { readonly op: "end" };

interface Look {
  readonly program: readonly Instruction[];
  /** Letters before the place that the program begins at; undefined looks ahead. */
  readonly behind: number | undefined;
  readonly negative: boolean;
}

/** Instructions of an expression, at most. */
const longestProgram = 20_000;
/** Steps on a text, at most: this many and so many a letter. About a second. */
const fewestSteps = 2e7;
const stepsPerLetter = 200;

/** The instructions of an expression. @throws RangeError for one that needs too many, or that looks back over texts of unlike length. */
export function programOf(expression: Expression, where: string): readonly Instruction[] {
  const program: Instruction[] = [];
  const tests = new Map<string, (codePoint: number) => boolean>();
  const push = <T extends Instruction>(instruction: T): T => {
    if (program.length >= longestProgram) {
      throw new RangeError(
        `Cannot load the tokenizer: the expression of ${where} has so many repetitions that it expands to ${longestProgram} parts or more`,
      );
    }
    program.push(instruction);
    return instruction;
  };
  const either = (greedy: boolean, inner: number, body: () => void, loop: boolean): void => {
    const split: { op: "either"; first: number; second: number } = push({
      op: "either",
      first: inner,
      second: inner,
    });
    const at = program.length - 1;
    body();
    if (loop) push({ op: "jump", to: at });
    if (greedy) split.second = program.length;
    else split.first = program.length;
  };
  const emit = (part: Expression): void => {
    switch (part.kind) {
      case "letter": {
        const { source } = part.test;
        let test = tests.get(source);
        if (test === undefined) tests.set(source, test = remembered(part.test));
        push({ op: "letter", test });
        break;
      }
      case "all":
        part.parts.forEach(emit);
        break;
      case "any": {
        const ends: { op: "jump"; to: number }[] = [];
        part.parts.forEach((choice, i) => {
          if (i === part.parts.length - 1) return emit(choice);
          either(true, program.length + 1, () => {
            emit(choice);
            ends.push(push({ op: "jump", to: 0 }));
          }, false);
        });
        for (const end of ends) end.to = program.length;
        break;
      }
      case "repeat": {
        for (let i = 0; i < part.least; i++) emit(part.part);
        if (part.most === Infinity) {
          either(part.greedy, program.length + 1, () => emit(part.part), true);
          break;
        }
        const splits: { first: number; second: number }[] = [];
        for (let i = part.least; i < part.most; i++) {
          splits.push(
            push({ op: "either", first: program.length + 1, second: program.length + 1 }),
          );
          emit(part.part);
        }
        for (const split of splits) split[part.greedy ? "second" : "first"] = program.length;
        break;
      }
      case "look":
        push({
          op: "look",
          holds: {
            program: programOf(part.part, where),
            behind: part.behind ? lengthOf(part.part, where) : undefined,
            negative: part.negative,
          },
        });
    }
  };
  emit(expression);
  push({ op: "end" });
  return program;
}

/** Where a program matches in a text: places, one after another. @throws RangeError when it takes too long */
export function* matchesOf(
  program: readonly Instruction[],
  text: string,
  where: string,
): Generator<readonly [number, number]> {
  const budget = { left: fewestSteps + stepsPerLetter * text.length, where };
  let from = 0;
  while (from <= text.length) {
    const match = search(program, text, from, false, budget);
    if (match === undefined) return;
    yield match;
    from = match[1] > match[0] ? match[1] : match[1] + letterLength(text, match[1]);
  }
}

interface Budget {
  left: number;
  readonly where: string;
}

/** The first match from a place on, or exactly there. */
function search(
  program: readonly Instruction[],
  text: string,
  from: number,
  anchored: boolean,
  budget: Budget,
): readonly [number, number] | undefined {
  const seen = new Int32Array(program.length).fill(-1);
  let threads: { at: number; start: number }[] = [];
  let next: typeof threads = [];
  let found: readonly [number, number] | undefined;

  /** Follows what takes no letter, the preferred ways first. */
  const follow = (list: typeof threads, entry: number, start: number, place: number): void => {
    const stack = [entry];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (seen[at] === place) continue;
      seen[at] = place;
      if (--budget.left < 0) {
        throw new RangeError(
          `Cannot tokenise a text of ${text.length} characters: the expression of ${budget.where} takes too long on it`,
        );
      }
      const instruction = program[at];
      if (instruction.op === "jump") stack.push(instruction.to);
      else if (instruction.op === "either") stack.push(instruction.second, instruction.first);
      else if (instruction.op === "look") {
        if (holds(instruction.holds, text, place, budget)) stack.push(at + 1);
      } else list.push({ at, start });
    }
  };

  for (let place = from;; place += letterLength(text, place)) {
    if (found === undefined && (!anchored || place === from)) follow(threads, 0, place, place);
    if (threads.length === 0 && (found !== undefined || anchored)) return found;
    const codePoint = place < text.length ? text.codePointAt(place)! : -1;
    const after = place + letterLength(text, place);
    next = [];
    for (const { at, start } of threads) {
      const instruction = program[at];
      if (instruction.op === "end") {
        found = [start, place];
        break;
      }
      if (instruction.op === "letter" && codePoint >= 0 && instruction.test(codePoint)) {
        follow(next, at + 1, start, after);
      }
    }
    if (place >= text.length) return found;
    threads = next;
  }
}

function holds(look: Look, text: string, place: number, budget: Budget): boolean {
  let from = place;
  for (let i = 0; i < (look.behind ?? 0); i++) {
    if (from === 0) return look.negative;
    from -= from > 1 && /^[\udc00-\udfff]$/.test(text[from - 1]) &&
        /^[\ud800-\udbff]$/.test(text[from - 2])
      ? 2
      : 1;
  }
  return (search(look.program, text, from, true, budget) !== undefined) !== look.negative;
}

function letterLength(text: string, place: number): number {
  return (text.codePointAt(place) ?? 0) > 0xffff ? 2 : 1;
}

/** A test of letters whose answers are kept. */
function remembered(expression: RegExp): (codePoint: number) => boolean {
  const answers = new Map<number, boolean>();
  return (codePoint) => {
    let answer = answers.get(codePoint);
    if (answer === undefined) {
      answers.set(codePoint, answer = expression.test(String.fromCodePoint(codePoint)));
    }
    return answer;
  };
}

/** Letters of what is looked back at. */
function lengthOf(part: Expression, where: string): number {
  switch (part.kind) {
    case "letter":
      return 1;
    case "look":
      return 0;
    case "all":
      return part.parts.reduce((sum, it) => sum + lengthOf(it, where), 0);
    case "repeat":
      if (part.least === part.most) return part.least * lengthOf(part.part, where);
      break;
    case "any": {
      const [first, ...others] = part.parts.map((it) => lengthOf(it, where));
      if (others.every((it) => it === first)) return first;
    }
  }
  throw new RangeError(
    `Cannot load the tokenizer: the expression of ${where} has a look-behind of varying length, which cannot run in bounded time`,
  );
}
