import { assert, assertEquals, assertRejects } from "@std/assert";
import { isSoftware, requestDevice, vendorOf } from "../../../kernels/device/adapter.ts";
import { openGpu, subgroupSizes } from "../../../kernels/mod.ts";

const info = (over: Partial<GPUAdapterInfo>): GPUAdapterInfo => ({
  vendor: "",
  architecture: "",
  device: "",
  description: "",
  ...over,
} as GPUAdapterInfo);

/** An adapter that grants some features and notes what it was asked for. */
function adapter(
  granted: readonly string[],
  listed: readonly string[],
  over: Partial<GPUAdapterInfo> = {},
): { adapter: GPUAdapter; asked: string[][] } {
  const asked: string[][] = [];
  const fake = {
    info: info({ subgroupMinSize: 8, subgroupMaxSize: 32, ...over }),
    features: new Set(listed),
    limits: { maxBufferSize: 2n ** 31n, maxBindGroups: 4, name: "not a limit" },
    requestDevice: (
      { requiredFeatures, requiredLimits }: {
        requiredFeatures: string[];
        requiredLimits: Record<string, number>;
      },
    ) => {
      asked.push(requiredFeatures);
      assertEquals(requiredLimits, { maxBufferSize: 2 ** 31, maxBindGroups: 4 });
      return requiredFeatures.every((it) => granted.includes(it))
        ? Promise.resolve(requiredFeatures)
        : Promise.reject(new TypeError("requiredFeatures must be a subset"));
    },
  };
  return { adapter: fake as unknown as GPUAdapter, asked };
}

Deno.test("adapter: subgroups are found by asking, and done without where they are refused", async () => {
  const granting = adapter(["shader-f16", "subgroups"], ["shader-f16", "rare"]);
  assertEquals((await requestDevice(granting.adapter)).subgroups, { min: 8, max: 32 });
  assertEquals(granting.asked, [["shader-f16", "subgroups"]]);
  const refusing = adapter(["shader-f16"], ["shader-f16"]);
  const { device, subgroups } = await requestDevice(refusing.adapter);
  assertEquals([device as unknown, subgroups], [["shader-f16"], undefined]);
  assertEquals(refusing.asked, [["shader-f16", "subgroups"], ["shader-f16"]]);
  const none = adapter([], [], { subgroupMinSize: 0, subgroupMaxSize: 0 });
  assertEquals((await requestDevice(none.adapter)).subgroups, undefined);
  assertEquals(none.asked, [[]]);
  await assertRejects(() => requestDevice(adapter([], ["shader-f16"]).adapter), TypeError);
});

Deno.test("adapter: the maker is named from its id, and software is told from hardware", () => {
  assertEquals(vendorOf(info({ vendor: "4318" })), "NVIDIA");
  assertEquals(vendorOf(info({ vendor: "0", description: "Apple M2" })), "Apple");
  assertEquals(vendorOf(info({ vendor: "nvidia" })), "nvidia");
  assertEquals(vendorOf(info({ vendor: "0" })), "unknown");
  assert(isSoftware(info({ description: "llvmpipe (LLVM 15.0.6, 256 bits)" })));
  assert(!isSoftware(info({ description: "NVIDIA H200" })));
});

Deno.test("adapter: where subgroups are granted, lanes add up in groups of a size that was told", async () => {
  using gpu = await openGpu();
  assertEquals(gpu.features.has("subgroups"), gpu.subgroups !== undefined);
  const sizes = await subgroupSizes(gpu);
  if (gpu.subgroups === undefined) return assertEquals(sizes, []);
  assert(sizes.length > 0);
  for (const size of sizes) {
    assert(size >= gpu.subgroups.min && size <= gpu.subgroups.max, `${size}`);
  }
});
