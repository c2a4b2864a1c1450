/**
 * What kernel tests share: a graph over uploaded inputs, random packed tensors with their format's edges, perturbations with
 * the weights that they should lead to.
 *
 * @module
 */
import { assert } from "@std/assert";
import {
  compileGraph,
  DeviceTensor,
  type Gpu,
  Graph,
  offsetWidth,
  type Perturbation,
  SHADER_LIBRARY,
  Storage,
  type Trainable,
  trainableOf,
  type Value,
} from "../../kernels/mod.ts";
import type { Distribution, Law, Seed } from "../../optim/mod.ts";
import {
  FORMATS,
  type Layout,
  numberToFloat16,
  type PackedTensor,
  type TrainedPart,
} from "../../quant/mod.ts";
import { planeWords } from "../../quant/layouts/layout.ts";
import { planeBytes, sameLayout } from "../../quant/layouts/planes.ts";
import { secondPart } from "../../quant/layouts/trained_part.ts";
import { randomTensor } from "../quant/random_tensor.ts";
import {
  effectiveWeights,
  type NoiseTerm,
  noiseTerm,
  type OffsetForm,
  type PlaneMove,
} from "../reference/effective_weights.ts";
import { normalisedMeanSquaredError } from "../reference/nmse.ts";
import { randomNormals } from "../support/random_llama.ts";
import { frozenOffset } from "../../optim/preparations/frozen.ts";

/** Numbers in [0, 1). */
export type Random = () => number;

/** A graph, what was uploaded for it, and everything freed at the end. */
export class Bench implements Disposable {
  readonly graph: Graph = new Graph();
  readonly gpu: Gpu;
  readonly #owned: Disposable[] = [];

  constructor(gpu: Gpu) {
    this.gpu = gpu;
  }

  /** Uploads numbers (as f32) or words. */
  storage(label: string, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>): Storage {
    const storage = new Storage(label, data.byteLength, "activations").allocate(this.gpu);
    this.gpu.device.queue.writeBuffer(storage.buffer.buffer, 0, data);
    this.#owned.push(storage);
    return storage;
  }

  /** Uploads numbers as a value of the graph, by a dispatch that copies them. */
  value(label: string, data: Float32Array<ArrayBuffer>): Value {
    const value = this.graph.value(label, data.length);
    this.graph.add({
      label: `upload ${label}`,
      source: COPY,
      key: {},
      reads: { 1: this.storage(label, data) },
      writes: { 2: value },
      parameters: [data.length],
      workgroups: Math.ceil(data.length / 64),
    });
    return value;
  }

  /** Uploads a packed tensor. */
  tensor(
    name: string,
    packed: PackedTensor,
    maxBinding: number = this.gpu.maxBinding,
  ): DeviceTensor {
    const { layout, rows, columns } = packed;
    const tensor = new DeviceTensor(name, layout, rows, columns, maxBinding);
    tensor.write(this.gpu, packed);
    this.#owned.push(tensor);
    return tensor;
  }

  /** Runs the graph and reads values back. */
  async run(...keep: Value[]): Promise<Float32Array[]> {
    using plan = compileGraph(this.gpu, this.graph, SHADER_LIBRARY, keep);
    const encoder = this.gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    plan.encode(pass);
    pass.end();
    this.gpu.device.queue.submit([encoder.finish()]);
    const bytes = await this.gpu.read(
      keep.map((v) => ({ buffer: plan.buffer(v), bytes: v.words * 4 })),
    );
    this.gpu.pipelines.check();
    return bytes.map((b) => new Float32Array(b));
  }

  [Symbol.dispose](): void {
    for (const owned of this.#owned) owned[Symbol.dispose]();
  }
}

const COPY = `
@group(0) @binding(0) var<uniform> count: u32;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> target_words: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let i = id.y * (wg.x * 64u) + id.x;
  if (i < count) { target_words[i] = source[i]; }
}`;

/** Runs `body` with fewer workgroups allowed per dimension, so that small dispatches fold into y. */
export async function withWorkgroupLimit(
  gpu: Gpu,
  limit: number,
  body: () => Promise<void>,
): Promise<void> {
  const limits = gpu.limits as Record<string, number>;
  const real = limits.maxComputeWorkgroupsPerDimension;
  limits.maxComputeWorkgroupsPerDimension = limit;
  try {
    await body();
  } finally {
    limits.maxComputeWorkgroupsPerDimension = real;
  }
}

/** Asserts that a kernel's numbers are the oracle's, up to a normalised mean squared error. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  bound = 1e-7,
): void {
  const error = normalisedMeanSquaredError(actual, expected);
  assert(error <= bound, `${what}: normalised mean squared error ${error} exceeds ${bound}`);
  assert(expected.length > 0 && expected[0] !== undefined, `${what}: nothing compared`);
}

/** An integer below `limit`. */
export function below(limit: number, random: Random): number {
  return Math.floor(random() * limit);
}

/** 32 random bits. */
export function randomWord(random: Random): number {
  return (below(65536, random) * 65536 + below(65536, random)) >>> 0;
}

/** Random f32 values. */
export function normals(length: number, random: Random, deviation = 1): Float32Array<ArrayBuffer> {
  return randomNormals(length, deviation, random);
}

/** Scales of both signs, now and then zero, tiny or subnormal in half precision. */
function randomScale(random: Random): number {
  const kind = below(16, random);
  if (kind === 0) return 0;
  if (kind === 1) return numberToFloat16(3e-7);
  return numberToFloat16((random() < 0.3 ? -1 : 1) * (0.05 + random()));
}

/** A tensor of random codes and scales in `layout`. */
export function randomPacked(
  layout: Layout,
  rows: number,
  columns: number,
  random: Random,
): PackedTensor {
  const words = planeWords(layout, rows, columns);
  const codes = Uint32Array.from({ length: words.codes }, () => randomWord(random));
  const scales = new Uint32Array(words.scales);
  const codebook = new Uint32Array(words.codebook);
  if (layout.kind === "dense") {
    const values = normals(rows * columns, random);
    const bits = new Uint32Array(values.buffer);
    const half = (i: number) => layout.type === "f16" ? numberToFloat16(values[i]) : bits[i] >>> 16;
    if (layout.type === "f32") codes.set(bits);
    else codes.forEach((_, i) => codes[i] = (half(2 * i) | half(2 * i + 1) << 16) >>> 0);
    return { layout, rows, columns, codes, scales, codebook };
  }
  const second = layout.kind === "scalar" ? layout.second : "none";
  const highest = layout.kind === "scalar" ? 2 ** layout.bits - 1 : 0;
  scales.forEach((_, i) => {
    const high = second === "none"
      ? randomScale(random)
      : numberToFloat16(second === "zero" ? random() * highest : random() - 0.5);
    scales[i] = (randomScale(random) | high << 16) >>> 0;
  });
  codebook.forEach((_, i) => {
    if (layout.kind === "column") {
      const zero = numberToFloat16(random() * 2 ** layout.bits);
      codebook[i] = (randomScale(random) | zero << 16) >>> 0;
      return;
    }
    codebook[i] = (numberToFloat16(random() - 0.5) | numberToFloat16(random() - 0.5) << 16) >>> 0;
  });
  return { layout, rows, columns, codes, scales, codebook };
}

/** A tensor of random codes and scales of moderate size. */
export function randomTensorOf(
  layout: Layout,
  rows: number,
  columns: number,
  random: Random,
): PackedTensor {
  if (layout.kind !== "super") return randomPacked(layout, rows, columns, random);
  const format = FORMATS.find((one) => sameLayout(one.layout, layout))!;
  const packed = randomTensor(format, rows, columns, below(1e6, random));
  if (layout.scales === "e8m0") {
    const exponents = planeBytes(packed.scales);
    exponents.forEach((byte, i) => exponents[i] = 110 + byte % 30);
  }
  return packed;
}

/** One branch's noise. */
export interface TestBranch {
  readonly seed: Seed;
  readonly amplitude: number;
}

/** Branches as kernels read them: seed, amplitude, 0. */
export function branchWords(branches: readonly TestBranch[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(branches.length * 4);
  const floats = new Float32Array(words.buffer);
  branches.forEach(({ seed, amplitude }, b) => {
    words.set(seed, b * 4);
    floats[b * 4 + 2] = amplitude;
  });
  return words;
}

/** Random branches; amplitudes of both signs and a zero among them; some share their neighbour's seed, as +-epsilon do. */
export function randomBranches(count: number, amplitude: number, random: Random): TestBranch[] {
  let seed: Seed = [randomWord(random), randomWord(random)];
  return Array.from({ length: count }, (_, b) => {
    if (random() < 0.4) seed = [randomWord(random), randomWord(random)];
    return { seed, amplitude: Math.fround([amplitude, -amplitude, 0, amplitude / 2][b % 4]) };
  });
}

/** How a tensor is perturbed in a test. */
export interface TestPerturbation {
  readonly form: OffsetForm;
  readonly span: number;
  readonly distribution: Law | Distribution | "none";
}

/** Random offsets and noise of `trainable`, uploaded, and by branch as the oracle takes them. */
function uploadPerturbation(
  bench: Bench,
  trainable: Trainable,
  distribution: TestPerturbation["distribution"],
  noise: readonly TestBranch[],
  random: Random,
): { perturbation: Perturbation; moves: PlaneMove[] } {
  const { id, form, span } = trainable;
  const offsets = normals(trainable.count, random, 0.2);
  // Some are frozen: no noise comes to them.
  for (let i = 0; i < offsets.length; i += 1 + below(9, random)) offsets[i] = frozenOffset;
  const free = (term: NoiseTerm): NoiseTerm => ({
    ...term,
    z: (index) => offsets[index] === frozenOffset ? 0 : term.z(index),
  });
  const share = [undefined, 0, 20000, 65536][below(4, random)];
  const gain = [undefined, -2, 1][below(3, random)];
  const place = { width: offsetWidth(trainable), share, gain };
  return {
    moves: noise.map(({ seed, amplitude }) => ({
      offsets,
      form,
      span,
      noise: distribution === "none"
        ? null
        : free(noiseTerm(distribution, seed, id, amplitude, place)),
    })),
    perturbation: {
      offsets: bench.storage("offsets", offsets),
      form,
      span,
      stride: place.width,
      id,
      share,
      gain,
      noise: distribution === "none" ? undefined : {
        law: typeof distribution === "string" ? { dense: distribution } : distribution,
        branches: bench.storage("branches", branchWords(noise)),
      },
    },
  };
}

/**
 * Uploads random offsets and branches for `tensor`: the perturbation of its scales, and with `planed` of what it has besides them, and
 * the weights of each branch that they should lead to.
 */
export function perturb(
  bench: Bench,
  tensor: DeviceTensor,
  packed: PackedTensor,
  scales: TestPerturbation | undefined,
  branches: number,
  random: Random,
  planed?: TestPerturbation,
): {
  perturbation: Perturbation | undefined;
  plane: Perturbation | undefined;
  weights: Float64Array[];
  /** The weights of each branch with this many times its noise. */
  weightsAt: (times: number) => Float64Array[];
} {
  const noise = randomBranches(branches, 0.3, random);
  const upload = (test: TestPerturbation | undefined, part: TrainedPart) =>
    test && uploadPerturbation(
      bench,
      trainableOf(tensor, randomWord(random), test.form, test.span, part),
      test.distribution,
      noise,
      random,
    );
  const own = upload(scales, "scales");
  const plane = upload(planed, secondPart(packed.layout) ?? "scales");
  const scaled = (move: PlaneMove | undefined, times: number) =>
    move && {
      ...move,
      noise: move.noise && { ...move.noise, amplitude: move.noise.amplitude * times },
    };
  const weightsAt = (times: number) =>
    noise.map((_, b) => {
      const move = scaled(own?.moves[b], times);
      const second = scaled(plane?.moves[b], times) ?? null;
      return move
        ? effectiveWeights(packed, move.offsets, move.form, move.span, move.noise, second)
        : effectiveWeights(packed, null, "absolute", packed.columns, null, second);
    });
  return {
    perturbation: own?.perturbation,
    plane: plane?.perturbation,
    weights: weightsAt(1),
    weightsAt,
  };
}
