/**
 * Replaying steps from their seeds and coefficients, many to a dispatch: no forward, one hash per offset and direction.
 *
 * @module
 */

import type { Gpu } from "../device/gpu.ts";
import { compileGraph, Graph } from "../device/graph.ts";
import { SHADER_LIBRARY } from "../shader_library.ts";
import { hasSign, type OffsetSet } from "../offsets/offset_set.ts";
import { rests, type StepRecord } from "../../optim/steps/apply_record.ts";
import { moveOffsets, type MoveRule } from "../offsets/move_offsets.ts";
import { Storage } from "../device/storage.ts";
import type { DeviceTensor } from "../device/tensor.ts";

/** How replay is bounded. */
export interface ReplayOptions {
  /** Stops between chunks; the offsets are then those of the steps done. */
  readonly signal?: AbortSignal;
  /** Called after each chunk with the steps done. */
  readonly onProgress?: (steps: number) => void;
}

/**
 * Applies `steps` in order to offsets on the device, and to what an update rule keeps beside them, to the bits that training them
 * gave.
 *
 * @param rule The law of z, the update rule and the projection
 * @param tensors The base, whose scales bound absolute offsets that keep the sign
 */
export async function replayMoves(
  gpu: Gpu,
  rule: MoveRule,
  offsets: OffsetSet,
  tensors: ReadonlyMap<string, DeviceTensor>,
  steps: Iterable<StepRecord>,
  { signal, onProgress }: ReplayOptions = {},
): Promise<void> {
  const list = [...steps];
  if (list.length === 0) return;
  const perStep = list[0].coefficients.length;
  const perInputs = rule.update?.inputSize ?? 0;
  for (const moments of offsets.moments(rule.update).flat()) moments.allocate(gpu);
  const bounded = rule.projection === "keep-sign" &&
    offsets.trainables.some((t) => t.form === "absolute" && hasSign(t));
  // Where a projection reads the base between steps, each step is a dispatch of its own.
  const perDispatch = bounded ? 1 : 256;
  using coefficients = new Storage("replayed coefficients", perDispatch * perStep * 16, "optimiser")
    .allocate(gpu);
  using scalars = new Storage("replayed scalars", perDispatch * perInputs * 4, "optimiser")
    .allocate(gpu);
  const graph = new Graph();
  moveOffsets(graph, rule, offsets, tensors, {
    coefficients,
    directions: perDispatch * perStep,
    perStep,
    inputs: scalars,
  });
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY);
  for (let first = 0, sinceWait = 0; first < list.length; first += perDispatch) {
    signal?.throwIfAborted();
    const words = new Uint32Array(perDispatch * perStep * 4);
    const floats = new Float32Array(words.buffer);
    const inputs = new Float32Array(perDispatch * perInputs);
    list.slice(first, first + perDispatch).forEach((step, i) => {
      step.seeds.forEach((seed, q) => {
        words.set(seed, (i * perStep + q) * 4);
        floats[(i * perStep + q) * 4 + 2] = step.coefficients[q];
        words[(i * perStep + q) * 4 + 3] = rests(rule, step) ? 0 : 1;
      });
      if ((step.inputs?.length ?? 0) !== perInputs) {
        throw new TypeError(
          `Cannot replay step ${first + i}: ${
            step.inputs?.length ?? 0
          } host scalars of the update rule given, ${perInputs} needed`,
        );
      }
      if (perInputs > 0) inputs.set(step.inputs!, i * perInputs);
    });
    gpu.write(coefficients.buffer, words);
    gpu.write(scalars.buffer, inputs);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    plan.encode(pass);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    if (++sinceWait >= 64 || first + perDispatch >= list.length) {
      await gpu.settled();
      gpu.pipelines.check();
      sinceWait = 0;
      onProgress?.(Math.min(list.length, first + perDispatch));
    }
  }
}
