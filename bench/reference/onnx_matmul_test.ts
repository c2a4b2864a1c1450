import { assert } from "@std/assert";
import { createOnnxMatmul, onnxMissing } from "./onnx_matmul.ts";
import { matmul } from "../../tests/reference/matmul.ts";
import { relativeL2 } from "../../tests/reference/nmse.ts";
import { randomNormals, randomNumbers } from "../../tests/support/random_llama.ts";

const adapter = await navigator.gpu?.requestAdapter() ?? null;
const missing = await onnxMissing() ?? (adapter ? undefined : "no WebGPU adapter");

/** The limits of an adapter in the form that requestDevice takes. */
function allLimits(limits: GPUSupportedLimits): Record<string, number> {
  const result: Record<string, number> = {};
  for (const name in limits) {
    const value: unknown = Reflect.get(limits, name);
    if (typeof value === "number" || typeof value === "bigint") result[name] = Number(value);
  }
  return result;
}

Deno.test({
  name: "onnxruntime-web on our device multiplies as the oracle does" +
    (missing ? ` (skipped: ${missing})` : ""),
  ignore: missing !== undefined,
  // onnxruntime-web keeps its Wasm heap and its GPU context until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    if (!adapter) return;
    const device = await adapter.requestDevice({
      requiredLimits: allLimits(adapter.limits),
      requiredFeatures: [...adapter.features] as GPUFeatureName[],
    });
    const random = randomNumbers(7);
    for (const [M, K, N, block] of [[3, 256, 96, 32], [5, 512, 64, 128]]) {
      const codes = Uint8Array.from({ length: N * K }, () => random() * 16);
      const scales = randomNormals(N * K / block, 0.01, random);
      const x = randomNormals(M * K, 1, random);
      const peer = await createOnnxMatmul({ M, K, N, block, codes, scales, x, device });
      await peer.run();
      const found = await peer.output();
      await peer.release();
      const weights = Float64Array.from(
        codes,
        (code, i) => (code - 8) * scales[Math.floor(i / block)],
      );
      const shape = { branches: 1, rows: M, inputs: K, outputs: N };
      const error = relativeL2(found, matmul(shape, [weights], x));
      assert(error < 1e-6, `relative L2 is ${error}`);
    }
  },
});
