/**
 * A cache of compiled pipelines, keyed by shader text. The same text is compiled once. If a shader does not compile,
 * the error shows the line.
 *
 * @module
 */

import { expandShader, type ShaderKey, type ShaderLibrary } from "./template.ts";

/**
 * The compute pipelines of one device, by source.
 *
 * @example The same text is compiled once
 * ```ts
 * import { openGpu, PipelineCache } from "@qzo/qzo/kernels";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * const pipelines = PipelineCache.of(gpu.device);
 * const source = "@compute @workgroup_size(1) fn main() {}";
 * assert(pipelines.get("nothing", source) === pipelines.get("nothing again", source));
 * ```
 */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #variants = new WeakMap<
    ShaderLibrary,
    Map<string, Map<string, GPUComputePipeline>>
  >();

  static readonly #ofDevices = new WeakMap<GPUDevice, PipelineCache>();

  /**
   * The cache of `device`, shared by all its users. `compilesLate` also applies to the device, so only the first call's
   * value counts.
   */
  static of(device: GPUDevice, compilesLate: boolean = false): PipelineCache {
    let cache = PipelineCache.#ofDevices.get(device);
    if (!cache) {
      cache = new PipelineCache(device, compilesLate);
      PipelineCache.#ofDevices.set(device, cache);
    }
    return cache;
  }

  readonly #compilesLate: boolean;
  readonly #cold = new WeakSet<GPUComputePipeline>();

  /**
   * Creates a cache for `device`. Set `compilesLate` if its driver compiles a pipeline only when it first runs, as
   * software adapters do.
   */
  constructor(device: GPUDevice, compilesLate: boolean = false) {
    this.#device = device;
    this.#compilesLate = compilesLate;
  }

  /** Notes that a pipeline is about to run, and returns whether it will be compiled now, which can take a second. */
  runs(pipeline: GPUComputePipeline): boolean {
    return this.#cold.delete(pipeline);
  }

  /** Whether a pipeline would be compiled if it ran now. */
  isCold(pipeline: GPUComputePipeline): boolean {
    return this.#cold.has(pipeline);
  }

  /** Number of pipelines compiled so far. */
  get size(): number {
    return this.#pipelines.size;
  }

  /**
   * The pipeline of `source`, whose entry point is `main`. It is compiled on first use.
   *
   * @throws {SyntaxError} when it does not compile; the message contains the compiler's message and the shader's lines.
   */
  get(label: string, source: string): GPUComputePipeline {
    let pipeline = this.#pipelines.get(source);
    if (!pipeline) {
      pipeline = this.#compile(label, source);
      this.#pipelines.set(source, pipeline);
    }
    return pipeline;
  }

  /**
   * The pipeline of a template variant, as `get` of the expanded text. The template is expanded only once, because the
   * text of a large tile has 100 KB and a plan has hundreds of dispatches.
   *
   * @throws {SyntaxError} when the template cannot be expanded or the text does not compile.
   */
  variant(
    label: string,
    template: string,
    key: ShaderKey,
    library: ShaderLibrary,
  ): GPUComputePipeline {
    let templates = this.#variants.get(library);
    if (!templates) this.#variants.set(library, templates = new Map());
    let variants = templates.get(template);
    if (!variants) templates.set(template, variants = new Map());
    const name = JSON.stringify(key);
    let pipeline = variants.get(name);
    if (!pipeline) {
      pipeline = this.get(label, expandShader(template, key, library));
      variants.set(name, pipeline);
    }
    return pipeline;
  }

  #compile(label: string, source: string): GPUComputePipeline {
    const device = this.#device;
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label, code: source });
    const pipeline = device.createComputePipeline({
      label,
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    if (this.#compilesLate) this.#cold.add(pipeline);
    // The scope resolves later; `check` then throws the error.
    device.popErrorScope().then((error) => {
      if (error) this.#failure ??= compileError(label, source, error.message);
    }, () => {});
    return pipeline;
  }

  #failure: SyntaxError | undefined;

  /** Throws the first compile error, if there was one. Call it after an `await`. */
  check(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }
}

function compileError(label: string, source: string, message: string): SyntaxError {
  const line = Number(/:(\d+):\d+/.exec(message)?.[1] ?? 0);
  const lines = source.split("\n");
  const around = line > 0
    ? lines.slice(Math.max(0, line - 4), line + 3).map((text, i) =>
      `${String(Math.max(1, line - 3) + i).padStart(5)} | ${text}`
    ).join("\n")
    : "";
  return new SyntaxError(`Cannot compile shader "${label}":\n${message}\n${around}`);
}
