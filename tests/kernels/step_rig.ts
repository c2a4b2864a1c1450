/**
 * Steps of an optimiser on the device from losses that a test makes up, beside the same steps on the host.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  compileGraph,
  DeviceTensor,
  type Gpu,
  Graph,
  OffsetSet,
  offsetWidth,
  optimiserStep,
  type Plan,
  SHADER_LIBRARY,
  StepState,
  Storage,
  trainableOf,
} from "../../kernels/mod.ts";
import type { StepRecord as DeviceRecord } from "../../kernels/step/state.ts";
import {
  applyRecord,
  hostSide,
  isHeld,
  masterSeed,
  moveSeeds,
  type Optimiser,
  type StepRecord,
  tensorId,
} from "../../optim/mod.ts";
import type { PackedTensor } from "../../quant/mod.ts";
import { groupColumns, groupsPerRow } from "../../quant/layouts/layout.ts";
import { halfToNumber } from "../reference/effective_weights.ts";
import { branchWords } from "./bench.ts";
import { placeOfName } from "../../optim/ledger/old_versions.ts";
import { isPlain } from "../../optim/directions/direction_plan.ts";
import { hostScalarCount } from "../../optim/steps/scalar_program.ts";
import { updateInputs } from "../../optim/updates/update_rule.ts";

/** The stored scale of each offset, `[span][stride]`; infinite where nothing may be projected: padding, dense tensors. */
export function offsetBases(packed: PackedTensor, count: number): Float32Array {
  const bases = new Float32Array(count).fill(Infinity);
  const { layout, rows, columns, scales } = packed;
  if (layout.kind === "dense") return bases;
  const stride = Math.ceil(rows / 4) * 4;
  const groups = groupsPerRow(layout, columns);
  const paired = layout.kind === "scalar" && layout.second !== "none";
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const i = row * groups + g;
      const half = paired ? scales[i] : scales[i >> 1] >>> (16 * (i & 1));
      bases[g * stride + row] = halfToNumber(half & 0xffff);
    }
  }
  return bases;
}

/** A named tensor to train. */
export interface RigTensor {
  readonly name: string;
  readonly packed: PackedTensor;
}

/** An optimiser's step on the device, fed with losses. */
export class StepRig implements Disposable {
  readonly offsets: OffsetSet;
  readonly state: StepState;
  /** Seeds and amplitudes of an accept rule's candidates, 16 bytes each. */
  readonly trial: Storage;
  /** The number of the step that is called 0 here. */
  first = 0;
  readonly #gpu: Gpu;
  readonly #optimiser: Optimiser;
  readonly #tensors: readonly RigTensor[];
  readonly #device: Map<string, DeviceTensor>;
  readonly #losses: Storage;
  readonly #inputs: Storage;
  readonly #plan: Plan;
  readonly #seedsAt: number;
  readonly #updateAt: number;
  #recorded = 0;

  constructor(
    gpu: Gpu,
    optimiser: Optimiser,
    tensors: readonly RigTensor[],
    maxBinding: number = gpu.maxBinding,
    shares: readonly number[] = [],
  ) {
    this.#gpu = gpu;
    this.#optimiser = optimiser;
    this.#tensors = tensors;
    this.#device = new Map(tensors.map(({ name, packed }) => {
      const tensor = new DeviceTensor(name, packed.layout, packed.rows, packed.columns, maxBinding);
      tensor.write(gpu, packed);
      return [name, tensor];
    }));
    const trainables = [...this.#device.values()].map((t, i) => ({
      ...trainableOf(t, tensorId(t.name), optimiser.form, groupColumns(t.layout, t.columns)),
      ...placeOfName(t.name),
      share: shares.at(i),
    }));
    this.offsets = new OffsetSet(trainables, maxBinding).allocate(gpu);
    const { estimator } = optimiser;
    this.state = new StepState(optimiser, 64);
    for (const storage of this.state.storages) storage.allocate(gpu);
    for (const moments of this.offsets.moments(optimiser.update).flat()) moments.allocate(gpu);
    gpu.device.queue.writeBuffer(this.state.control.buffer.buffer, 0, this.state.initialControl());
    this.#losses = new Storage("losses", optimiser.evaluations * 4, "scratch").allocate(gpu);
    const scalars = 256 * Math.ceil(estimator.branches.length * 16 / 256);
    this.#seedsAt = scalars + 256 * Math.ceil(Math.max(1, hostScalarCount(optimiser)) * 4 / 256);
    this.#updateAt = this.#seedsAt + 256 * Math.ceil(optimiser.moves * 8 / 256);
    const bytes = this.#updateAt + 256;
    this.#inputs = new Storage("inputs", bytes, "scratch").allocate(gpu);
    this.trial = new Storage("trial", 64 * 16, "scratch").allocate(gpu);
    const graph = new Graph();
    const ranges = {
      branches: { storage: this.#inputs, offset: 0, bytes: estimator.branches.length * 16 },
      scalars: {
        storage: this.#inputs,
        offset: scalars,
        bytes: Math.max(4, hostScalarCount(optimiser) * 4),
      },
      trial: optimiser.accept && {
        branches: this.trial,
        places: optimiser.accept.candidates.map((_, i) => i),
        // Whoever gives the losses gives those of the candidates too.
        evaluate: () => {},
      },
      update: { storage: this.#inputs, offset: this.#updateAt, bytes: 256 },
      ...isPlain(optimiser.plan) ? {} : {
        seeds: { storage: this.#inputs, offset: this.#seedsAt, bytes: optimiser.moves * 8 },
      },
    };
    optimiserStep(graph, optimiser, this.state, this.#losses, ranges, this.offsets, this.#device);
    this.#plan = compileGraph(gpu, graph, SHADER_LIBRARY);
  }

  /** The device's tensors by name. */
  get tensors(): ReadonlyMap<string, DeviceTensor> {
    return this.#device;
  }

  /** The seeds of a step's moves; its own directions come first. */
  seeds(step: number): [number, number][] {
    const { plan, estimator: { directions } } = this.#optimiser;
    return moveSeeds(plan, directions, masterSeed(9), this.first + step).map((
      [low, high],
    ) => [low, high]);
  }

  /** The host scalars of a step. */
  scalars(step: number): readonly number[] {
    return hostSide(this.#optimiser, masterSeed(9), this.first + step).scalars;
  }

  /** A step as it is replayed. */
  record(step: number, coefficients: readonly number[]): StepRecord {
    return {
      seeds: this.seeds(step),
      coefficients,
      inputs: updateInputs(this.#optimiser, this.first + step),
      held: isHeld(this.#optimiser.plan, this.first + step),
    };
  }

  /** Queues a step from these losses. */
  step(step: number, losses: readonly number[]): void {
    const { estimator } = this.#optimiser;
    const { queue } = this.#gpu.device;
    const seeds = this.seeds(step);
    const { looks, scalars } = hostSide(this.#optimiser, masterSeed(9), this.first + step);
    const words = branchWords(looks);
    queue.writeBuffer(this.#losses.buffer.buffer, 0, new Float32Array(losses));
    queue.writeBuffer(this.#inputs.buffer.buffer, 0, words);
    queue.writeBuffer(
      this.#inputs.buffer.buffer,
      this.#seedsAt,
      new Uint32Array(seeds.flat()),
    );
    const inputs = new Float32Array(scalars);
    if (inputs.length > 0) {
      const at = 256 * Math.ceil(estimator.branches.length * 16 / 256);
      queue.writeBuffer(this.#inputs.buffer.buffer, at, inputs);
    }
    const update = new Float32Array(updateInputs(this.#optimiser, this.first + step));
    if (update.length > 0) {
      queue.writeBuffer(this.#inputs.buffer.buffer, this.#updateAt, update);
    }
    const encoder = this.#gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    this.#plan.encode(pass);
    pass.end();
    queue.submit([encoder.finish()]);
    this.#recorded++;
  }

  /** The records of all steps so far. */
  async records(): Promise<DeviceRecord[]> {
    const words = await this.#gpu.readFloats(
      this.state.records.buffer,
      this.#recorded * this.state.recordWords,
    );
    this.#gpu.pipelines.check();
    return Array.from({ length: this.#recorded }, (_, i) => this.state.parseRecord(words, i));
  }

  /** Asserts that the offsets, and what an update rule keeps, have the bits of a replay on the host of steps 0, 1, ... with the given coefficients. */
  async assertReplays(
    coefficients: readonly (readonly number[])[],
    start: ReadonlyMap<string, Float32Array> = new Map(),
  ): Promise<void> {
    const found = await this.offsets.read(this.#gpu);
    const { update } = this.#optimiser;
    const moments = await Promise.all(
      this.offsets.moments(update).map((arena) =>
        this.#gpu.read(arena.map(({ buffer }) => ({ buffer })))
      ),
    );
    for (const { name, packed } of this.#tensors) {
      const device = found.get(name)!;
      const offsets = start.get(name)?.slice() ?? new Float32Array(device.length);
      const base = offsetBases(packed, device.length);
      const state = Array.from(
        { length: update?.stateSize ?? 0 },
        () => new Float32Array(offsets.length),
      );
      coefficients.forEach((values, step) =>
        applyRecord(
          this.#optimiser,
          this.record(step, values),
          {
            id: tensorId(name),
            offsets,
            base,
            state,
            place: this.offsets.place(name)!,
            width: offsetWidth(this.offsets.trainable(name)!),
            share: this.offsets.trainable(name)!.share,
            gain: this.offsets.trainable(name)!.gain,
          },
        )
      );
      assertEquals(new Uint32Array(device.buffer), new Uint32Array(offsets.buffer), name);
      const { storage, offset = 0 } = this.offsets.range(name)!;
      moments[this.offsets.arenas.indexOf(storage)].forEach((bytes, i) =>
        assertEquals(
          new Uint32Array(bytes, offset, offsets.length),
          new Uint32Array(state[i].buffer),
          `state ${i} of ${name}`,
        )
      );
    }
  }

  [Symbol.dispose](): void {
    const owned = [this.offsets, this.state, this.trial, this.#plan, this.#losses, this.#inputs];
    for (const one of [...owned, ...this.#device.values()]) one[Symbol.dispose]();
  }
}
