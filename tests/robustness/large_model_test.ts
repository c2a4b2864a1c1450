import { assert, assertGreater, assertLess } from "@std/assert";
import { fromFileUrl } from "@std/path";

Deno.test("a model of 640 MB is streamed: the host holds little of it beside the device", async () => {
  const child = fromFileUrl(new URL("./large_model_child.ts", import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", child, "640"],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { fileBytes, deviceBytes, hostBytes } = JSON.parse(new TextDecoder().decode(stdout));
  assertGreater(fileBytes, 600 * 2 ** 20);
  assertGreater(deviceBytes, 600 * 2 ** 20);
  // A software adapter's buffers are host memory too and are taken off; garbage not yet collected is not.
  assertLess(hostBytes, 512 * 2 ** 20);
});
