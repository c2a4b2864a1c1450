/**
 * The only place where stored offsets change: along directions by coefficients, or as an update rule says, and back to where scales keep
 * their signs.
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

/** What a call of the generator and four offsets moved by it are taken for, in multiply-adds. */
const WORK_OF_A_MOVE = 64;

/** Multiply-adds, about, of moving all offsets along so many directions. */
export function workOfMoves(offsets: OffsetSet, directions: number): number {
  return offsets.arenas.reduce((sum, { bytes }) => sum + bytes / 16, 0) * directions *
    WORK_OF_A_MOVE;
}

/** How offsets move: an optimiser is one, and a ledger's header holds the same facts. */
export type MoveRule = Pick<OffsetRule, "law" | "projection" | "update" | "plan">;

/** Seeds and coefficients on the device: `directions` of them, `perStep` of each step. */
export interface Moves {
  /** 16 bytes a direction: seed, coefficient, and 1 where an update rule acts, 0 where the step only accumulates, is halted or is none. */
  readonly coefficients: Storage;
  /** In all. */
  readonly directions: number;
  /** Directions of one step. */
  readonly perStep: number;
  /** Slopes by offsets, by arena, that are moved along instead of noise. Default: noise. */
  readonly gradients?: readonly Storage[] | undefined;
  /** Whether these are the last direction of a step alone, and the others are noise, of tensors that are not `exact`. Default false. */
  readonly mixed?: boolean;
  /** The update rule's host scalars, step after step, of each step for each of the offsets' `rates`; needed where there is a rule. */
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
