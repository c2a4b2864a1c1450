/**
 * A matrix product on the device with random packed weights, ready to be queued, for timing.
 *
 * @module
 */
import {
  compileGraph,
  Graph,
  matmul,
  type MatmulOptions,
  offsetWidth,
  type Perturbation,
  SHADER_LIBRARY,
  Storage,
  trainableOf,
} from "../../kernels/mod.ts";
import { DeviceTensor } from "../../kernels/device/tensor.ts";
import type { Gpu } from "../../kernels/device/gpu.ts";
import { type Layout, planeWords } from "../../quant/layouts/layout.ts";
import { emptyPacked } from "../../quant/layouts/planes.ts";
import { randomNumbers } from "../../tests/support/random_llama.ts";
import type { TimedEntry } from "./timing.ts";

/** The layout of `MatMulNBits`: four bits with the centre at 8, and one f16 scale per `group` columns. */
export function fourBits(group: number): Layout {
  return { kind: "scalar", bits: 4, center: 8, second: "none", group };
}

/** The product to compute. */
export interface MatmulCase {
  readonly name: string;
  readonly layout: Layout;
  /** Rows per branch (M). */
  readonly rows: number;
  /** Number of branches. Default 1. */
  readonly branches?: number;
  /** Input features (K). */
  readonly inputs: number;
  /** Output features (N). */
  readonly outputs: number;
  /** Whether the scales have offsets and noise, with a span of one group (in column layouts, 32 columns). Default false. */
  readonly noise?: boolean;
  /** Number of products per run. Default 1. */
  readonly passes?: number;
  /** Overrides the library's own choices. */
  readonly options?: Partial<MatmulOptions>;
}

/** A case with its memory. */
export interface PreparedMatmul extends TimedEntry, Disposable {
  readonly wait: () => Promise<unknown>;
}

/** Allocates and fills everything that `problem` needs on `gpu`. */
export function prepareMatmul(gpu: Gpu, problem: MatmulCase): PreparedMatmul {
  const { layout, rows, branches = 1, inputs, outputs, noise = false, passes = 1 } = problem;
  const random = randomNumbers(1);
  const words = planeWords(layout, outputs, inputs);
  const tensor = new DeviceTensor("weight", layout, outputs, inputs, gpu.maxBinding);
  const halfOfPlainSize = 0x2000; // 2^-7
  const exponents = layout.kind === "super" && layout.scales === "e8m0";
  // Floats with random bits could be NaN, or so small that a processor handles them slowly.
  const code = layout.kind === "dense" ? () => 0x3c003c00 : () => random() * 2 ** 32;
  tensor.write(gpu, {
    layout,
    rows: outputs,
    columns: inputs,
    codes: Uint32Array.from({ length: words.codes }, code),
    scales: new Uint32Array(words.scales).fill(exponents ? 0x7f7f7f7f : halfOfPlainSize * 0x10001),
    // The points of a grid are fixed.
    codebook: layout.kind === "super"
      ? emptyPacked(layout, 0, inputs).codebook
      : new Uint32Array(words.codebook).fill(halfOfPlainSize * 0x10001),
  });
  const x = filled(gpu, "x", Float32Array.from({ length: rows * branches * inputs }, random));
  const owned: Disposable[] = [tensor, x];
  let perturbation: Perturbation | undefined;
  if (noise) {
    const absolute = layout.kind === "scalar" || layout.kind === "dense";
    const form = absolute ? "absolute" : "relative";
    const group = layout.kind === "column" ? 32 : tensor.groupColumns;
    const trainable = trainableOf(tensor, 7, form, group);
    const { count, span } = trainable;
    const offsets = filled(gpu, "offsets", new Float32Array(count));
    const seeds = new DataView(new ArrayBuffer(branches * 16));
    for (let b = 0; b < branches; b++) {
      seeds.setUint32(b * 16, 12345, true);
      seeds.setFloat32(b * 16 + 8, b % 2 ? -1e-3 : 1e-3, true);
    }
    const branchStorage = filled(gpu, "branches", new Uint32Array(seeds.buffer));
    owned.push(offsets, branchStorage);
    perturbation = {
      offsets,
      form,
      span,
      stride: offsetWidth(trainable),
      id: 7,
      noise: { law: { dense: "normal" }, branches: branchStorage },
    };
  }
  const graph = new Graph();
  // As in a forward pass, x is a value written by another dispatch, which runs once and is not timed.
  const input = graph.value("x", rows * branches * inputs);
  graph.add({
    label: "input",
    source: COPY,
    key: {},
    reads: { 1: x },
    writes: { 2: input },
    parameters: [],
    workgroups: Math.ceil(input.words / 64),
  });
  const y = matmul(graph, input, tensor, {
    rows,
    branches,
    perturbation,
    adapterClass: gpu.adapterClass,
    ...problem.options,
  });
  const plan = compileGraph(gpu, graph, SHADER_LIBRARY, [y, input]);
  owned.push(plan);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  plan.encodeOne(pass, 0);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  return {
    name: problem.name,
    run() {
      const encoder = gpu.device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let i = 0; i < passes; i++) {
        for (let d = 1; d < plan.dispatches; d++) plan.encodeOne(pass, d);
      }
      pass.end();
      gpu.device.queue.submit([encoder.finish()]);
    },
    wait: () => gpu.device.queue.onSubmittedWorkDone(),
    [Symbol.dispose]() {
      for (const one of owned) one[Symbol.dispose]();
    },
  };
}

const COPY = `
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> copy: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) wg: vec3<u32>) {
  let i = id.y * (wg.x * 64u) + id.x;
  if (i < arrayLength(&source)) { copy[i] = source[i]; }
}`;

function filled(
  gpu: Gpu,
  label: string,
  data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
): Storage {
  const storage = new Storage(label, data.byteLength, "activations").allocate(gpu);
  gpu.device.queue.writeBuffer(storage.buffer.buffer, 0, data);
  return storage;
}
