/** Runs the `let` lines that the emitter writes, as a device with correctly rounded f32 would. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function bitcast(word: number): number {
  bits[0] = word;
  return float[0];
}

const functions: Record<string, (...args: number[]) => number> = {
  abs: Math.abs,
  min: Math.min,
  max: Math.max,
  sqrt: Math.sqrt,
  sign: Math.sign,
  select: (whenFalse, whenTrue, condition) => condition ? whenTrue : whenFalse,
  round_coefficient(value) {
    float[0] = value;
    const rounded = ((bits[0] + 0x80) & 0xffffff00) >>> 0;
    return bitcast((rounded & 0x7f800000) < (27 << 23) ? 0 : rounded);
  },
};

const operators: Record<string, (a: number, b: number) => number> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "<": (a, b) => Number(a < b),
  "!=": (a, b) => Number(a !== b),
};

/** Values by name; arrays are entered as `losses[0]` and so on. */
export type Environment = Map<string, number>;

function evaluate(expression: string, names: Environment): number {
  const text = expression.trim();
  const known = names.get(text);
  if (known !== undefined) return known;
  if (/^\d+\.\d+$/.test(text)) return Number(text);
  const literal = text.match(/^bitcast<f32>\(0x([0-9a-f]{8})u\)$/);
  if (literal) return bitcast(parseInt(literal[1], 16));
  const negated = text.match(/^-\((.*)\)$/);
  if (negated) return -evaluate(negated[1], names);
  const call = text.match(/^(\w+)\((.*)\)$/);
  if (call) {
    const args = call[2].split(",").map((argument) => evaluate(argument, names));
    return functions[call[1]](...args);
  }
  const binary = text.match(/^(\S+) (\+|-|\*|\/|<|!=) (\S+)$/);
  if (binary) return operators[binary[2]](evaluate(binary[1], names), evaluate(binary[3], names));
  throw new SyntaxError(`Cannot evaluate "${text}"`);
}

/** Executes the lines, adding what they define to `names`. */
export function runLines(lines: readonly string[], names: Environment): void {
  for (const line of lines) {
    const parts = line.match(/^let (\w+) = (.*);$/);
    if (!parts || names.has(parts[1])) throw new SyntaxError(`Cannot run "${line}"`);
    names.set(parts[1], Math.fround(evaluate(parts[2], names)));
  }
}
