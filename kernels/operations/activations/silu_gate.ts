/**
 * A value gated by another.
 *
 * @module
 */

import type { Value } from "../../device/graph.ts";
import { type Operation, recordOperation } from "../../device/operation.ts";
import type { ForwardContext } from "../context.ts";
import source from "./silu_gate.wgsl.ts";

/** gate and up to `silu(gate) * up`. */
export const siluGateOperation: Operation<null> = {
  name: "silu gate",
  record(graph, [gate, up]) {
    const { words } = gate as Value;
    const y = graph.value("gated", words);
    const total = words / 4;
    graph.add({
      label: "silu gate",
      source,
      key: {},
      reads: { 1: gate, 2: up },
      writes: { 3: y },
      parameters: [total],
      workgroups: Math.ceil(total / 64),
    });
    return y;
  },
};

/** `silu(gate) * up` (Shazeer, arXiv 2002.05202). */
export function siluGate({ graph }: ForwardContext, gate: Value, up: Value): Value {
  return recordOperation(graph, siluGateOperation, [gate, up], null);
}
