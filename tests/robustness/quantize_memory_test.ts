import { assert, assertGreater, assertLess } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

async function peakBlocks(way: "stream" | "held", path: string): Promise<number> {
  const child = fromFileUrl(new URL("./quantize_memory_child.ts", import.meta.url));
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--v8-flags=--expose-gc", child, way, path],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { peak, blockBytes } = JSON.parse(new TextDecoder().decode(stdout));
  return peak / blockBytes;
}

Deno.test("quantising with text holds a block of the result, not the model, while it is written", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["model.gguf", "folder"]) {
      const peak = await peakBlocks("stream", join(folder, name));
      assertLess(peak, 2.5, name);
    }
    // What the measure says of a model that is held.
    assertGreater(await peakBlocks("held", join(folder, "held.gguf")), 7);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
