import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { writeTests } from "../../scripts/test_modules.ts";
import { testRun } from "../../scripts/test_run.ts";
import { sampleSeed } from "../support/sampled.ts";
import { swiftShader } from "../support/vulkan_drivers.ts";

Deno.test("every kernel equals its oracle on a second adapter, SwiftShader", async () => {
  if (swiftShader === undefined) {
    return console.log(
      "skipped, because SwiftShader is not installed (scripts/test_tools.sh does)",
    );
  }
  const root = fromFileUrl(new URL("../..", import.meta.url));
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
    .map((name) => `tests/kernels/${name}_test.ts`);
  const folder = await Deno.makeTempDir();
  try {
    const run = await testRun({
      // One module: the files share a device, and what it has compiled.
      args: ["-A", "--no-check", await writeTests(folder, root, files)],
      cwd: root,
      // An eighth of each matrix, another one each day: SwiftShader keeps no compiled shaders and takes three minutes for all.
      env: {
        ...{ VK_DRIVER_FILES: swiftShader, VK_ICD_FILENAMES: swiftShader, NO_COLOR: "1" },
        QZO_SHARE: "0.125",
        QZO_SEED: String(sampleSeed),
      },
    });
    assert(run.success && run.passed > files.length && run.skipped === 0, run.printed);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
