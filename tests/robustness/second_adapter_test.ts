import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { swiftShader } from "../support/vulkan_drivers.ts";

Deno.test("every kernel equals its oracle on a second adapter, SwiftShader", async () => {
  if (swiftShader === undefined) {
    return console.log(
      "skipped, because SwiftShader is not installed (scripts/test_tools.sh does)",
    );
  }
  const kernels = fromFileUrl(new URL("../kernels/", import.meta.url));
  const files = [
    "losses",
    "matmul",
    "perturbed_plane",
    "operations",
    "noise",
    "step",
    "update_rule",
    "accept",
  ]
    .map((name) => `${kernels}${name}_test.ts`);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--quiet", ...files],
    env: { VK_DRIVER_FILES: swiftShader, VK_ICD_FILENAMES: swiftShader, NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
});
