/**
 * A one-second check of an adapter: compares the results of its kernels with the host.
 *
 * @module
 */

import { applyRecord } from "../optim/steps/apply_record.ts";
import { masterSeed, stepSeed } from "../optim/directions/noise.ts";
import { decode } from "../quant/layouts/decode.ts";
import { quantize } from "../quant/quantisers/round_to_nearest.ts";
import { batchLayout } from "./operations/batch_layout.ts";
import type { Gpu } from "./device/gpu.ts";
import { Graph, type Value } from "./device/graph.ts";
import { compileGraph } from "./device/plan.ts";
import { SHADER_LIBRARY } from "./shader_library.ts";
import { matmul } from "./matmul/matmul.ts";
import { OffsetSet, trainableOf } from "./offsets/offset_set.ts";
import { attention } from "./operations/attention.ts";
import { rmsNorm } from "./operations/norms/rms_norm.ts";
import { replayMoves } from "./step/replay.ts";
import { Storage } from "./device/storage.ts";
import { DeviceTensor } from "./device/tensor.ts";

/** The result of one check. */
export interface KernelCheck {
  /** Name of the check. */
  readonly name: string;
  /** Whether the result is right. */
  readonly right: boolean;
  /** The deviation from the host, for people. */
  readonly found: string;
}

/** The results of all checks, and the checks for which there was no time. */
export interface SelfCheck {
  /** Results in the order of execution. */
  readonly checks: readonly KernelCheck[];
  /** Names of the checks that were not run. */
  readonly left: readonly string[];
}

/** Options of the self-check. */
export interface SelfCheckOptions {
  /**
   * No check starts after this many milliseconds. Default 1000. With a driver that compiles slowly, running all checks
   * takes more.
   */
  readonly milliseconds?: number;
  /** Aborts between checks. */
  readonly signal?: AbortSignal | undefined;
}

/** The greatest normalised mean squared error allowed for a product in f32. */
const MOST_ERROR = 1e-7;

type Check = (gpu: Gpu) => Promise<Omit<KernelCheck, "name">>;

const CHECKS: readonly (readonly [string, Check])[] = [
  ["offsets of a replayed step", replayed],
  ["int4_g32, 1 row", (gpu) => product(gpu, "int4_g32", 1)],
  ["int4_g32, 64 rows", (gpu) => product(gpu, "int4_g32", 64)],
  ["norm and attention", attended],
  ["Q4_K, 64 rows", (gpu) => product(gpu, "Q4_K", 64)],
  ["Q4_K, 1 row", (gpu) => product(gpu, "Q4_K", 1)],
  ["F16, 64 rows", (gpu) => product(gpu, "F16", 64)],
  ["int2_g64, 64 rows", (gpu) => product(gpu, "int2_g64", 64)],
  ["Q3_K, 64 rows", (gpu) => product(gpu, "Q3_K", 64)],
  ["IQ4_NL, 64 rows", (gpu) => product(gpu, "IQ4_NL", 64)],
  ["Q8_0, 64 rows", (gpu) => product(gpu, "Q8_0", 64)],
];

/**
 * Runs the most used kernels first and compares their results with the host.
 *
 * @throws {DeviceLostError} when the device is lost during a check.
 * @throws {SyntaxError} when the driver does not compile a shader.
 *
 * @example Check an adapter
 * ```ts
 * import { openGpu, selfCheck } from "@qzo/qzo/kernels";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * const { checks } = await selfCheck(gpu, { milliseconds: 1 });
 * assert(checks.every(({ right }) => right));
 * ```
 */
export async function selfCheck(
  gpu: Gpu,
  { milliseconds = 1000, signal }: SelfCheckOptions = {},
): Promise<SelfCheck> {
  const started = performance.now();
  const checks: KernelCheck[] = [];
  for (const [name, check] of CHECKS) {
    signal?.throwIfAborted();
    if (checks.length > 0 && performance.now() - started > milliseconds) break;
    checks.push({ name, ...await check(gpu) });
  }
  return { checks, left: CHECKS.slice(checks.length).map(([name]) => name) };
}

/** Pseudorandom numbers between -1 and 1, the same on every machine. */
function numbers(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >> 8) / 2 ** 23;
  });
}

function judged(actual: Float32Array, expected: Float64Array): Omit<KernelCheck, "name"> {
  let error = 0;
  let energy = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    energy += expected[i] ** 2;
  }
  const share = error / energy;
  return { right: share <= MOST_ERROR, found: `error ${share.toExponential(1)} of ${MOST_ERROR}` };
}

/** Runs a graph once and reads a value. */
async function result(gpu: Gpu, graph: Graph, y: Value): Promise<Float32Array> {
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY, [y]);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  plan.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  return await gpu.readFloats(plan.buffer(y), y.words);
}

function stored(gpu: Gpu, label: string, data: ArrayBufferView<ArrayBuffer>): Storage {
  const storage = new Storage(label, data.byteLength, "scratch").allocate(gpu);
  gpu.write(storage.buffer, data);
  return storage;
}

/** The product `x W^T` with a packed W. */
async function product(gpu: Gpu, format: string, rows: number): Promise<Omit<KernelCheck, "name">> {
  const [outputs, inputs] = [72, 256];
  const packed = quantize(numbers(outputs * inputs, 1), outputs, inputs, format);
  const weights = decode(packed);
  const x = numbers(rows * inputs, 2);
  using tensor = new DeviceTensor("check", packed.layout, outputs, inputs, gpu.maxBinding);
  tensor.write(gpu, packed);
  using input = stored(gpu, "x", x);
  const graph = new Graph();
  const { adapterClass } = gpu;
  const y = matmul(graph, input, tensor, { rows, branches: 1, adapterClass });
  const expected = new Float64Array(rows * outputs);
  for (let row = 0; row < rows; row++) {
    for (let n = 0; n < outputs; n++) {
      let sum = 0;
      for (let k = 0; k < inputs; k++) sum += x[row * inputs + k] * weights[n * inputs + k];
      expected[row * outputs + n] = sum;
    }
  }
  return judged(await result(gpu, graph, y), expected);
}

/** Offsets moved by the seeds of a step, compared bit by bit. */
async function replayed(gpu: Gpu): Promise<Omit<KernelCheck, "name">> {
  const packed = quantize(numbers(64 * 256, 3), 64, 256, "int4_g32");
  using tensor = new DeviceTensor("check", packed.layout, 64, 256, gpu.maxBinding);
  tensor.write(gpu, packed);
  let count = 0;
  let wrong = 0;
  for (const dense of ["normal", "rademacher"] as const) {
    const rule = { law: { dense }, form: "relative", projection: "none" } as const;
    const trainable = trainableOf(tensor, 0x1234567, "relative", 32);
    using offsets = new OffsetSet([trainable], gpu.maxBinding).allocate(gpu);
    const steps = Array.from({ length: 3 }, (_, i) => ({
      seeds: [stepSeed(masterSeed(5), i, 0)],
      coefficients: [(i + 1) * 2 ** -7],
    }));
    await replayMoves(gpu, rule, offsets, new Map([["check", tensor]]), steps);
    const found = await gpu.readFloats(offsets.arenas[0].buffer, trainable.count);
    const expected = new Float32Array(trainable.count);
    for (const step of steps) applyRecord(rule, step, { id: trainable.id, offsets: expected });
    count += expected.length;
    wrong += expected.reduce((sum, value, i) => sum + (Object.is(value, found[i]) ? 0 : 1), 0);
  }
  return { right: wrong === 0, found: `${wrong} of ${count} have other bits` };
}

/** Causal attention of one sequence, whose queries are normalised rows. */
async function attended(gpu: Gpu): Promise<Omit<KernelCheck, "name">> {
  const shape = { heads: 4, keyValueHeads: 2, headDimension: 32 };
  const { heads, keyValueHeads, headDimension } = shape;
  const [rows, columns, epsilon] = [24, heads * headDimension, 1e-5];
  const [x, k, v] = [heads, keyValueHeads, keyValueHeads].map((count, i) =>
    numbers(rows * count * headDimension, 4 + i)
  );
  const gains = numbers(columns, 7);
  const layout = batchLayout({ rows, lossRows: 0, candidates: 0, examples: 0 });
  const words = new Uint32Array(layout.words);
  for (let row = 0; row < rows; row++) words[layout.slots + row] = row;
  using batch = stored(gpu, "batch", words);
  using input = stored(gpu, "x", x);
  using keys = stored(gpu, "k", k);
  using values = stored(gpu, "v", v);
  using gain = new DeviceTensor("gain", { kind: "dense", type: "f32" }, 1, columns, gpu.maxBinding);
  gain.write(gpu, quantize(gains, 1, columns, "F32"));
  const graph = new Graph();
  const { adapterClass } = gpu;
  const perturbation = () => undefined;
  const context = { graph, branches: 1, rows, batch, layout, adapterClass, perturbation };
  const y = attention(context, rmsNorm(context, input, gain, epsilon), keys, values, shape);

  const expected = new Float64Array(x.length);
  for (let row = 0; row < rows; row++) {
    const own = Float64Array.from(x.subarray(row * columns, (row + 1) * columns));
    const size = Math.sqrt(own.reduce((sum, it) => sum + it * it, 0) / columns + epsilon);
    for (let head = 0; head < heads; head++) {
      const first = head * headDimension;
      const at = (r: number) =>
        (r * keyValueHeads + Math.floor(head * keyValueHeads / heads)) * headDimension;
      const weights = Array.from({ length: row + 1 }, (_, r) => {
        let dot = 0;
        for (let d = first; d < first + headDimension; d++) {
          dot += own[d] / size * gains[d] * k[at(r) + d - first];
        }
        return Math.exp(dot / Math.sqrt(headDimension));
      });
      const total = weights.reduce((a, b) => a + b, 0);
      weights.forEach((weight, r) => {
        for (let d = 0; d < headDimension; d++) {
          expected[row * columns + first + d] += weight / total * v[at(r) + d];
        }
      });
    }
  }
  return judged(await result(gpu, graph, y), expected);
}
