/**
 * Training steps on the device. A step is queued whole (forward of all branches, losses, the optimiser's scalar program, update,
 * record); the host waits once for a chunk of them and drains the records.
 *
 * @module
 */

import {
  batchLayout,
  type BatchShape,
  compileGraph,
  type Gpu,
  type OffsetSet,
  optimiserStep,
  type Plan,
  SHADER_LIBRARY,
  type StepRecord,
  StepState,
  Storage,
} from "../kernels/mod.ts";
import type { Optimiser } from "../optim/optimiser.ts";
import { masterSeed, type Seed, stepSeed } from "../optim/seed.ts";
import type { PackedBatch } from "./batch.ts";
import { recordLoss } from "./forward.ts";
import type { Model, ModelPlan } from "./model.ts";
import { PlanCache } from "./plan_cache.ts";

/** Where a step's inputs lie in its one buffer, in bytes; bindings start at multiples of 256. */
interface InputLayout {
  readonly branches: number;
  readonly scalars: number;
  readonly batch: number;
  readonly bytes: number;
}

/** The memory and the dispatches of one batch shape. */
interface StepPlan extends Disposable {
  readonly plan: Plan;
  readonly input: Storage;
  readonly layout: InputLayout;
}

function inputLayout(optimiser: Optimiser, shape: BatchShape): InputLayout {
  const branches = 0;
  const scalars = 256 * Math.ceil(optimiser.estimator.branches.length * 16 / 256);
  const batch = scalars +
    256 * Math.max(1, Math.ceil(optimiser.transformation.inputSize * 4 / 256));
  return { branches, scalars, batch, bytes: batch + batchLayout(shape).words * 4 };
}

/** A recorded step of one shape: the graph, and the memory it needs besides the model, the offsets and the state. */
export function recordStep(
  model: ModelPlan,
  optimiser: Optimiser,
  offsets: OffsetSet,
  state: StepState,
  shape: BatchShape,
): {
  graph: import("../kernels/mod.ts").Graph;
  storages: Storage[];
  layout: InputLayout;
  input: Storage;
} {
  const layout = inputLayout(optimiser, shape);
  const branches = optimiser.estimator.branches.length;
  const input = new Storage("step inputs", layout.bytes, "activations");
  const losses = new Storage("losses", branches * 4, "activations");
  const scores = new Storage("scores", branches * shape.candidates * 4, "activations");
  const branchRange = { storage: input, offset: layout.branches, bytes: branches * 16 };
  const { graph } = recordLoss(
    model,
    shape,
    branches,
    { storage: input, offset: layout.batch, bytes: layout.bytes - layout.batch },
    losses,
    scores,
    { offsets, noise: { distribution: optimiser.distribution, branches: branchRange } },
  );
  optimiserStep(
    graph,
    optimiser,
    state,
    losses,
    {
      branches: branchRange,
      scalars: {
        storage: input,
        offset: layout.scalars,
        bytes: Math.max(4, optimiser.transformation.inputSize * 4),
      },
    },
    offsets,
    model.tensors,
  );
  return { graph, storages: [input, losses, scores], layout, input };
}

/** Runs an optimiser's steps on a model's offsets. */
export class Trainer implements Disposable {
  readonly #model: Model;
  readonly #gpu: Gpu;
  readonly #optimiser: Optimiser;
  readonly #state: StepState;
  readonly #seed: Seed;
  readonly #plans: PlanCache<StepPlan>;
  #queued = 0;

  /**
   * @param offsets What is trained; allocated by the caller
   * @param options `seed`: the master seed; `state`: the chain's state to go on from; `capacity`: most steps queued
   * before a drain
   */
  constructor(
    model: Model,
    optimiser: Optimiser,
    offsets: OffsetSet,
    options: {
      readonly seed: number;
      readonly state?: readonly number[];
      readonly capacity?: number;
    },
  ) {
    this.#model = model;
    this.#gpu = model.gpu;
    this.#optimiser = optimiser;
    this.#seed = masterSeed(options.seed);
    this.#state = new StepState(optimiser, options.capacity ?? 1024);
    for (const storage of this.#state.storages) storage.allocate(this.#gpu);
    this.#gpu.device.queue.writeBuffer(
      this.#state.control.buffer.buffer,
      0,
      this.#state.initialControl(options.state),
    );
    this.#plans = new PlanCache((shape) => {
      const { graph, storages, layout, input } = recordStep(
        model,
        optimiser,
        offsets,
        this.#state,
        shape,
      );
      for (const storage of storages) storage.allocate(this.#gpu);
      const plan = compileGraph(this.#gpu, graph, SHADER_LIBRARY);
      return {
        plan,
        input,
        layout,
        [Symbol.dispose]() {
          for (const owned of [plan, ...storages]) owned[Symbol.dispose]();
        },
      };
    });
  }

  /** Steps queued and not drained. */
  get queued(): number {
    return this.#queued;
  }

  /** Most steps that may be queued before a drain. */
  get capacity(): number {
    return this.#state.capacity;
  }

  /** Queues step number `step` on `batch`; returns at once. */
  enqueue(step: number, batch: PackedBatch): void {
    if (this.#queued >= this.#state.capacity) {
      throw new RangeError(`Cannot queue step ${step}: ${this.#queued} steps wait to be drained`);
    }
    const { plan, input, layout } = this.#plans.get(batch.shape);
    const { queue } = this.#gpu.device;
    queue.writeBuffer(input.buffer.buffer, 0, this.#inputs(step, batch, layout));
    const encoder = this.#gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    plan.encode(pass);
    pass.end();
    queue.submit([encoder.finish()]);
    this.#queued++;
  }

  #inputs(step: number, batch: PackedBatch, layout: InputLayout): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(layout.bytes);
    const view = new DataView(bytes.buffer);
    this.#optimiser.estimator.branches.forEach(({ direction, amplitude }, b) => {
      const [low, high] = stepSeed(this.#seed, step, direction);
      view.setUint32(layout.branches + b * 16, low, true);
      view.setUint32(layout.branches + b * 16 + 4, high, true);
      view.setFloat32(layout.branches + b * 16 + 8, amplitude, true);
    });
    this.#optimiser.transformation.inputs(step).forEach((value, i) => {
      view.setFloat32(layout.scalars + i * 4, value, true);
    });
    bytes.set(new Uint8Array(batch.words.buffer), layout.batch);
    return bytes;
  }

  /** Waits for the queued steps and returns their records in order. Resolves with `[]` when none is queued. */
  async drain(): Promise<StepRecord[]> {
    const count = this.#queued;
    if (count === 0) return [];
    this.#queued = 0;
    const words = await this.#gpu.readFloats(
      this.#state.records.buffer,
      count * this.#state.recordWords,
    );
    this.#gpu.pipelines.check();
    // The next chunk starts at record 0; the halted flag and the chain's state stay.
    this.#gpu.device.queue.writeBuffer(this.#state.control.buffer.buffer, 0, new Uint32Array([0]));
    return Array.from({ length: count }, (_, i) => this.#state.parseRecord(words, i));
  }

  /** The model it trains. */
  get model(): Model {
    return this.#model;
  }

  /** Frees its plans and state; the offsets stay. */
  [Symbol.dispose](): void {
    this.#plans[Symbol.dispose]();
    this.#state[Symbol.dispose]();
  }
}
