/**
 * onnxruntime-web's `MatMulNBits` on Deno's WebGPU, with which our quantised matrix product is compared.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { join } from "@std/path";
import { findPeer } from "../../tests/support/peers.ts";
import { matMulNBitsModel, type MatMulNBitsOptions } from "./onnx_model.ts";

/** The part of onnxruntime-web that is used here. */
interface Ort {
  readonly env: {
    readonly wasm: { numThreads: number; wasmBinary?: ArrayBuffer };
    readonly webgpu: { device: Promise<GPUDevice> };
    logLevel: string;
  };
  readonly InferenceSession: {
    create(model: Uint8Array, options: Record<string, unknown>): Promise<OrtSession>;
  };
  readonly Tensor: {
    fromGpuBuffer(
      buffer: GPUBuffer,
      options: { dataType: "float32"; dims: readonly number[] },
    ): OrtTensor;
  };
}

interface OrtTensor {
  dispose(): void;
}

interface OrtSession {
  run(
    feeds: Record<string, OrtTensor>,
    fetches: Record<string, OrtTensor>,
  ): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** The matrices to multiply, and the device. */
export interface OnnxMatmulOptions extends MatMulNBitsOptions {
  /** Activations `[M][K]`. Default: zeros. */
  readonly x?: Float32Array<ArrayBuffer>;
  /** The device to share, with every limit and feature of the adapter, as onnxruntime requests for its own. Default: its own device. */
  readonly device?: GPUDevice;
}

/** A loaded matmul whose input and output stay on the GPU. */
export interface OnnxMatmul {
  readonly device: GPUDevice;
  /** Queues one multiplication; awaiting it does not wait for the GPU. */
  run(): Promise<void>;
  /** Reads the output of the last run, `[M][N]`; this waits for the GPU. */
  output(): Promise<Float32Array<ArrayBuffer>>;
  /** Frees the session and its buffers. */
  release(): Promise<void>;
}

let loaded: Promise<Ort> | undefined;

async function load(): Promise<Ort> {
  const peer = await findPeer("onnxruntime-web");
  if (peer.folder === undefined) throw new Error(`Cannot run onnxruntime-web: ${peer.reason}`);
  const dist = join(peer.folder, "onnxruntime-web", "dist");
  const ort: Ort = await import(pathToFileURL(join(dist, "ort.webgpu.bundle.min.mjs")).href);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary =
    (await Deno.readFile(join(dist, "ort-wasm-simd-threaded.asyncify.wasm"))).buffer;
  ort.env.logLevel = "error";
  return ort;
}

/** Why onnxruntime-web cannot be used here. Undefined if it can. */
export async function onnxMissing(): Promise<string | undefined> {
  return (await findPeer("onnxruntime-web")).reason;
}

/**
 * Loads a 4-bit matmul into onnxruntime-web.
 *
 * @throws {Error} when onnxruntime-web is not installed, or does not run the node on the GPU.
 */
export async function createOnnxMatmul(options: OnnxMatmulOptions): Promise<OnnxMatmul> {
  const { M, K, N } = options;
  const ort = await (loaded ??= load());
  const session = await ort.InferenceSession.create(matMulNBitsModel(options), {
    executionProviders: [{ name: "webgpu", ...(options.device && { device: options.device }) }],
    // Without a CPU fallback, a node that WebGPU does not support is an error instead of a slow result.
    extra: { session: { disable_cpu_ep_fallback: "1" } },
  });
  const device = options.device ?? await ort.env.webgpu.device;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const input = device.createBuffer({ size: M * K * 4, usage });
  const output = device.createBuffer({ size: M * N * 4, usage });
  if (options.x) device.queue.writeBuffer(input, 0, options.x);
  const feeds = { x: ort.Tensor.fromGpuBuffer(input, { dataType: "float32", dims: [M, K] }) };
  const fetches = { y: ort.Tensor.fromGpuBuffer(output, { dataType: "float32", dims: [M, N] }) };
  return {
    device,
    async run() {
      await session.run(feeds, fetches);
    },
    async output() {
      const staging = device.createBuffer({
        size: M * N * 4,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(output, 0, staging, 0, M * N * 4);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const values = new Float32Array(staging.getMappedRange().slice(0));
      staging.destroy();
      return values;
    },
    async release() {
      await session.release();
      input.destroy();
      output.destroy();
    },
  };
}
