import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { testRun } from "../../scripts/test_run.ts";
import { sampleSeed } from "../support/sampled.ts";
import { swiftShader } from "../support/vulkan_drivers.ts";

Deno.test("every kernel equals its oracle on a second adapter, SwiftShader", async () => {
  if (swiftShader === undefined) {
    return console.log(
      "skipped, because SwiftShader is not installed (scripts/test_tools.sh does)",
    );
  }
  const kernels = fromFileUrl(new URL("../kernels/", import.meta.url));
  const files = [
    "operations/losses",
    "matmul/decode",
    "matmul/matmul",
    "matmul/matmul_formats",
    "matmul/perturbed_plane",
    "operations/operations",
    "offsets/noise",
    "step/step",
    "step/scalar_programs",
    "offsets/update_rule",
    "step/accept",
  ]
    .map((name) => `${kernels}${name}_test.ts`);
  const run = await testRun({
    args: ["-A", "--no-check", ...files],
    cwd: fromFileUrl(new URL("../..", import.meta.url)),
    // A quarter of each matrix, another one each day: SwiftShader keeps no compiled shaders and takes three minutes for all.
    env: {
      ...{ VK_DRIVER_FILES: swiftShader, VK_ICD_FILENAMES: swiftShader, NO_COLOR: "1" },
      QZO_SHARE: "0.25",
      QZO_SEED: String(sampleSeed),
    },
  });
  assert(run.success && run.passed > files.length && run.skipped === 0, run.printed);
});
