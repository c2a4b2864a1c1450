/**
 * A plan handed to the device in as many submissions as its work asks for.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import type { Plan } from "./graph.ts";
import { Turns } from "./turns.ts";

/** What is recorded around a plan. */
export interface SubmitPlanOptions {
  /** Copies before its first dispatch. */
  readonly before?: (encoder: GPUCommandEncoder) => void;
  /** Copies behind its last. */
  readonly after?: (encoder: GPUCommandEncoder) => void;
}

/** Submits all dispatches of `plan`, a submission for as much work as the device's pacing allows at once. */
export function submitPlan(gpu: Gpu, plan: Plan, options: SubmitPlanOptions = {}): void {
  for (const _ of submissions(gpu, plan, options));
}

/**
 * {@linkcode submitPlan} where submitting takes as long as the work, as it does on software adapters: timers and signals have their turn in between. What
 * the plan reads and writes is not to be touched meanwhile.
 *
 * @param signal Stops between two submissions: the plan is then not run to its end
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

/** Submits, and yields after each submission whether it or the next is compiled, which takes as long as others can wait. */
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
