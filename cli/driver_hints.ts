/**
 * Hints on what to install if WebGPU finds no adapter, or only a software adapter.
 *
 * @module
 */

/** Facts about a machine. {@linkcode thisMachine} collects those of this one. */
export interface Machine {
  /** Operating system: `linux`, `darwin`, `windows` or another. */
  readonly os: string;
  /** Text of `/etc/os-release`. Undefined if it is missing or unreadable. */
  readonly release: string | undefined;
  /** Paths at which the Vulkan loader exists. */
  readonly loaders: readonly string[];
  /** Paths of the manifest files of Vulkan drivers. */
  readonly drivers: readonly string[];
  /** The environment variable that names driver manifests, and those of its files that do not exist. Undefined if no such variable is set. */
  readonly named: { readonly variable: string; readonly missing: readonly string[] } | undefined;
}

interface Packages {
  readonly install: string;
  readonly loader: string;
  readonly software: string;
}

/** Package names of the loader and the software driver, by `ID` or `ID_LIKE` of the release file. */
const DISTRIBUTIONS: Readonly<Record<string, Packages>> = {
  debian: { install: "apt install", loader: "libvulkan1", software: "mesa-vulkan-drivers" },
  fedora: { install: "dnf install", loader: "vulkan-loader", software: "mesa-vulkan-drivers" },
  rhel: { install: "dnf install", loader: "vulkan-loader", software: "mesa-vulkan-drivers" },
  suse: { install: "zypper install", loader: "libvulkan1", software: "libvulkan_lvp" },
  arch: { install: "pacman -S", loader: "vulkan-icd-loader", software: "vulkan-swrast" },
  alpine: { install: "apk add", loader: "vulkan-loader", software: "mesa-vulkan-swrast" },
};

function packagesOf(release: string | undefined): Packages | undefined {
  const ids = [...(release ?? "").matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)]
    .flatMap(([, value]) => value.split(" "));
  return ids.map((id) => DISTRIBUTIONS[/suse/.test(id) ? "suse" : id]).find((it) => it);
}

/**
 * Hints on what to do, one sentence each, the likeliest first.
 *
 * @param found Whether there is no adapter or only a software adapter.
 */
export function driverHints(machine: Machine, found: "none" | "software"): string[] {
  const { os, release, loaders, drivers, named } = machine;
  if (os === "darwin") {
    return [
      found === "none"
        ? "macOS includes Metal: a virtual machine needs a GPU passed through to it, and a Mac needs at least macOS 10.15"
        : "This virtual machine has no GPU passed through to it",
    ];
  }
  if (os === "windows") {
    return [
      "Install the latest driver from the GPU's manufacturer (NVIDIA, AMD or Intel), not the one that comes with Windows",
      "Over remote desktop and in virtual machines the GPU may have to be passed through",
    ];
  }
  const packages = packagesOf(release);
  const install = (of: "loader" | "software", words: string): string =>
    packages ? `${words}: ${packages.install} ${packages[of]}` : words;
  const hints: string[] = [];
  if (named !== undefined && named.missing.length > 0) {
    hints.push(
      `${named.variable} names ${named.missing.join(", ")}, which does not exist: unset it`,
    );
  }
  if (loaders.length === 0) hints.push(install("loader", "Install the Vulkan loader"));
  if (drivers.length === 0) {
    hints.push(
      install(
        "software",
        "Install a Vulkan driver: Mesa's for AMD, for Intel, or if there is no GPU",
      ),
    );
  }
  hints.push(
    "For NVIDIA, install its own driver; in containers, NVIDIA_DRIVER_CAPABILITIES must be all or include graphics",
  );
  if (loaders.length > 0 && drivers.length > 0) {
    hints.push(
      "For AMD and Intel, the user must be in the group render or video (ls -l /dev/dri)",
    );
  }
  return hints;
}

const LOADERS = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/usr/local/lib",
  "/lib",
].map((folder) => `${folder}/libvulkan.so.1`);
const DRIVERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/** Facts about this machine. Whatever the process may not read counts as missing. */
export function thisMachine(): Machine {
  const tried = <T>(ask: () => T): T | undefined => {
    try {
      return ask();
    } catch {
      return undefined;
    }
  };
  const isThere = (path: string): boolean => tried(() => Deno.statSync(path)) !== undefined;
  const variable = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].find((it) =>
    tried(() => Deno.env.get(it))
  );
  const files = variable === undefined ? [] : Deno.env.get(variable)!.split(":");
  return {
    os: Deno.build.os,
    release: tried(() => Deno.readTextFileSync("/etc/os-release")),
    loaders: LOADERS.filter(isThere),
    drivers: variable === undefined
      ? DRIVERS.flatMap((folder) =>
        (tried(() => [...Deno.readDirSync(folder)]) ?? []).map(({ name }) => `${folder}/${name}`)
      ).sort()
      : files.filter(isThere),
    named: variable === undefined
      ? undefined
      : { variable, missing: files.filter((path) => !isThere(path)) },
  };
}
