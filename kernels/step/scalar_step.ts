/**
 * The scalar part of a step as shaders: the optimiser's program, emitted as WGSL from the same functions that run on the host, and the decision
 * whether a tried step is made.
 *
 * @module
 */

import { emitScalarProgram, WgslEmitter } from "../../optim/mod.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import type { AcceptRule } from "../../optim/updates/accept.ts";
import { expandShader, type ShaderKey } from "../device/template.ts";
import { SHADER_LIBRARY } from "../shader_library.ts";
import acceptSource from "./accept.wgsl.ts";
import scalarSource from "./scalar_step.wgsl.ts";
import { rolledLines } from "./rolled_lines.ts";
import { CONTROL_WORDS } from "./state.ts";
import { wgslLiteral } from "../../optim/algebra/wgsl_ops.ts";
import { roundCoefficientWgsl } from "../../optim/offset.ts";
import { hostScalarCount } from "../../optim/steps/scalar_program.ts";

/** A shader with the text of a program inserted. */
export interface ProgramShader {
  /** The shader, with `#insert` lines. */
  readonly source: string;
  /** The texts to insert. */
  readonly key: ShaderKey;
}

/** The shader of a scalar step. A program with loops needs scratch memory. */
export interface ScalarShader extends ProgramShader {
  /** Number of words in the array `scratch`; 0 if there is none. */
  readonly words: number;
}

/** The scalar part of an optimiser's step. If `seeded`, the seeds of its moves are inputs of the step; otherwise they are those of the branches. */
export function scalarStep(
  optimiser: Optimiser,
  seeded: boolean,
  trialPlaces: readonly number[] = [],
): ScalarShader {
  const { estimator, accept } = optimiser;
  const program = emitScalarProgram(optimiser, {
    loss: (branch) => `losses[${branch}]`,
    state: (index) => `bitcast<f32>(control[${CONTROL_WORDS + index}])`,
    input: (index) => `inputs[${index}]`,
  });
  const { acts: says } = program;
  if (optimiser.update && optimiser.plan.hold > 1 && !says) {
    throw new TypeError(`Cannot record a step of ${optimiser.name}: which steps act is not given`);
  }
  const acts = says ? `u32(moves && ${says} != 0.0)` : "u32(moves)";
  const directionBranch = (direction: number) =>
    estimator.branches.findIndex((b) => b.direction === direction && b.amplitude !== 0);
  const seed = (move: number) =>
    seeded ? `seeds[${move}]` : `branches[${directionBranch(move)}].seed`;
  const losses = estimator.branches.map((_, i) => `losses[${i}]`);
  const fields = [
    ...losses,
    // Losses of candidates that have not been evaluated yet.
    ...(accept?.candidates ?? []).map(() => "0.0"),
    ...program.derivatives,
    ...program.coefficients,
    ...program.state,
  ];
  const finite = [...losses, ...program.coefficients, ...program.state];
  const statements: ScalarStatements = {
    program: program.lines,
    finite: finite.map((f) => `is_finite(${f})`),
    coefficients: program.coefficients.map((c, d) =>
      `steps[${d}] = vec4<u32>(${seed(d)}, select(0u, bitcast<u32>(${c}), moves), ${acts});`
    ),
    record: fields.map((field, i) => `records[at + ${i + 1}u] = ${field};`),
    // Read all before writing any, because a scalar may move from one position to another.
    state: [
      ...program.state.map((s, i) => `let next${i} = bitcast<u32>(${s});`),
      ...program.state.map((_, i) => `control[${CONTROL_WORDS + i}] = next${i};`),
    ],
  };
  const text = fields.length + program.lines.length > LONGEST_UNROLLED
    ? rolled(statements)
    : { ...statements, allFinite: statements.finite.join(" && "), words: 0 };
  const scratch = text.words > 0
    ? "\n@group(0) @binding(9) var<storage, read_write> scratch: array<u32>;"
    : "";
  const key = {
    ROUND: roundCoefficientWgsl,
    INPUTS: hostScalarCount(optimiser) > 0
      ? "@group(0) @binding(5) var<storage, read> inputs: array<f32>;"
      : "",
    SEEDS:
      (seeded
        ? "@group(0) @binding(7) var<storage, read> seeds: array<vec2<u32>>;"
        : "@group(0) @binding(2) var<storage, read> branches: array<Branch>;") + scratch,
    TRIAL: accept ? "@group(0) @binding(8) var<storage, read_write> trial: array<Branch>;" : "",
    TRY: lines(
      accept?.candidates ?? [],
      (candidate, i) =>
        `  trial[${trialPlaces[i]}] = Branch(${seed(0)}, round_coefficient(` +
        `bitcast<f32>(steps[0].z) * ${wgslLiteral(candidate)}), 0u);`,
    ),
    PROGRAM: lines(text.program, (line) => `  ${line}`),
    FINITE: text.allFinite,
    STATE: lines(text.state, (line) => `    ${line}`),
    COEFFICIENTS: lines(text.coefficients, (line) => `  ${line}`),
    RECORD: lines(text.record, (line) => `  ${line}`),
    RECORD_WORDS: `${fields.length + 1}u`,
  };
  return { source: scalarSource, key, words: text.words };
}

/** Number of statements up to which a program is left unchanged. Drivers take seconds to minutes to compile longer ones. */
const LONGEST_UNROLLED = 512;

/** The statements of a scalar step. */
interface ScalarStatements {
  readonly program: readonly string[];
  readonly finite: readonly string[];
  readonly coefficients: readonly string[];
  readonly record: readonly string[];
  readonly state: readonly string[];
}

/** A long program, with loops for what it repeats for many scalars. The operations and their order are the same. */
function rolled({ program, finite, coefficients, record, state }: ScalarStatements) {
  const conditions = finite.map((condition) => `all_finite = all_finite && ${condition};`);
  const { sections: [first, second, third, fourth], words } = rolledLines(
    [[...program, "var all_finite = true;", ...conditions], coefficients, record, state],
    (name) => name.startsWith("next") ? "u32" : "f32",
  );
  return {
    ...{ program: first, coefficients: second, record: third, state: fourth },
    ...{ allFinite: "all_finite", words },
  };
}

function lines<T>(of: readonly T[], text: (one: T, i: number) => string = String): string {
  return of.map(text).join("\n");
}

/** The WGSL of {@linkcode scalarStep}. */
export function scalarStepShader(
  optimiser: Optimiser,
  seeded = false,
  trialPlaces: readonly number[] = [],
): string {
  const { source, key } = scalarStep(optimiser, seeded, trialPlaces);
  return expandShader(source, key, SHADER_LIBRARY);
}

/** The second half of a tried step: chooses among its candidates. */
export function acceptStep(
  { estimator, evaluations }: Optimiser,
  accept: AcceptRule,
  recordWords: number,
): ProgramShader {
  const o = new WgslEmitter();
  const places = accept.candidates.map((_, i) => estimator.branches.length + i);
  const losses = places.map((place) => `losses[${place}]`);
  const chosen = accept.choose(o, losses);
  const key = {
    ROUND: roundCoefficientWgsl,
    PROGRAM: lines(o.lines, (line) => `  ${line}`),
    CHOSEN: chosen,
    FINITE: losses.map((loss) => `is_finite(${loss})`).join(" && "),
    RECORD: lines(places, (place) => `  records[at + ${place + 1}u] = losses[${place}];`),
    COEFFICIENT: `${1 + evaluations + estimator.directions}u`,
    RECORD_WORDS: `${recordWords}u`,
  };
  return { source: acceptSource, key };
}
