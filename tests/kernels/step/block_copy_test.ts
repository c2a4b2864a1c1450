/** Blocks are copied whole, from where they begin, in the order of the pass. */
import { assertEquals } from "@std/assert";
import { BlockCopy, Storage } from "../../../kernels/mod.ts";
import { openSharedGpu } from "../one_device.ts";

Deno.test("a block is copied from its place, between dispatches of one pass", async () => {
  using gpu = await openSharedGpu();
  // 260 words: more than one workgroup, and not a multiple of 64 quads.
  const words = 260;
  using source = new Storage("source", 3 * 2048, "scratch").allocate(gpu);
  using target = new Storage("target", words * 4, "scratch").allocate(gpu);
  using last = new Storage("last", words * 4, "scratch").allocate(gpu);
  const values = Uint32Array.from({ length: 3 * 512 }, (_, i) => i * 2654435761);
  gpu.device.queue.writeBuffer(source.buffer.buffer, 0, values);
  const toTarget = new BlockCopy(gpu, source, target);
  const onwards = new BlockCopy(gpu, target, last);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  toTarget.encode(pass, 2048);
  onwards.encode(pass, 0);
  toTarget.encode(pass, 4096);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  const [second, first] = await gpu.read([{ buffer: target.buffer }, { buffer: last.buffer }]);
  assertEquals(new Uint32Array(first).slice(0, words), values.slice(512, 512 + words));
  assertEquals(new Uint32Array(second).slice(0, words), values.slice(1024, 1024 + words));
});
