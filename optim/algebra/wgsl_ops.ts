/**
 * The scalar algebra as WGSL text.
 *
 * @module
 */
import { finiteConstant, type Ops } from "./ops.ts";
import type { Optimiser } from "../optimiser.ts";
import { hostScalarCount, scalarProgram } from "../steps/scalar_program.ts";

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/**
 * Writes an f32 such that a WGSL compiler reads back the same bits.
 *
 * @throws {RangeError} when the value is not a finite f32.
 */
export function wgslLiteral(value: number): string {
  floatView[0] = finiteConstant(value);
  return `bitcast<f32>(0x${bitsView[0].toString(16).padStart(8, "0")}u)`;
}

/**
 * Collects one `let` line per operation. A scalar is represented by the name of its line.
 *
 * @example Two operations, two lines
 * ```ts
 * import { WgslEmitter } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const o = new WgslEmitter();
 * assertEquals(o.mul("loss", o.constant(0.5)), "v1");
 * assertEquals(o.lines, ["let v0 = bitcast<f32>(0x3f000000u);", "let v1 = loss * v0;"]);
 * ```
 */
export class WgslEmitter implements Ops<string> {
  /** The lines collected so far. */
  readonly lines: string[] = [];
  readonly #prefix: string;

  /** `prefix` is the beginning of every name. Default `"v"`. */
  constructor(prefix = "v") {
    this.#prefix = prefix;
  }

  /** Adds a line and returns its name. */
  protected line(expression: string): string {
    const name = `${this.#prefix}${this.lines.length}`;
    this.lines.push(`let ${name} = ${expression};`);
    return name;
  }

  /** An exact literal. */
  constant(value: number): string {
    return this.line(wgslLiteral(value));
  }
  /** `a + b` */
  add(a: string, b: string): string {
    return this.line(`${a} + ${b}`);
  }
  /** `a - b` */
  sub(a: string, b: string): string {
    return this.line(`${a} - ${b}`);
  }
  /** `a * b` */
  mul(a: string, b: string): string {
    return this.line(`${a} * ${b}`);
  }
  /** `a / b` */
  div(a: string, b: string): string {
    return this.line(`${a} / ${b}`);
  }
  /** `-a` */
  neg(a: string): string {
    return this.line(`-(${a})`);
  }
  /** `abs(a)` */
  abs(a: string): string {
    return this.line(`abs(${a})`);
  }
  /** `min(a, b)` */
  min(a: string, b: string): string {
    return this.line(`min(${a}, ${b})`);
  }
  /** `max(a, b)` */
  max(a: string, b: string): string {
    return this.line(`max(${a}, ${b})`);
  }
  /** `sqrt(a)` */
  sqrt(a: string): string {
    return this.line(`sqrt(${a})`);
  }
  /** `sign(a)` */
  sign(a: string): string {
    return this.line(`sign(${a})`);
  }
  /** `select(0.0, 1.0, a < b)` */
  less(a: string, b: string): string {
    return this.line(`select(0.0, 1.0, ${a} < ${b})`);
  }
  /** `select(whenFalse, whenTrue, condition != 0.0)` */
  select(condition: string, whenTrue: string, whenFalse: string): string {
    return this.line(`select(${whenFalse}, ${whenTrue}, ${condition} != 0.0)`);
  }
}

/** Names of the WGSL expressions that {@linkcode emitScalarProgram} reads. */
export interface ScalarNames {
  /** The loss of branch i. Default `losses[i]`. */
  readonly loss?: (branch: number) => string;
  /** State scalar i before the step. Default `state[i]`. */
  readonly state?: (index: number) => string;
  /** Host scalar i of the step. Default `inputs[i]`. */
  readonly input?: (index: number) => string;
}

/** The scalar part of a step as WGSL statements, with the names of their results. */
export interface ScalarWgsl {
  /** Statements in order. {@linkcode roundCoefficientWgsl} must be declared at module scope before them. */
  readonly lines: readonly string[];
  /** The derivative estimate of each direction. */
  readonly derivatives: readonly string[];
  /** The rounded factor of z, for each direction. */
  readonly coefficients: readonly string[];
  /** The state after the step. */
  readonly state: readonly string[];
  /** Whether an update rule acts: any value but 0 means yes. If absent, it always acts. */
  readonly acts?: string;
}

/**
 * Emits the scalar part of a step, with coefficients rounded by `round_coefficient` ({@linkcode roundCoefficientWgsl}). Hyper-parameters of the
 * rules become literals; learning rates are host scalars.
 *
 * @example The lines of a step of QZO
 * ```ts
 * import { emitScalarProgram, qzo } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const { lines, coefficients } = emitScalarProgram(qzo());
 * assertEquals(lines[1], "let v1 = losses[0] - losses[1];");
 * assertEquals(coefficients.length, 1);
 * ```
 */
export function emitScalarProgram(
  optimiser: Pick<Optimiser, "estimator" | "transformation">,
  {
    loss = (branch) => `losses[${branch}]`,
    state = (index) => `state[${index}]`,
    input = (index) => `inputs[${index}]`,
  }: ScalarNames = {},
): ScalarWgsl {
  const { estimator, transformation } = optimiser;
  const o = new WgslEmitter();
  const result = scalarProgram(
    o,
    optimiser,
    estimator.branches.map((_, branch) => loss(branch)),
    Array.from({ length: transformation.stateSize }, (_, index) => state(index)),
    Array.from({ length: hostScalarCount(optimiser) }, (_, index) => input(index)),
  );
  const lines = [...o.lines];
  const coefficients = result.coefficients.map((value, direction) => {
    lines.push(`let c${direction} = round_coefficient(${value});`);
    return `c${direction}`;
  });
  return { ...result, lines, coefficients };
}
