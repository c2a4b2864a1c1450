/**
 * By default, lavapipe (Mesa's software adapter) computes with 256-bit vectors. On a processor with AVX-512, 512-bit
 * vectors give the same bits. They make products of many rows faster and products of one row slower
 * (`bench/results/width.md`), so they are used only if a setting asks for them. lavapipe reads its own setting when a
 * process first requests an adapter.
 *
 * Mesa's cache of compiled shaders does not distinguish vector widths, so 512-bit shaders use a separate folder.
 *
 * @module
 */

/** Access to the machine's settings. */
export interface WideVectorsHost {
  /** Reads an environment variable; undefined if it is not set or must not be read. */
  get(name: string): string | undefined;
  /** Sets an environment variable, or removes it. */
  set(name: string, value: string | undefined): void;
  /** The features of the processor as Linux lists them; undefined if they cannot be read. */
  processor(): string | undefined;
  /** Whether the machine seems to have a GPU besides the processor. */
  hardware(): boolean;
  /** Creates a folder. */
  makeFolder(path: string): void;
}

/** The decision about wide vectors, and its reason. */
export interface WideVectors {
  /** Whether 512-bit vectors were requested. */
  readonly on: boolean;
  /** The reason, for people. */
  readonly reason: string;
  /** Restores the environment variables, if the adapter turns out to be a different one. */
  readonly undo: () => void;
}

/** The environment variable with the setting: `512` or `off` (the default). */
export const WIDTH_VARIABLE = "QZO_VECTOR_WIDTH";
const MESA_WIDTH = "LP_NATIVE_VECTOR_WIDTH";
const MESA_CACHE = "MESA_SHADER_CACHE_DIR";

/**
 * Requests 512-bit vectors if they are wanted and available, and lavapipe's own variable is not already set.
 *
 * @param wanted Whether they are wanted. Default: as the environment variable says.
 * @throws {RangeError} for a setting other than `off` and `512`.
 */
export function widenVectors(wanted: boolean | undefined, host: WideVectorsHost): WideVectors {
  const off = (reason: string): WideVectors => ({ on: false, reason, undo: () => {} });
  const setting = host.get(WIDTH_VARIABLE) ?? "off";
  if (!["off", "512"].includes(setting)) {
    throw new RangeError(`Cannot set ${WIDTH_VARIABLE} to "${setting}": expected off or 512`);
  }
  const own = host.get(MESA_WIDTH);
  if (own !== undefined) return off(`${MESA_WIDTH} is set to ${own}`);
  if (!(wanted ?? setting === "512")) return off(`${WIDTH_VARIABLE} is not 512`);
  const flags = host.processor();
  if (flags !== undefined && !/\bavx512f\b/.test(flags)) return off("the processor has no AVX-512");
  if (host.hardware() && !namesLavapipe(host)) return off("there is a GPU");
  const before = host.get(MESA_CACHE);
  const caches = before ?? cacheFolder(host);
  try {
    if (caches !== undefined) {
      const folder = `${caches}/qzo-512`;
      host.makeFolder(folder);
      host.set(MESA_CACHE, folder);
    }
    host.set(MESA_WIDTH, "512");
  } catch (error) {
    tried(() => host.set(MESA_CACHE, before));
    return off(`it could not be set: ${error instanceof Error ? error.message : error}`);
  }
  return {
    on: true,
    reason: flags === undefined
      ? "it was asked for; whether the processor has AVX-512 may not be read"
      : "it was asked for, and the processor has AVX-512",
    undo: () => {
      host.set(MESA_WIDTH, undefined);
      host.set(MESA_CACHE, before);
    },
  };
}

/** Whether the Vulkan loader was restricted to lavapipe. */
function namesLavapipe(host: WideVectorsHost): boolean {
  const files = host.get("VK_DRIVER_FILES") ?? host.get("VK_ICD_FILENAMES");
  return files !== undefined && files.split(":").every((file) => /\blvp_icd\b/.test(file));
}

/** The folder of Mesa's shader cache. */
function cacheFolder(host: WideVectorsHost): string | undefined {
  const caches = host.get("XDG_CACHE_HOME");
  if (caches) return caches;
  const home = host.get("HOME");
  return home ? `${home}/.cache` : undefined;
}

const tried = <T>(ask: () => T): T | undefined => {
  try {
    return ask();
  } catch {
    return undefined; // not there, or not allowed
  }
};

/** The machine of this process. Works on Linux only; elsewhere nothing is known about the machine. */
export const processHost: WideVectorsHost = {
  get: (name) => tried(() => Deno.env.get(name)),
  set: (name, value) => value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value),
  processor: () => tried(() => Deno.readTextFileSync("/proc/cpuinfo")),
  hardware: () =>
    ["/dev/dri", "/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd"]
      .some((path) => tried(() => Deno.statSync(path)) !== undefined),
  makeFolder: (path) => Deno.mkdirSync(path, { recursive: true }),
};

let decided: WideVectors | undefined;

/** {@linkcode widenVectors} for this process. Only the first call has an effect. */
export function widenOnce(wanted?: boolean): WideVectors {
  return decided ??= widenVectors(wanted, processHost);
}

/**
 * The decision about wide vectors in this process. Undefined before its first device is opened.
 *
 * @example Decided when the first device is opened
 * ```ts
 * import { openGpu, wideVectors } from "@qzo/qzo/kernels";
 * import { assert } from "@std/assert";
 *
 * using _gpu = await openGpu();
 * assert(wideVectors()?.reason);
 * ```
 */
export function wideVectors(): WideVectors | undefined {
  return decided;
}
