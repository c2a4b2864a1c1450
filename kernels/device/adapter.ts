/**
 * Describes adapters, and opens devices with all the limits and features of their adapter.
 *
 * @module
 */

/** The least and greatest number of lanes in a subgroup. */
export interface SubgroupSizes {
  /** Least number of lanes. */
  readonly min: number;
  /** Greatest number of lanes. */
  readonly max: number;
}

/** A description of the adapter for people. */
export function describeAdapter(info: GPUAdapterInfo): string {
  return info.description || [info.vendor, info.architecture, info.device].join(" ").trim() ||
    "unnamed adapter";
}

/** Whether an adapter computes on the CPU. */
export function isSoftware(info: GPUAdapterInfo): boolean {
  return /llvmpipe|swiftshader|lavapipe|software|basic render/i.test(describeAdapter(info));
}

/** Vendor ids of PCI and Khronos, in decimal as Deno reports them. */
const VENDORS: Readonly<Record<string, string>> = {
  "4098": "AMD",
  "4203": "Apple",
  "4318": "NVIDIA",
  "4112": "Imagination",
  "5045": "Arm",
  "5140": "Microsoft",
  "6880": "Google",
  "20803": "Qualcomm",
  "32902": "Intel",
  "65541": "Mesa",
};

/** The adapter's vendor: a name if the id is known, otherwise the vendor that the adapter reports. Metal adapters report only their own name. */
export function vendorOf(info: GPUAdapterInfo): string {
  const { vendor } = info;
  if (vendor in VENDORS) return VENDORS[vendor];
  if (/^apple\b/i.test(info.description)) return "Apple";
  return vendor === "" || vendor === "0" ? "unknown" : vendor;
}

const WANTED_FEATURES: readonly GPUFeatureName[] = ["shader-f16", "timestamp-query"];

/**
 * Requests a device with the limits of its adapter, and with subgroups if the request succeeds. Deno grants subgroups
 * without listing them, so this has to be tried.
 */
export async function requestDevice(
  adapter: GPUAdapter,
): Promise<{ device: GPUDevice; subgroups: SubgroupSizes | undefined }> {
  const requiredLimits: Record<string, number> = {};
  for (const [name, value] of Object.entries(readLimits(adapter.limits))) {
    if (Number.isSafeInteger(value)) requiredLimits[name] = value;
  }
  const requiredFeatures = WANTED_FEATURES.filter((f) => adapter.features.has(f));
  const { subgroupMinSize: min, subgroupMaxSize: max } = adapter.info;
  // An adapter without subgroups reports a size of 0. Do not request them from it, because a failed request would use up the adapter.
  if (max !== 0) {
    try {
      const device = await adapter.requestDevice({
        requiredLimits,
        requiredFeatures: [...requiredFeatures, "subgroups"],
      });
      return { device, subgroups: { min: min ?? 4, max: max ?? 128 } };
    } catch {
      // Rejected, which uses up nothing. The request below is without subgroups, and reports whatever else is wrong.
    }
  }
  return {
    device: await adapter.requestDevice({ requiredLimits, requiredFeatures }),
    subgroups: undefined,
  };
}

/** Limits as plain numbers. Some versions report them as BigInt. */
export function readLimits(limits: GPUSupportedLimits): Record<keyof GPUSupportedLimits, number> {
  const out: Record<string, number> = {};
  for (
    const name of new Set([
      ...Object.keys(limits),
      ...Object.getOwnPropertyNames(Object.getPrototypeOf(limits)),
    ])
  ) {
    const value = (limits as unknown as Record<string, unknown>)[name];
    if (typeof value === "number" || typeof value === "bigint") out[name] = Number(value);
  }
  return out as Record<keyof GPUSupportedLimits, number>;
}
