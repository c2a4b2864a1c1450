/**
 * Replays steps from their seeds and coefficients, many per dispatch, without forward passes: one hash per offset and
 * direction.
 *
 * @module
 */

import type { Gpu } from "../device/gpu.ts";
import { Graph } from "../device/graph.ts";
import { compileGraph, type Plan } from "../device/plan.ts";
import { SHADER_LIBRARY } from "../shader_library.ts";
import { hasSign, type OffsetSet } from "../offsets/offset_set.ts";
import { rests, type StepRecord } from "../../optim/steps/apply_record.ts";
import { moveOffsets, type MoveRule, workOfMoves } from "../offsets/move_offsets.ts";
import { Storage } from "../device/storage.ts";
import type { DeviceTensor } from "../device/tensor.ts";
import { ratedInputs } from "../../optim/updates/update_rule.ts";
import { Turns } from "../device/turns.ts";

/** Options of a replay. */
export interface ReplayOptions {
  /** Aborts between chunks. The offsets are then those after the steps done so far. */
  readonly signal?: AbortSignal;
  /** Called after each chunk with the number of steps done. */
  readonly onProgress?: (steps: number) => void;
}

/** The most steps in one dispatch. */
const MOST_STEPS = 256;
/** The most dispatches to wait for at once. */
const MOST_WAITING = 64;

/**
 * Applies `steps` in order to offsets on the device, and to the state of an update rule. The result has the same bits
 * as after training. The number of steps per dispatch and per submission depends on the time they take on this device.
 *
 * @param rule The distribution of z, the update rule and the projection.
 * @param tensors The base model's tensors. Their scales limit absolute offsets whose sign is kept.
 *
 * @example One step of one norm
 * ```ts
 * import { DeviceTensor, OffsetSet, openGpu, replayMoves, trainableOf } from "@qzo/qzo/kernels";
 * import { mezo, stepSeed, masterSeed, tensorId } from "@qzo/qzo/optim";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * const norm = new DeviceTensor("output_norm.weight", { kind: "dense", type: "f32" }, 1, 64, gpu.maxBinding);
 * const trainables = [trainableOf(norm, tensorId(norm.name), "absolute", 1)];
 * using offsets = new OffsetSet(trainables, gpu.maxBinding).allocate(gpu);
 * const steps = [{ seeds: [stepSeed(masterSeed(1), 0, 0)], coefficients: [2 ** -10] }];
 * await replayMoves(gpu, mezo(), offsets, new Map([[norm.name, norm]]), steps);
 * assert((await offsets.read()).get(norm.name)!.some((offset) => offset !== 0));
 * ```
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
  for (const moments of offsets.moments(rule.update).flat()) moments.allocate(gpu);
  const bounded = rule.projection === "keep-sign" &&
    offsets.trainables.some((t) => t.form === "absolute" && hasSign(t));
  const work = Math.max(1, workOfMoves(offsets, perStep));
  const allowed = () => {
    const { dispatchWork, submissionWork } = gpu.pacing;
    return Math.max(1, Math.floor(Math.min(dispatchWork, submissionWork) / work));
  };
  const turns = new Turns();
  let done = 0;
  while (done < list.length) {
    // If a projection reads the base between steps, each step is a separate dispatch.
    const perDispatch = bounded ? 1 : Math.min(MOST_STEPS, allowed());
    using replay = new Replay(gpu, rule, offsets, tensors, { perStep, perDispatch });
    // Stop when the device turns out to be much faster than assumed, so that dispatches can have more steps.
    const stale = () => !bounded && Math.min(MOST_STEPS, allowed()) > 2 * perDispatch;
    do {
      const most = Math.floor(2 * gpu.pacing.submissionWork / (work * perDispatch));
      // Queue several dispatches per wait, because each wait costs some milliseconds.
      for (let i = 0; i < Math.max(1, Math.min(MOST_WAITING, most)) && done < list.length; i++) {
        if (turns.due) await turns.give();
        signal?.throwIfAborted();
        const some = list.slice(done, done + perDispatch);
        replay.send(some, done);
        gpu.pacing.sent(work * perDispatch);
        done += some.length;
      }
      await gpu.settled();
      gpu.pipelines.check();
      onProgress?.(done);
    } while (done < list.length && !stale());
  }
}

/** A dispatch of up to `perDispatch` steps, with its buffers. */
class Replay implements Disposable {
  readonly #gpu: Gpu;
  readonly #rule: MoveRule;
  readonly #perStep: number;
  readonly #perDispatch: number;
  readonly #inputs: number;
  readonly #rates: readonly number[];
  readonly #coefficients: Storage;
  readonly #scalars: Storage;
  readonly #plan: Plan;

  constructor(
    gpu: Gpu,
    rule: MoveRule,
    offsets: OffsetSet,
    tensors: ReadonlyMap<string, DeviceTensor>,
    { perStep, perDispatch }: { readonly perStep: number; readonly perDispatch: number },
  ) {
    this.#gpu = gpu;
    this.#rule = rule;
    this.#perStep = perStep;
    this.#perDispatch = perDispatch;
    this.#inputs = rule.update?.inputSize ?? 0;
    this.#rates = offsets.rates;
    const directions = perDispatch * perStep;
    this.#coefficients = new Storage("replayed coefficients", directions * 16, "optimiser")
      .allocate(gpu);
    this.#scalars = new Storage(
      "replayed scalars",
      perDispatch * this.#inputs * this.#rates.length * 4,
      "optimiser",
    )
      .allocate(gpu);
    const graph = new Graph();
    moveOffsets(graph, rule, offsets, tensors, {
      ...{ coefficients: this.#coefficients, directions, perStep, inputs: this.#scalars },
    });
    this.#plan = compileGraph(gpu, graph, SHADER_LIBRARY);
  }

  /**
   * Submits steps; `first` is the number of the first one. If there are fewer than `perDispatch`, the rest of the
   * dispatch moves nothing.
   */
  send(steps: readonly StepRecord[], first: number): void {
    const [perStep, perInputs] = [this.#perStep, this.#inputs];
    const words = new Uint32Array(this.#perDispatch * perStep * 4);
    const floats = new Float32Array(words.buffer);
    const { update } = this.#rule;
    const rates = this.#rates;
    const perStepInputs = perInputs * rates.length;
    const inputs = new Float32Array(this.#perDispatch * perStepInputs);
    steps.forEach((step, i) => {
      step.seeds.forEach((seed, q) => {
        words.set(seed, (i * perStep + q) * 4);
        floats[(i * perStep + q) * 4 + 2] = step.coefficients[q];
        words[(i * perStep + q) * 4 + 3] = rests(this.#rule, step) ? 0 : 1;
      });
      if ((step.inputs?.length ?? 0) !== perInputs) {
        throw new TypeError(
          `Cannot replay step ${first + i}: ${
            step.inputs?.length ?? 0
          } host scalars of the update rule given, ${perInputs} needed`,
        );
      }
      if (perInputs > 0) inputs.set(ratedInputs(update!, step.inputs!, rates), i * perStepInputs);
    });
    const { device: { queue } } = this.#gpu;
    this.#gpu.write(this.#coefficients.buffer, words);
    this.#gpu.write(this.#scalars.buffer, inputs);
    const encoder = this.#gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.#plan.encode(pass);
    pass.end();
    queue.submit([encoder.finish()]);
  }

  [Symbol.dispose](): void {
    for (const owned of [this.#plan, this.#coefficients, this.#scalars]) owned[Symbol.dispose]();
  }
}
