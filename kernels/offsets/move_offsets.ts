/**
 * The only place where stored offsets change. They move along directions by coefficients, or by an update rule, and are then projected so that
 * scales keep their signs.
 *
 * @module
 */

import type { OffsetRule } from "../../optim/steps/apply_record.ts";
import type { Graph, Range } from "../device/graph.ts";
import type { Storage } from "../device/storage.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import { hasSign, type OffsetSet, offsetStride } from "./offset_set.ts";
import { lawKey } from "./perturbation.ts";
import projectSource from "./project.wgsl.ts";
import updateSource from "./update.wgsl.ts";
import { isPaired } from "../../quant/layouts/layout.ts";
import { elementOpsWgsl } from "../../optim/algebra/element_ops.ts";
import { frozenBy } from "../../optim/preparations/frozen.ts";
import { roundCoefficientWgsl } from "../../optim/offset.ts";
import { emitUpdateRule } from "../../optim/updates/update_rule_wgsl.ts";

/** Cost in multiply-adds of one call of the generator and of the four offsets it moves. */
const WORK_OF_A_MOVE = 64;

/** Approximate multiply-adds for moving all offsets along `directions` directions. */
export function workOfMoves(offsets: OffsetSet, directions: number): number {
  return offsets.arenas.reduce((sum, { bytes }) => sum + bytes / 16, 0) * directions *
    WORK_OF_A_MOVE;
}

/** How offsets move. Both an optimiser and a ledger's header provide these properties. */
export type MoveRule = Pick<OffsetRule, "law" | "projection" | "update" | "plan">;

/** Seeds and coefficients on the device, `perStep` for each step. */
export interface Moves {
  /**
   * 16 bytes per direction: the seed, the coefficient, and a word that is 1 if an update rule acts. The word is 0 if the step only accumulates,
   * is halted, or there is no rule.
   */
  readonly coefficients: Storage;
  /** Total number of directions. */
  readonly directions: number;
  /** Number of directions per step. */
  readonly perStep: number;
  /** Gradients with respect to the offsets, by arena, used as directions instead of noise. Default: noise. */
  readonly gradients?: readonly Storage[] | undefined;
  /** Whether these are the last direction of a step alone, and the others are noise, of tensors that are not `exact`. Default false. */
  readonly mixed?: boolean;
  /** Host scalars of the update rule, step after step; each step has one set for each of the offsets' `rates`. Required if there is a rule. */
  readonly inputs?: Storage | Range | undefined;
}

/**
 * Records `w += coefficient * z`, or the update rule, for every arena, followed by the projection if the rule requires it. The state of an
 * update rule is allocated with the offsets' `moments`.
 *
 * @example One dispatch for each buffer of offsets
 * ```ts
 * import { DeviceTensor, Graph, moveOffsets, OffsetSet, Storage, trainableOf } from "@qzo/qzo/kernels";
 * import { mezo, tensorId } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * const norm = new DeviceTensor("output_norm.weight", { kind: "dense", type: "f32" }, 1, 64, 2 ** 27);
 * const offsets = new OffsetSet([trainableOf(norm, tensorId(norm.name), "absolute", 1)], 2 ** 27);
 * const graph = new Graph();
 * const coefficients = new Storage("coefficients", 16, "optimiser");
 * moveOffsets(graph, mezo(), offsets, new Map([[norm.name, norm]]), { coefficients, directions: 1, perStep: 1 });
 * assertEquals(graph.dispatches.map(({ label }) => label), ["update offsets 0"]);
 * ```
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
        ...lawKey(rule.law, frozenBy(rule.plan ?? {})),
        KEEP_SIGN: keepSign,
        RULE: update !== undefined,
        RULE_PROGRAM: update ? elementOpsWgsl("p.zero") + emitUpdateRule(update) : "",
        STATES: update?.stateSize ?? 0,
        INPUTS: update?.inputSize ?? 0,
        RESTS: update?.restsAtZero ?? false,
        GRADIENT: moves.gradients !== undefined,
        MIXED: moves.mixed ?? false,
        GROUPS: offsets.grouped,
        ...(offsets.grouped ? { ROUND: roundCoefficientWgsl, RATES: offsets.rates.length } : {}),
      },
      reads: {
        1: offsets.tables[i],
        2: moves.coefficients,
        4: update && update.inputSize > 0 ? moves.inputs! : undefined,
        7: moves.gradients?.[i],
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
      key: { PAIRED: isPaired(tensor.layout) },
      reads: { 1: piece.scales },
      writes: { 3: offsets.range(tensor.name)! },
      parameters: [piece.rows, tensor.groups, stride, piece.firstRow],
      workgroups: Math.ceil(piece.rows * tensor.groups / 64),
    });
  }
}
