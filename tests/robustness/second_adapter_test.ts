import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

const drivers = [
  fromFileUrl(new URL("../../.tools/swiftshader/vk_swiftshader_icd.json", import.meta.url)),
  "/usr/lib/chromium/vk_swiftshader_icd.json",
];

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

const found = await Promise.all(drivers.map(exists));
const driver = drivers[found.indexOf(true)];

Deno.test("every kernel equals its oracle on a second adapter, SwiftShader", async () => {
  if (driver === undefined) {
    return console.log(
      "skipped, because SwiftShader is not installed (scripts/test_tools.sh does)",
    );
  }
  const kernels = fromFileUrl(new URL("../kernels/", import.meta.url));
  const files = ["losses", "matmul", "operations", "step", "update_rule", "accept"]
    .map((name) => `${kernels}${name}_test.ts`);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--quiet", ...files],
    env: { VK_DRIVER_FILES: driver, VK_ICD_FILENAMES: driver, NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
});
