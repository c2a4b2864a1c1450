/**
 * lavapipe, Mesa's software adapter, computes in vectors of 256 bits unless it is told otherwise. Where the processor has AVX-512, 512 bits
 * give the same bits of results, in products of many rows sooner and in those of one row later (`bench/results/width.md`): they are asked
 * for where a setting says so. lavapipe reads its own when the first adapter of a process is asked for.
 *
 * Mesa's cache of compiled shaders does not tell widths apart, so 512 bits have a folder of their own.
 *
 * @module
 */

/** What of the machine is asked and set. */
export interface WideVectorsHost {
  /** An environment variable; undefined also where it may not be read. */
  get(name: string): string | undefined;
  /** Sets one, or removes it. */
  set(name: string, value: string | undefined): void;
  /** What the processor can do, as Linux lists it; undefined where that cannot be read. */
  processor(): string | undefined;
  /** Whether a GPU is there beside the processor, as far as that can be seen. */
  hardware(): boolean;
  /** Makes a folder. */
  makeFolder(path: string): void;
}

/** What was done, and why. */
export interface WideVectors {
  /** Whether 512 bits are asked for. */
  readonly on: boolean;
  /** In words. */
  readonly reason: string;
  /** Puts the variables back, where the adapter turns out to be another. */
  readonly undo: () => void;
}

/** The setting: `512`, or `off`, which is the default. */
export const WIDTH_VARIABLE = "QZO_VECTOR_WIDTH";
const MESA_WIDTH = "LP_NATIVE_VECTOR_WIDTH";
const MESA_CACHE = "MESA_SHADER_CACHE_DIR";

/**
 * Asks for 512 bits where they are wanted and can be had, and nobody has set lavapipe's own variable.
 *
 * @param wanted Undefined: as the setting says
 * @throws {RangeError} For a setting that is neither `off` nor `512`
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

/** Whether the Vulkan loader was told to look at lavapipe alone. */
function namesLavapipe(host: WideVectorsHost): boolean {
  const files = host.get("VK_DRIVER_FILES") ?? host.get("VK_ICD_FILENAMES");
  return files !== undefined && files.split(":").every((file) => /\blvp_icd\b/.test(file));
}

/** Where Mesa keeps its cache. */
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

/** This process's machine; of use on Linux only, elsewhere it knows nothing. */
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

/** {@linkcode widenVectors} for this process: the first call decides. */
export function widenOnce(wanted?: boolean): WideVectors {
  return decided ??= widenVectors(wanted, processHost);
}

/** What was done about wide vectors in this process; undefined before its first device. */
export function wideVectors(): WideVectors | undefined {
  return decided;
}
