/**
 * Runs regular expressions without backtracking. All possible matches are followed at once, character by character, in order of preference (Pike's
 * VM), so the result is that of a backtracking engine, in time that depends only on the lengths of text and expression. Searches that still take too
 * long, because they restart after every character, end with an error.
 *
 * @module
 */
import type { Expression } from "./tokenizer_expression.ts";

/** An instruction of a program. */
type Instruction =
  | { readonly op: "letter"; readonly test: (codePoint: number) => boolean }
  | { readonly op: "either"; readonly first: number; second: number }
  | { readonly op: "jump"; to: number }
  | { readonly op: "look"; readonly holds: Look }
  | { readonly op: "end" };

interface Look {
  readonly program: readonly Instruction[];
  /** Number of characters before the position at which the program begins. Undefined for lookahead. */
  readonly behind: number | undefined;
  readonly negative: boolean;
}

/** Maximum number of instructions of an expression. */
const longestProgram = 20_000;
/** Maximum number of steps on a text: this many, plus a number per character. About a second. */
const fewestSteps = 2e7;
const stepsPerLetter = 200;

/** Compiles an expression. @throws {RangeError} when it needs too many instructions, or looks back over texts of different lengths. */
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

/** Yields the positions at which a program matches in a text. @throws {RangeError} when it takes too long. */
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

/** Working memory of a search, reused by the next search of the same program. */
interface Scratch {
  /** For each instruction, the last turn in which it was reached. */
  readonly seen: Int32Array;
  /** A number for each position of each search. */
  turn: number;
  /** Current threads, preferred ones first, and those for the next character: pairs of an instruction and the start of the match. */
  threads: Int32Array;
  next: Int32Array;
  readonly stack: Int32Array;
}

const scratches = new WeakMap<readonly Instruction[], Scratch>();

function scratchOf(program: readonly Instruction[]): Scratch {
  let scratch = scratches.get(program);
  // Turns are 32-bit integers.
  if (scratch === undefined || scratch.turn > 2 ** 30) {
    const pairs = () => new Int32Array(2 * program.length);
    scratch = {
      ...{ seen: new Int32Array(program.length), turn: 0 },
      ...{ threads: pairs(), next: pairs(), stack: new Int32Array(2 * program.length + 1) },
    };
    scratches.set(program, scratch);
  }
  return scratch;
}

/** The first match from a position on, or exactly there if `anchored`. */
function search(
  program: readonly Instruction[],
  text: string,
  from: number,
  anchored: boolean,
  budget: Budget,
): readonly [number, number] | undefined {
  const scratch = scratchOf(program);
  const { seen, stack } = scratch;
  let { threads, next } = scratch;
  let count = 0;
  let turn = ++scratch.turn;
  let found: readonly [number, number] | undefined;

  /** Follows instructions that consume no character, preferred ones first. Returns the new length of the list. */
  const follow = (
    list: Int32Array,
    length: number,
    entry: number,
    start: number,
    place: number,
  ): number => {
    stack[0] = entry;
    for (let depth = 1; depth > 0;) {
      const at = stack[--depth];
      if (seen[at] === turn) continue;
      seen[at] = turn;
      if (--budget.left < 0) {
        throw new RangeError(
          `Cannot tokenise a text of ${text.length} characters: the expression of ${budget.where} takes too long on it`,
        );
      }
      const instruction = program[at];
      switch (instruction.op) {
        case "jump":
          stack[depth++] = instruction.to;
          break;
        case "either":
          stack[depth++] = instruction.second;
          stack[depth++] = instruction.first;
          break;
        case "look":
          if (holds(instruction.holds, text, place, budget)) stack[depth++] = at + 1;
          break;
        default:
          list[length++] = at;
          list[length++] = start;
      }
    }
    return length;
  };

  for (let place = from;;) {
    if (found === undefined && (!anchored || place === from)) {
      count = follow(threads, count, 0, place, place);
    }
    if (count === 0 && (found !== undefined || anchored)) return found;
    const codePoint = place < text.length ? text.codePointAt(place)! : -1;
    const after = place + (codePoint > 0xffff ? 2 : 1);
    turn = ++scratch.turn;
    let following = 0;
    for (let i = 0; i < count; i += 2) {
      const instruction = program[threads[i]];
      if (instruction.op === "end") {
        found = [threads[i + 1], place];
        break;
      }
      if (instruction.op === "letter" && codePoint >= 0 && instruction.test(codePoint)) {
        following = follow(next, following, threads[i] + 1, threads[i + 1], after);
      }
    }
    if (place >= text.length) return found;
    [threads, next, count] = [next, threads, following];
    place = after;
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

/** Caches the results of a character test. */
function remembered(expression: RegExp): (codePoint: number) => boolean {
  /** For ASCII characters: 1 for no, 2 for yes, 0 if not tested yet. */
  const first = new Uint8Array(0x80);
  const answers = new Map<number, boolean>();
  return (codePoint) => {
    if (codePoint < 0x80) {
      first[codePoint] ||= expression.test(String.fromCharCode(codePoint)) ? 2 : 1;
      return first[codePoint] === 2;
    }
    let answer = answers.get(codePoint);
    if (answer === undefined) {
      answers.set(codePoint, answer = expression.test(String.fromCodePoint(codePoint)));
    }
    return answer;
  };
}

/** Number of characters that a lookbehind matches. */
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
