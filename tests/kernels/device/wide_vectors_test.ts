import { assert, assertEquals, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import {
  widenVectors,
  type WideVectorsHost,
  WIDTH_VARIABLE,
} from "../../../kernels/device/wide_vectors.ts";
import { lavapipe } from "../../support/vulkan_drivers.ts";

const AVX512 = "flags : fpu avx2 avx512f avx512dq";

/** A machine that was never there, its variables, and the folders made. */
function machine(
  variables: Record<string, string>,
  over: Partial<WideVectorsHost> = {},
): { host: WideVectorsHost; variables: Record<string, string>; folders: string[] } {
  const folders: string[] = [];
  const host: WideVectorsHost = {
    get: (name) => variables[name],
    set: (name, value) => {
      if (value === undefined) delete variables[name];
      else variables[name] = value;
    },
    processor: () => AVX512,
    hardware: () => false,
    makeFolder: (path) => void folders.push(path),
    ...over,
  };
  return { host, variables, folders };
}

Deno.test("wide vectors: a setting or an option asks for them, with a cache of their own", () => {
  for (
    const [wanted, setting, on] of [
      [undefined, undefined, false],
      [undefined, "off", false],
      [undefined, "512", true],
      [true, undefined, true],
      [false, "512", false],
    ] as const
  ) {
    const before = { HOME: "/h", ...setting === undefined ? {} : { [WIDTH_VARIABLE]: setting } };
    const { host, variables, folders } = machine({ ...before });
    const wide = widenVectors(wanted, host);
    assertEquals(wide.on, on);
    assertEquals(
      variables,
      on
        ? {
          ...before,
          LP_NATIVE_VECTOR_WIDTH: "512",
          MESA_SHADER_CACHE_DIR: "/h/.cache/qzo-512",
        }
        : before,
    );
    assertEquals(folders, on ? ["/h/.cache/qzo-512"] : []);
    wide.undo();
    assertEquals(variables, before);
  }
});

Deno.test("wide vectors: what the user set stays, and undoing brings it back", () => {
  const own = machine({ HOME: "/h", LP_NATIVE_VECTOR_WIDTH: "128", [WIDTH_VARIABLE]: "512" });
  assertEquals(widenVectors(true, own.host).on, false);
  assertEquals(own.variables.LP_NATIVE_VECTOR_WIDTH, "128");
  const cached = machine({ MESA_SHADER_CACHE_DIR: "/c", XDG_CACHE_HOME: "/x" });
  const wide = widenVectors(true, cached.host);
  assertEquals(cached.variables.MESA_SHADER_CACHE_DIR, "/c/qzo-512");
  wide.undo();
  assertEquals(cached.variables, { MESA_SHADER_CACHE_DIR: "/c", XDG_CACHE_HOME: "/x" });
});

Deno.test("wide vectors: not without AVX-512, beside a GPU, or where nothing may be set", () => {
  const none = machine({}, { processor: () => "flags : fpu avx2" });
  assertEquals(widenVectors(true, none.host).reason, "the processor has no AVX-512");
  const hardware = machine({}, { hardware: () => true });
  assertEquals(widenVectors(true, hardware.host).reason, "there is a GPU");
  const files = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
  for (
    const [VK_DRIVER_FILES, on] of [[files, true], [`${files}:/radeon_icd.json`, false]] as const
  ) {
    const { host } = machine({ VK_DRIVER_FILES }, { hardware: () => true });
    assertEquals(widenVectors(true, host).on, on);
  }
  const unknown = machine({}, { processor: () => undefined });
  assertEquals(widenVectors(true, unknown.host).on, true);
  const makeFolder = (): never => {
    throw new Error("read-only");
  };
  const readOnly = machine({ HOME: "/h" }, { makeFolder });
  const refused = widenVectors(true, readOnly.host);
  assertEquals([refused.on, refused.reason], [false, "it could not be set: read-only"]);
  assertEquals(readOnly.variables, { HOME: "/h" });
  assertThrows(
    () => widenVectors(undefined, machine({ [WIDTH_VARIABLE]: "1024" }).host),
    RangeError,
    'Cannot set QZO_VECTOR_WIDTH to "1024": expected off or 512',
  );
});

Deno.test("wide vectors: on lavapipe 512 bits are had, and results have the bits of 256", async () => {
  const processor = await Deno.readTextFile("/proc/cpuinfo").catch(() => "");
  if (lavapipe === undefined || !/\bavx512f\b/.test(processor)) {
    console.log("skipped, because it needs lavapipe and a processor with AVX-512");
    return;
  }
  const child = fromFileUrl(import.meta.resolve("./wide_vectors_child.ts"));
  const caches = await Deno.makeTempDir();
  try {
    const run = async (width: string): Promise<{ description: string; bits: string }> => {
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", child],
        env: {
          VK_DRIVER_FILES: lavapipe!,
          VK_ICD_FILENAMES: lavapipe!,
          [WIDTH_VARIABLE]: width,
          MESA_SHADER_CACHE_DIR: caches,
        },
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      return JSON.parse(new TextDecoder().decode(stdout));
    };
    const [narrow, wide] = [await run("off"), await run("512")];
    assert(!narrow.description.includes("512 bits"), narrow.description);
    assert(wide.description.includes("512 bits"), wide.description);
    assertEquals(wide.bits, narrow.bits);
    await Deno.stat(`${caches}/qzo-512`);
  } finally {
    await Deno.remove(caches, { recursive: true });
  }
});
