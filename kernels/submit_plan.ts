/**
 * A plan handed to the device in as many submissions as its work asks for.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import type { Plan } from "./graph.ts";

/** What is recorded around a plan. */
export interface SubmitPlanOptions {
  /** Copies before its first dispatch. */
  readonly before?: (encoder: GPUCommandEncoder) => void;
  /** Copies behind its last. */
  readonly after?: (encoder: GPUCommandEncoder) => void;
}

/** Submits all dispatches of `plan`, a submission for as much work as the device's pacing allows at once. */
export function submitPlan(gpu: Gpu, plan: Plan, { before, after }: SubmitPlanOptions = {}): void {
  const { device, pacing } = gpu;
  for (let at = 0, first = true; first || at < plan.parts; first = false) {
    const encoder = device.createCommandEncoder();
    if (first) before?.(encoder);
    const pass = encoder.beginComputePass();
    const { next, work } = plan.encodeWithin(pass, at, pacing.submissionWork);
    pass.end();
    at = next;
    if (at >= plan.parts) after?.(encoder);
    device.queue.submit([encoder.finish()]);
    pacing.sent(work);
  }
}
