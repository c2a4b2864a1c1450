import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Gpu, openGpu, selfCheck } from "../../kernels/mod.ts";
import { openSharedGpu } from "./one_device.ts";

/** A device of its own, as no other test may meet it, whose driver misreads shaders that contain `text`. */
async function misreading(text: string, as: string): Promise<{ gpu: Gpu; shaders: () => number }> {
  const gpu = await openGpu();
  const create = gpu.device.createShaderModule.bind(gpu.device);
  let shaders = 0;
  gpu.device.createShaderModule = (descriptor) => {
    if (descriptor.code.includes(text)) shaders++;
    return create({ ...descriptor, code: descriptor.code.replaceAll(text, as) });
  };
  return { gpu, shaders: () => shaders };
}

Deno.test("self-check: every check is right here, and time bounds how many are made", async () => {
  using gpu = await openSharedGpu();
  const all = await selfCheck(gpu, { milliseconds: Infinity });
  assertEquals(all.left, []);
  for (const { name, right, found } of all.checks) assert(right, `${name}: ${found}`);
  const held = gpu.memory.total;
  const few = await selfCheck(gpu, { milliseconds: 0 });
  assertEquals(gpu.memory.total, held);
  assert(few.left.length > 0);
  assertEquals(
    [...few.checks.map(({ name }) => name), ...few.left],
    all.checks.map(({ name }) => name),
  );
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => selfCheck(gpu, { signal }), Error, "enough");
});

Deno.test("self-check: a driver that computes wrongly is found out", async () => {
  for (
    const [text, as, names] of [
      ["threefry_round(v, 17u)", "threefry_round(v, 18u)", ["offsets of a replayed step"]],
      ["exp(", "exp(0.99 * ", ["norm and attention"]],
    ] as const
  ) {
    const { gpu, shaders } = await misreading(text, as);
    using opened = gpu;
    const { checks } = await selfCheck(opened, { milliseconds: Infinity });
    assert(shaders() > 0, text);
    const wrong = checks.filter(({ right }) => !right).map(({ name }) => name);
    assertEquals(wrong, [...names], text);
  }
});
