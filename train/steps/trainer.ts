/**
 * Training steps on the device. A step is queued as a whole (forward passes of all branches, losses, the optimiser's scalar program, update,
 * record). The host waits once for a chunk of steps and drains the records.
 *
 * @module
 */

import {
  ActivationPool,
  assertTrainables,
  BlockCopy,
  compileGraph,
  type Gpu,
  type OffsetSet,
  type Plan,
  SHADER_LIBRARY,
  type StepRecord,
  StepState,
  Storage,
  Turns,
} from "../../kernels/mod.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import { masterSeed, type Seed } from "../../optim/directions/seed.ts";
import { assertBatchFits } from "../../models/batch_fits.ts";
import type { PackedBatch } from "../../models/batch.ts";
import { assertNotDisposed, type Model } from "../../models/inference/model.ts";
import { PlanCache } from "../../models/inference/plan_cache.ts";
import { type Checkpoints, recordStep } from "./record_step.ts";
import { type InputLayout, stepInputs } from "./step_inputs.ts";
import { type DeviceSpan, parseTimes, StepClock } from "./step_clock.ts";

/** The memory and the dispatches of one batch shape. */
interface StepPlan extends Disposable {
  readonly plan: Plan;
  /** Copies from the staging buffer to `input`. Replaced when that buffer is. */
  copy: BlockCopy;
  readonly input: Storage;
  readonly layout: InputLayout;
}

/** The buffer for the inputs of queued steps, each aligned to 256 bytes. It holds at least one step, usually many. */
export function stagingFor(stepBytes: number): Storage {
  return new Storage(
    "step staging",
    Math.max(256 * 1024, 256 * Math.ceil(stepBytes / 256)),
    "scratch",
  );
}

/** Runs an optimiser's steps on a model's offsets. */
export class Trainer implements Disposable {
  readonly #model: Model;
  readonly #gpu: Gpu;
  readonly #optimiser: Optimiser;
  readonly #state: StepState;
  readonly #seed: Seed;
  readonly #plans: PlanCache<StepPlan>;
  readonly #activations: ActivationPool;
  readonly #clock: StepClock | undefined;
  readonly #onTimes: ((times: readonly DeviceSpan[]) => void) | undefined;
  #staging: Storage;
  #staged: { bytes: number; parts: { at: number; bytes: Uint8Array }[] } = { bytes: 0, parts: [] };
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #unsent = 0;
  /** Multiply-adds recorded and not yet submitted. */
  #work = 0;
  #compiles = false;
  #queued = 0;

  /**
   * Prepares to train `offsets`, which the caller has allocated, continuing with the update rule's state in them. `seed` is the master seed, `state`
   * the chain's state to continue from, and `capacity` the maximum number of steps queued before a drain (default 1024). `activationBytes` is the
   * memory above which a step's branches are evaluated in several passes (default 1 GiB). `checkpoints` is what exact gradients store (default:
   * everything if it fits `activationBytes`, otherwise the input of each block). `onTimes` is called with the times at which the device worked on the
   * steps of a drain, if it has a clock.
   */
  constructor(
    model: Model,
    optimiser: Optimiser,
    offsets: OffsetSet,
    options: {
      readonly seed: number;
      readonly state?: readonly number[];
      readonly capacity?: number;
      readonly activationBytes?: number;
      readonly checkpoints?: Checkpoints | undefined;
      readonly onTimes?: (times: readonly DeviceSpan[]) => void;
    },
  ) {
    assertTrainables(optimiser, offsets);
    this.#model = model;
    this.#gpu = model.gpu;
    this.#optimiser = optimiser;
    this.#seed = masterSeed(options.seed);
    this.#state = new StepState(optimiser, options.capacity ?? 1024);
    for (const storage of this.#state.storages) storage.allocate(this.#gpu);
    for (const moments of offsets.moments(optimiser.update).flat()) moments.allocate(this.#gpu);
    if (optimiser.estimator.exact) offsets.gradients.allocate(this.#gpu);
    this.#staging = stagingFor(0).allocate(this.#gpu);
    this.#gpu.write(this.#state.control.buffer, this.#state.initialControl(options.state));
    this.#onTimes = options.onTimes;
    if (options.onTimes && this.#gpu.features.has("timestamp-query")) {
      this.#clock = new StepClock(this.#gpu, this.#state.capacity);
    }
    this.#plans = new PlanCache(
      (shape) => {
        const { graph, storages, layout, input } = recordStep(
          model,
          optimiser,
          offsets,
          this.#state,
          shape,
          { ...options, maxBinding: this.#gpu.maxBinding },
        );
        for (const storage of storages) storage.allocate(this.#gpu);
        const plan = compileGraph(this.#gpu, graph, SHADER_LIBRARY, [], this.#activations);
        return {
          plan,
          copy: new BlockCopy(this.#gpu, this.#staging, input),
          input,
          layout,
          [Symbol.dispose]() {
            for (const owned of [plan, ...storages]) owned[Symbol.dispose]();
          },
        };
      },
      {
        beforeEvict: () => this.#submit(),
        isStale: ({ plan }) => this.#gpu.pacing.isStale(plan.largest, plan.isSplit),
      },
    );
    this.#activations = new ActivationPool(this.#gpu, () => this.#plans.clear());
  }

  /** Number of steps queued and not yet drained. */
  get queued(): number {
    return this.#queued;
  }

  /** Maximum number of steps queued before a drain. */
  get capacity(): number {
    return this.#state.capacity;
  }

  /**
   * Queues step number `step` on `batch`, and returns at once.
   *
   * @throws {RangeError} when too many steps are queued, or the batch does not fit the model.
   */
  enqueue(step: number, batch: PackedBatch): void {
    for (const _ of this.#submissions(step, batch));
  }

  /**
   * Like {@linkcode Trainer.enqueue}, but lets timers and signals run between submissions, for software adapters, on which submitting takes as long as
   * the work. Do not use the trainer for anything else meanwhile.
   */
  async enqueueInTurns(step: number, batch: PackedBatch): Promise<void> {
    const turns = new Turns();
    for (const compiles of this.#submissions(step, batch)) {
      if (compiles || turns.due) await turns.give();
    }
  }

  /** Records a step. After each submission, yields whether it or the next one includes compilation, which takes long. */
  *#submissions(step: number, batch: PackedBatch): Generator<boolean> {
    if (this.#queued >= this.#state.capacity) {
      throw new RangeError(
        `Cannot queue step ${step}: ${this.#queued} steps are waiting to be drained`,
      );
    }
    assertNotDisposed(this.#model, "train");
    assertBatchFits(batch, this.#model);
    const entry = this.#plans.get(batch.shape);
    const { plan, input, layout } = entry;
    if (this.#staged.bytes + layout.bytes > this.#staging.bytes) this.#submit();
    if (layout.bytes > this.#staging.bytes) {
      this.#staging[Symbol.dispose]();
      this.#staging = stagingFor(layout.bytes).allocate(this.#gpu);
    }
    const at = this.#staged.bytes;
    this.#staged.parts.push({
      at,
      bytes: stepInputs(this.#optimiser, this.#seed, step, batch, layout),
    });
    this.#staged.bytes += Math.ceil(layout.bytes / 256) * 256;
    if (entry.copy.source !== this.#staging) {
      entry.copy = new BlockCopy(this.#gpu, this.#staging, input);
    }
    entry.copy.encode(this.#openPass(), at);
    const { pacing } = this.#gpu;
    for (let part = 0; part < plan.parts;) {
      if (plan.compiles(part) && this.#work > 0) {
        this.#submit();
        yield true;
      }
      const { next, work, compiles } = plan.encodeWithin(
        this.#openPass(),
        part,
        pacing.submissionWork - this.#work,
      );
      part = next;
      this.#work += work;
      this.#compiles ||= compiles;
      if (this.#work >= pacing.submissionWork || part < plan.parts) {
        this.#submit();
        yield compiles || plan.compiles(part);
      }
    }
    this.#queued++;
    this.#unsent++;
    // Small submissions first, so that the device starts at once; larger ones later, because they cost less per step.
    if (this.#unsent >= Math.min(16, this.#queued - this.#unsent + 1)) {
      this.#submit();
      yield false;
    }
  }

  /** The pass that dispatches are recorded into. A new one after a submission. */
  #openPass(): GPUComputePassEncoder {
    this.#encoder ??= this.#gpu.device.createCommandEncoder();
    return this.#pass ??= this.#encoder.beginComputePass(this.#clock?.next());
  }

  /** Submits what was recorded (several steps, or part of a long one), and writes the inputs of its steps at once. */
  #submit(): void {
    if (!this.#encoder || !this.#pass) return;
    this.#pass.end();
    this.#pass = undefined;
    const { queue } = this.#gpu.device;
    if (this.#staged.parts.length > 0) {
      const bytes = new Uint8Array(this.#staged.bytes);
      for (const part of this.#staged.parts) bytes.set(part.bytes, part.at);
      this.#gpu.write(this.#staging.buffer, bytes);
    }
    queue.submit([this.#encoder.finish()]);
    this.#gpu.pacing.sent(this.#work, this.#compiles);
    this.#work = 0;
    this.#compiles = false;
    this.#encoder = undefined;
    this.#staged = { bytes: 0, parts: [] };
    this.#unsent = 0;
  }

  /**
   * Waits for the steps queued since the last drain and returns their records in order; `[]` if there are none. More steps may be queued meanwhile
   * and follow without a pause.
   */
  async drain(): Promise<StepRecord[]> {
    const count = this.#queued;
    if (count === 0) return [];
    this.#submit();
    this.#queued = 0;
    const { buffer } = this.#state.records;
    const ranges = [{ buffer, bytes: count * this.#state.recordWords * 4 }];
    const clock = this.#clock?.resolve();
    const read = this.#gpu.read(clock ? [...ranges, clock] : ranges);
    // Executed in queue order: steps queued from here on start again at record 0. The halted flag and the chain's state stay.
    this.#gpu.write(this.#state.control.buffer, new Uint32Array([0]));
    const [bytes, times] = await read;
    this.#gpu.pipelines.check();
    const words = new Float32Array(bytes);
    if (times) this.#onTimes?.(parseTimes(new BigUint64Array(times)));
    return Array.from({ length: count }, (_, i) => this.#state.parseRecord(words, i));
  }

  /** The model it trains. */
  get model(): Model {
    return this.#model;
  }

  /** Frees its plans and state, but not the offsets. */
  [Symbol.dispose](): void {
    this.#plans[Symbol.dispose]();
    this.#activations[Symbol.dispose]();
    this.#state[Symbol.dispose]();
    this.#clock?.[Symbol.dispose]();
    this.#staging[Symbol.dispose]();
  }
}
