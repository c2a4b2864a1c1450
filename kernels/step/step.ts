/**
 * What follows the losses of a training step, all on the device: the optimiser's scalar program (emitted as WGSL from the same
 * functions the host runs), the update of every offset, and the record that the host drains later.
 *
 * @module
 */

import type { AcceptRule } from "../../optim/updates/accept.ts";
import type { OffsetRule } from "../../optim/steps/apply_record.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import {
  elementOpsWgsl,
  emitScalarProgram,
  emitUpdateRule,
  frozenBy,
  hostScalarCount,
  isPlain,
  roundCoefficientWgsl,
  WgslEmitter,
  wgslLiteral,
} from "../../optim/mod.ts";
import type { Graph, Range, Value } from "../device/graph.ts";
import { hasSign, type OffsetSet, offsetStride } from "../offsets/offset_set.ts";
import { SHADER_LIBRARY } from "../shader_library.ts";
import { lawKey } from "../offsets/perturbation.ts";
import { rolledLines } from "./rolled_lines.ts";
import { Storage } from "../device/storage.ts";
import { expandShader, type ShaderKey } from "../device/template.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import acceptSource from "./accept.wgsl.ts";
import projectSource from "../offsets/project.wgsl.ts";
import scalarSource from "./scalar_step.wgsl.ts";
import updateSource from "../offsets/update.wgsl.ts";

/** Words of the control block before the state: steps recorded, halted. */
const CONTROL_WORDS = 2;

/** The device-resident state of a training run. */
export class StepState implements Disposable {
  /** Steps recorded since the last reset, halted flag, then the chain's state scalars. */
  readonly control: Storage;
  /** Per direction moved along: seed, coefficient. */
  readonly coefficients: Storage;
  /** Records of a chunk of steps. */
  readonly records: Storage;
  /** f32 words of one record: status, losses, derivatives, coefficients, state. */
  readonly recordWords: number;
  /** Steps a chunk may have. */
  readonly capacity: number;
  readonly #optimiser: Optimiser;

  /** Describes the memory for chunks of up to `capacity` steps. */
  constructor(optimiser: Optimiser, capacity: number) {
    const { estimator, transformation, moves, evaluations } = optimiser;
    this.#optimiser = optimiser;
    this.capacity = capacity;
    this.recordWords = 1 + evaluations + estimator.directions + moves + transformation.stateSize;
    this.control = new Storage(
      "step control",
      (CONTROL_WORDS + transformation.stateSize) * 4,
      "optimiser",
    );
    this.coefficients = new Storage("coefficients", moves * 16, "optimiser");
    this.records = new Storage("step records", capacity * this.recordWords * 4, "optimiser");
  }

  /** All its memory. */
  get storages(): Storage[] {
    return [this.control, this.coefficients, this.records];
  }

  /** The control block to upload before a run: nothing recorded, not halted, the chain's state. */
  initialControl(
    state: readonly number[] = this.#optimiser.transformation.init(),
  ): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(CONTROL_WORDS + state.length);
    new Float32Array(words.buffer).set(state, CONTROL_WORDS);
    return words;
  }

  /** Reads a drained record. */
  parseRecord(words: Float32Array, index: number): StepRecord {
    const { estimator, transformation, moves, evaluations } = this.#optimiser;
    let at = index * this.recordWords;
    const take = (count: number) => [...words.subarray(at, at += count)];
    const [status] = take(1);
    return {
      halted: status !== 1,
      losses: take(evaluations),
      derivatives: take(estimator.directions),
      coefficients: take(moves),
      state: take(transformation.stateSize),
    };
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    for (const storage of this.storages) storage[Symbol.dispose]();
  }
}

/** What the device did in one step. */
export interface StepRecord {
  /** A loss or a coefficient was not finite, in this step or before: no offset was moved. */
  readonly halted: boolean;
  /** One per branch, then one per candidate of the accept rule. */
  readonly losses: readonly number[];
  /** One per direction. */
  readonly derivatives: readonly number[];
  /** What multiplied z, one per direction moved along. */
  readonly coefficients: readonly number[];
  /** The chain's state after the step. */
  readonly state: readonly number[];
}

/** Where a step's inputs lie: the branches (16 bytes each), then the host scalars. */
export interface StepInputs {
  /** Seed and amplitude by branch. */
  readonly branches: Range;
  /** The scalars of the optimiser's program, f32. */
  readonly scalars: Range;
  /** The update rule's host scalars, f32; needed where there is a rule. */
  readonly update?: Range | undefined;
  /**
   * `moveSeeds` of the step, 8 bytes each. Needed where the optimiser's directions are not plain; who gives them also takes
   * the branches' seeds from `directionSeed`.
   */
  readonly seeds?: Range;
  /** How a step is tried; needed where the optimiser has an accept rule. */
  readonly trial?: StepTrial | undefined;
}

/** How the candidates of an accept rule are evaluated. */
export interface StepTrial {
  /** Seeds and amplitudes, 16 bytes each, written by the step's scalar program. */
  readonly branches: Storage;
  /** Where those of each candidate stand in `branches`, in units of 16 bytes. */
  readonly places: readonly number[];
  /** Records the evaluation of `branches`; their losses follow those of the estimator's branches. */
  readonly evaluate: () => void;
}

/** A shader whose variants are programs: its text, and what its key inserts. */
interface ProgramShader {
  readonly source: string;
  readonly key: ShaderKey;
}

/** One with loops needs memory for what they hand on. */
interface ScalarShader extends ProgramShader {
  /** Of `scratch`. */
  readonly words: number;
}

/** An optimiser's scalar part; its moves' seeds come with the step, or else are those of the branches. */
function scalarStep(
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
    throw new TypeError(`Cannot record a step of ${optimiser.name}: which steps act is not said`);
  }
  const acts = says ? `u32(moves && ${says} != 0.0)` : "u32(moves)";
  const directionBranch = (direction: number) =>
    estimator.branches.findIndex((b) => b.direction === direction && b.amplitude !== 0);
  const seed = (move: number) =>
    seeded ? `seeds[${move}]` : `branches[${directionBranch(move)}].seed`;
  const losses = estimator.branches.map((_, i) => `losses[${i}]`);
  const fields = [
    ...losses,
    // Of candidates that are not evaluated yet.
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
    // All before any is written: a scalar may move from one place to another.
    state: [
      ...program.state.map((s, i) => `let next${i} = bitcast<u32>(${s});`),
      ...program.state.map((_, i) => `control[${CONTROL_WORDS + i}] = next${i};`),
    ],
  };
  const text = fields.length + program.lines.length > LONGEST_UNROLLED
    ? rolled(statements)
    : { ...statements, allFinite: statements.finite.join(" && "), words: 0 };
  const key = {
    ROUND: roundCoefficientWgsl,
    INPUTS: hostScalarCount(optimiser) > 0
      ? "@group(0) @binding(5) var<storage, read> inputs: array<f32>;"
      : "",
    SEEDS:
      (seeded
        ? "@group(0) @binding(7) var<storage, read> seeds: array<vec2<u32>>;"
        : "@group(0) @binding(2) var<storage, read> branches: array<Branch>;") +
      (text.words > 0
        ? "\n@group(0) @binding(9) var<storage, read_write> scratch: array<u32>;"
        : ""),
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

/** Statements up to which a program is left as it is: drivers compile longer ones for seconds to minutes. */
const LONGEST_UNROLLED = 512;

/** The statements of a scalar step. */
interface ScalarStatements {
  readonly program: readonly string[];
  readonly finite: readonly string[];
  readonly coefficients: readonly string[];
  readonly record: readonly string[];
  readonly state: readonly string[];
}

/** A long program with loops for what it does to each of many scalars: the same operations in the same order. */
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

/** The WGSL of an optimiser's scalar part; its moves' seeds come with the step, or else are those of the branches. */
export function scalarStepShader(
  optimiser: Optimiser,
  seeded = false,
  trialPlaces: readonly number[] = [],
): string {
  const { source, key } = scalarStep(optimiser, seeded, trialPlaces);
  return expandShader(source, key, SHADER_LIBRARY);
}

/** The second half of a step that is tried. */
function acceptStep(
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

/**
 * Records the scalar program, the update of every arena and, where the optimiser asks for it, the projection.
 *
 * @throws TypeError when the inputs lack something: seeds of directions that are held, remembered or masked, the host scalars of
 * an update rule, or how an accept rule's candidates are evaluated
 */
export function optimiserStep(
  graph: Graph,
  optimiser: Optimiser,
  state: StepState,
  losses: Storage,
  inputs: StepInputs,
  offsets: OffsetSet,
  tensors: ReadonlyMap<string, DeviceTensor>,
): void {
  if (optimiser.update && !inputs.update) {
    throw new TypeError(
      `Cannot record a step of ${optimiser.name}: the host scalars of its update rule are not given`,
    );
  }
  const seeded = inputs.seeds !== undefined;
  if (!seeded && !isPlain(optimiser.plan)) {
    throw new TypeError(
      `Cannot record a step of ${optimiser.name}: its directions are not plain, and its seeds are not given`,
    );
  }
  const { accept } = optimiser;
  const { trial } = inputs;
  if (accept && !trial) {
    throw new TypeError(
      `Cannot record a step of ${optimiser.name}: how ${accept.name}'s candidates are evaluated is not given`,
    );
  }
  const tried: Record<number, Storage> = trial && accept ? { 8: trial.branches } : {};
  const { words, ...shader } = scalarStep(optimiser, seeded, trial?.places);
  const scratch: Record<number, Value> = words > 0
    ? { 9: graph.value("scalar scratch", words) }
    : {};
  graph.add({
    label: `${optimiser.name} scalar step`,
    ...shader,
    reads: {
      1: losses,
      2: seeded ? undefined : inputs.branches,
      7: inputs.seeds,
      5: hostScalarCount(optimiser) > 0 ? inputs.scalars : undefined,
    },
    writes: {
      ...{ 3: state.control, 4: state.coefficients, 6: state.records, ...tried },
      ...scratch,
    },
    parameters: [],
    workgroups: 1,
  });
  if (trial && accept) {
    trial.evaluate();
    graph.add({
      label: `${optimiser.name} accepts`,
      ...acceptStep(optimiser, accept, state.recordWords),
      reads: { 1: losses },
      writes: { 3: state.control, 4: state.coefficients, 6: state.records },
      parameters: [],
      workgroups: 1,
    });
  }
  moveOffsets(graph, optimiser, offsets, tensors, {
    coefficients: state.coefficients,
    directions: optimiser.moves,
    perStep: optimiser.moves,
    inputs: inputs.update,
  });
}

/** What a call of the generator and four offsets moved by it are taken for, in multiply-adds. */
const WORK_OF_A_MOVE = 64;

/** Multiply-adds, about, of moving all offsets along one direction. */
export function workOfMoves(offsets: OffsetSet, directions: number): number {
  return offsets.arenas.reduce((sum, { bytes }) => sum + bytes / 16, 0) * directions *
    WORK_OF_A_MOVE;
}

/** How offsets move: an optimiser is one, and a ledger's header holds the same facts. */
export type MoveRule = Pick<OffsetRule, "distribution" | "projection" | "update" | "plan">;

/** Seeds and coefficients on the device: `directions` of them, `perStep` of each step. */
export interface Moves {
  /** 16 bytes a direction: seed, coefficient, and 1 where an update rule acts, 0 where the step only accumulates, is halted or is none. */
  readonly coefficients: Storage;
  /** In all. */
  readonly directions: number;
  /** Directions of one step. */
  readonly perStep: number;
  /** The update rule's host scalars, step after step; needed where there is a rule. */
  readonly inputs?: Storage | Range | undefined;
}

/**
 * Records `w += coefficient * z`, or what the update rule says, for every arena, and where the rule asks for it the projection.
 * What the rule keeps is allocated with the offsets' `moments`.
 */
export function moveOffsets(
  graph: Graph,
  rule: MoveRule,
  offsets: OffsetSet,
  tensors: ReadonlyMap<string, DeviceTensor>,
  moves: Moves,
): void {
  const keepSign = rule.projection === "keep-sign";
  const { update } = rule;
  const moments = offsets.moments(update);
  offsets.arenas.forEach((arena, i) => {
    const quads = arena.bytes / 16;
    graph.add({
      label: `update ${arena.label}`,
      source: updateSource,
      key: {
        ...lawKey(rule.distribution, frozenBy(rule.plan ?? {})),
        KEEP_SIGN: keepSign,
        RULE: update !== undefined,
        RULE_PROGRAM: update ? elementOpsWgsl("p.zero") + emitUpdateRule(update) : "",
        STATES: update?.stateSize ?? 0,
        INPUTS: update?.inputSize ?? 0,
        RESTS: update?.restsAtZero ?? false,
      },
      reads: {
        1: offsets.tables[i],
        2: moves.coefficients,
        4: update && update.inputSize > 0 ? moves.inputs! : undefined,
      },
      writes: {
        3: arena,
        ...Object.fromEntries(moments[i].map((storage, s) => [5 + s, storage])),
      },
      parameters: [quads, offsets.sections(i), moves.directions, moves.perStep, 0],
      work: quads * moves.directions * WORK_OF_A_MOVE,
      workgroups: Math.ceil(quads / 64),
    });
  });
  if (!keepSign) return;
  for (const trainable of offsets.trainables) {
    const tensor = tensors.get(trainable.name);
    if (trainable.form === "absolute" && tensor && hasSign(trainable)) {
      project(graph, tensor, offsets);
    }
  }
}

function project(graph: Graph, tensor: DeviceTensor, offsets: OffsetSet): void {
  const stride = offsetStride(tensor.rows);
  for (const piece of tensor.pieces) {
    if (!piece.scales) continue;
    graph.add({
      label: `project ${tensor.name}`,
      source: projectSource,
      key: { PAIRED: tensor.layout.kind === "scalar" && tensor.layout.second !== "none" },
      reads: { 1: piece.scales },
      writes: { 3: offsets.range(tensor.name)! },
      parameters: [piece.rows, tensor.groups, stride, piece.firstRow],
      workgroups: Math.ceil(piece.rows * tensor.groups / 64),
    });
  }
}
