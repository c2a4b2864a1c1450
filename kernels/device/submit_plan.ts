/**
 * Submits a plan to the device in as many submissions as pacing requires.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import type { Plan } from "./plan.ts";
import { Turns } from "./turns.ts";

/** Commands to encode before and after a plan. */
export interface SubmitPlanOptions {
  /** Encodes copies before the first dispatch. */
  readonly before?: (encoder: GPUCommandEncoder) => void;
  /** Encodes copies after the last dispatch. */
  readonly after?: (encoder: GPUCommandEncoder) => void;
}

/** Submits all dispatches of `plan`. Each submission contains as much work as the device's pacing allows at once. */
export function submitPlan(gpu: Gpu, plan: Plan, options: SubmitPlanOptions = {}): void {
  for (const _ of submissions(gpu, plan, options));
}

/**
 * {@linkcode submitPlan} for software adapters, where submitting takes as long as the work: timers and signals get a
 * turn between submissions. The buffers that the plan reads and writes must not be changed in the meantime.
 *
 * @param signal Aborts between two submissions; the rest of the plan does not run.
 *
 * @example Columns in reverse
 * ```ts
 * import { compileGraph, gatherColumns, Graph, openGpu, SHADER_LIBRARY, Storage, submitPlanInTurns } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using x = new Storage("x", 16, "scratch").allocate(gpu);
 * using order = new Storage("order", 16, "scratch").allocate(gpu);
 * gpu.write(x.buffer, Float32Array.of(10, 20, 30, 40));
 * gpu.write(order.buffer, Uint32Array.of(3, 2, 1, 0));
 * const graph = new Graph();
 * const y = gatherColumns({ graph }, x, order, 4);
 * using plan = compileGraph(gpu, graph, SHADER_LIBRARY, [y]);
 * await submitPlanInTurns(gpu, plan);
 * assertEquals(await gpu.readFloats(plan.buffer(y)), Float32Array.of(40, 30, 20, 10));
 * ```
 */
export async function submitPlanInTurns(
  gpu: Gpu,
  plan: Plan,
  { signal, ...options }: SubmitPlanOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const turns = new Turns();
  for (const compiles of submissions(gpu, plan, options)) {
    if (compiles || turns.due) await turns.give(signal);
  }
}

/**
 * Submits, and after each submission yields whether it or the next one includes compilation, which takes so long that
 * others should get a turn.
 */
function* submissions(
  { device, pacing }: Gpu,
  plan: Plan,
  { before, after }: SubmitPlanOptions,
): Generator<boolean> {
  for (let at = 0, first = true; first || at < plan.parts; first = false) {
    const encoder = device.createCommandEncoder();
    if (first) before?.(encoder);
    const pass = encoder.beginComputePass();
    const { next, work, compiles } = plan.encodeWithin(pass, at, pacing.submissionWork);
    pass.end();
    at = next;
    if (at >= plan.parts) after?.(encoder);
    device.queue.submit([encoder.finish()]);
    pacing.sent(work, compiles);
    yield compiles || plan.compiles(at);
  }
}
