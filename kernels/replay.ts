/**
 * Replaying steps from their seeds and coefficients, many to a dispatch: no forward, one hash per offset and direction.
 *
 * @module
 */

import type { Gpu } from "./gpu.ts";
import { compileGraph, Graph } from "./graph.ts";
import { SHADER_LIBRARY } from "./library.ts";
import type { OffsetSet } from "./offsets.ts";
import { moveOffsets, type MoveRule } from "./step.ts";
import { Storage } from "./storage.ts";
import type { DeviceTensor } from "./tensor.ts";

/** One direction of one step. */
export interface Move {
  /** Of this step and direction. */
  readonly seed: readonly [number, number];
  /** What multiplies z; rounded. */
  readonly coefficient: number;
}

/** How replay is bounded. */
export interface ReplayOptions {
  /** Stops between chunks; the offsets are then those of the steps done. */
  readonly signal?: AbortSignal;
  /** Called after each chunk with the steps done. */
  readonly onProgress?: (steps: number) => void;
}

/**
 * Applies `steps` in order to offsets on the device, to the bits that training them gave.
 *
 * @param rule The law of z and the projection
 * @param tensors The base, whose scales bound absolute offsets that keep the sign
 */
export async function replayMoves(
  gpu: Gpu,
  rule: MoveRule,
  offsets: OffsetSet,
  tensors: ReadonlyMap<string, DeviceTensor>,
  steps: Iterable<readonly Move[]>,
  { signal, onProgress }: ReplayOptions = {},
): Promise<void> {
  const list = Array.isArray(steps) ? steps as readonly (readonly Move[])[] : [...steps];
  if (list.length === 0) return;
  const perStep = list[0].length;
  const bounded = rule.projection === "keep-sign" &&
    offsets.trainables.some((t) => t.form === "absolute" && t.span !== 1);
  // Where a projection reads the base between steps, each step is a dispatch of its own.
  const perDispatch = bounded ? 1 : 256;
  using coefficients = new Storage("replayed coefficients", perDispatch * perStep * 16, "optimiser")
    .allocate(gpu);
  const graph = new Graph();
  moveOffsets(graph, rule, offsets, tensors, {
    coefficients,
    directions: perDispatch * perStep,
    perStep,
  });
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY);
  for (let first = 0, sinceWait = 0; first < list.length; first += perDispatch) {
    signal?.throwIfAborted();
    const words = new Uint32Array(perDispatch * perStep * 4);
    const floats = new Float32Array(words.buffer);
    list.slice(first, first + perDispatch).flat().forEach(({ seed, coefficient }, i) => {
      words.set(seed, i * 4);
      floats[i * 4 + 2] = coefficient;
    });
    gpu.device.queue.writeBuffer(coefficients.buffer.buffer, 0, words);
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    plan.encode(pass);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    if (++sinceWait >= 64 || first + perDispatch >= list.length) {
      await gpu.device.queue.onSubmittedWorkDone();
      gpu.pipelines.check();
      gpu.check();
      sinceWait = 0;
      onProgress?.(Math.min(list.length, first + perDispatch));
    }
  }
}
