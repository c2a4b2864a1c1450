import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  compileGraph,
  DeviceLostError,
  DeviceTensor,
  Graph,
  NoAdapterError,
  OffsetSet,
  openGpu,
  OutOfMemoryError,
  SHADER_LIBRARY,
  Storage,
  trainableOf,
} from "../../../kernels/mod.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { randomPacked } from "../bench.ts";
import { chooseTile } from "../../../kernels/matmul/tiles.ts";

const gpu = await openGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const FILL = `@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(1)
fn main() { y[0] = VALUE; }`;

/** Runs a graph of one dispatch that writes one word. */
async function runOne(source: string, value: number): Promise<number> {
  const graph = new Graph();
  const y = graph.value("y", 1);
  graph.add({
    label: "one",
    source,
    key: { VALUE: value },
    reads: {},
    writes: { 1: y },
    parameters: [],
    workgroups: 1,
  });
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY, [y]);
  assertEquals(plan.dispatches, 1);
  const encoder = gpu.device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  plan.encode(pass);
  pass.end();
  gpu.device.queue.submit([encoder.finish()]);
  const [bytes] = await gpu.read([{ buffer: plan.buffer(y), bytes: 4 }]);
  return new Uint32Array(bytes)[0];
}

Deno.test("memory is accounted by part, now and at its highest", () => {
  const before = gpu.memory;
  {
    using a = gpu.buffer("a", 100, "weights");
    assertEquals(a.size, 112);
    assertEquals(gpu.memory.current.weights, before.current.weights + 112);
    {
      using _b = gpu.buffer("b", 1, "offsets");
      assertEquals(gpu.memory.current.offsets, before.current.offsets + 16);
      assertEquals(gpu.memory.total, before.total + 128);
    }
    a[Symbol.dispose]();
    a[Symbol.dispose]();
    assertEquals(gpu.memory.current, before.current, "freed twice");
  }
  assertEquals(gpu.memory.current, before.current);
  assert(gpu.memory.peak.weights >= before.current.weights + 112);
  assert(gpu.memory.peakTotal >= before.total + 128);
});

Deno.test("ranges of several buffers come back in one read", async () => {
  using a = gpu.upload("a", new Uint32Array([1, 2, 3, 4, 5]), "scratch");
  using b = gpu.upload("b", new Float32Array([0.5, -1]), "scratch");
  const held = gpu.memory.total;
  const [first, second] = await gpu.read([{ buffer: a, offset: 8, bytes: 12 }, {
    buffer: b,
    bytes: 8,
  }]);
  assertEquals([...new Uint32Array(first)], [3, 4, 5]);
  assertEquals([...new Float32Array(second)], [0.5, -1]);
  assertEquals([...await gpu.readFloats(b, 2)], [0.5, -1]);
  assertEquals(gpu.memory.total, held, "the readback buffer stayed");
});

Deno.test("storage that is not allocated has a size and no buffer", () => {
  using storage = new Storage("x", 17, "scratch");
  assertEquals(storage.bytes, 32);
  assertThrows(() => storage.buffer, TypeError, 'Cannot use "x": it is not allocated');
  assertEquals(storage.allocate(gpu).allocate(gpu).buffer.size, 32);
});

Deno.test("a buffer beyond the device's largest is refused with both sizes", () => {
  const { maxBufferSize } = gpu.limits;
  const bytes = (Math.floor(maxBufferSize / 16) + 1) * 16;
  assertThrows(
    () => gpu.buffer("huge", bytes, "weights"),
    RangeError,
    `Cannot allocate "huge": ${bytes} bytes exceed this device's largest buffer, ${maxBufferSize}`,
  );
});

Deno.test("the adapter's own limits are requested", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  for (const name of ["maxStorageBufferBindingSize", "maxBufferSize"] as const) {
    assertEquals(gpu.limits[name], Number(adapter!.limits[name]), name);
  }
  assert(gpu.maxBinding <= gpu.limits.maxBufferSize);
});

Deno.test("the same shader is compiled once, another key is another pipeline", async () => {
  const before = gpu.pipelines.size;
  assertEquals(await runOne(FILL, 7), 7);
  assertEquals(gpu.pipelines.size, before + 1);
  assertEquals(await runOne(FILL, 7), 7);
  assertEquals(gpu.pipelines.size, before + 1);
  assertEquals(await runOne(FILL, 8), 8);
  assertEquals(gpu.pipelines.size, before + 2);
});

Deno.test("a shader that does not compile is named, with its lines", async () => {
  const error = await assertRejects(
    () => runOne(FILL.replace("VALUE;", "missing;"), 1),
    SyntaxError,
  );
  assert(error.message.includes('Cannot compile shader "one"'), error.message);
  assert(/4 \| fn main\(\) \{ y\[0\] = missing; \}/.test(error.message), error.message);
  assertEquals(await runOne(FILL, 7), 7, "the device is of use after it");
});

Deno.test("validation errors are raised at the next check, once", async () => {
  gpu.device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.MAP_WRITE });
  await gpu.device.queue.onSubmittedWorkDone();
  assertThrows(() => gpu.check(), Error, `The device "${gpu.description}" reported`);
  gpu.check();
});

Deno.test("an adapter of another name is refused with the name of the one that is there", async () => {
  const error = await assertRejects(() => openGpu({ adapter: "no such adapter" }), NoAdapterError);
  assert(error.message.includes("no such adapter") && error.message.includes(gpu.description));
  const name = gpu.description.slice(0, 6).toUpperCase();
  using found = await openGpu({ adapter: name });
  assertEquals(found.description, gpu.description);
});

Deno.test("a disposed device says so", async () => {
  const other = await openGpu();
  const buffer = other.buffer("x", 16, "scratch");
  other[Symbol.dispose]();
  other[Symbol.dispose]();
  assertThrows(() => other.check(), DeviceLostError, "it has been disposed");
  assertThrows(() => other.buffer("y", 16, "scratch"), DeviceLostError);
  await assertRejects(() => other.read([{ buffer }]), DeviceLostError);
});

Deno.test("a device that is lost says so, and a borrowed device is not destroyed", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter!.requestDevice();
  const borrowed = await openGpu({ device });
  borrowed[Symbol.dispose]();
  device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE }).destroy();
  const again = await openGpu({ device });
  again.check();
  device.destroy();
  await device.lost;
  assertThrows(() => again.check(), DeviceLostError, "it was lost (destroyed)");
});

Deno.test("errors are the built-in or named after what happened", () => {
  assertEquals(new OutOfMemoryError("x").name, "OutOfMemoryError");
  assertEquals(new DeviceLostError("x").name, "DeviceLostError");
  assert(new NoAdapterError("x") instanceof Error);
});

Deno.test("a value that no dispatch writes is named", () => {
  const graph = new Graph();
  const lonely = graph.value("lonely", 4);
  graph.add({
    label: "one",
    source: FILL,
    key: { VALUE: 1 },
    reads: { 2: lonely },
    writes: { 1: graph.value("y", 1) },
    parameters: [],
    workgroups: 1,
  });
  assertThrows(
    () => compileGraph(gpu, graph, SHADER_LIBRARY),
    TypeError,
    '"lonely" is never written',
  );
});

Deno.test("a plan costs what its graph says, and frees it", () => {
  const graph = new Graph();
  const y = graph.value("y", 100);
  graph.add({
    label: "one",
    source: FILL,
    key: { VALUE: 1 },
    reads: {},
    writes: { 1: y },
    parameters: [],
    workgroups: 1,
  });
  const before = gpu.memory.current;
  {
    using _plan = compileGraph(gpu, graph, SHADER_LIBRARY, [y]);
    const priced = graph.storages([y]).storages.reduce((sum, s) => sum + s.bytes, 0);
    assertEquals(gpu.memory.current.activations - before.activations, priced);
    assertEquals(gpu.memory.current.scratch - before.scratch, graph.parameterBytes);
  }
  assertEquals(gpu.memory.current, before);
});

Deno.test("tensors of impossible shapes, rows and spans are refused", () => {
  const layout = { kind: "scalar", bits: 4, center: 8, second: "none", group: 64 } as const;
  for (const [rows, columns] of [[0, 32], [4, 0], [4, 33], [NaN, 32]]) {
    assertThrows(() => new DeviceTensor("w", layout, rows, columns, 2 ** 20), RangeError, '"w"');
  }
  using tensor = new DeviceTensor("w", layout, 6, 64, 2 ** 20);
  const packed = randomPacked(layout, 4, 64, randomNumbers(1));
  for (const firstRow of [1, 4]) {
    assertThrows(() => tensor.write(gpu, packed, firstRow), RangeError, 'of "w"');
  }
  assertThrows(() => trainableOf(tensor, 1, "absolute", 32), RangeError, "Cannot train");
  const trainable = trainableOf(tensor, 1, "relative", 32);
  assertEquals([trainable.count, trainable.span], [16, 32]);
  assertThrows(() => new OffsetSet([trainable], 128), RangeError, "exceed one binding of 128");
});

Deno.test("a tensor written in stretches is the tensor written whole", async () => {
  const layout = { kind: "scalar", bits: 3, center: 4, second: "none", group: 96 } as const;
  const packed = randomPacked(layout, 131, 96, randomNumbers(2));
  const rowBytes = 36;
  using whole = new DeviceTensor("w", layout, 131, 96, 64 * rowBytes);
  using parts = new DeviceTensor("w", layout, 131, 96, 64 * rowBytes);
  whole.write(gpu, packed);
  for (let first = 0; first < 131; first += 38) {
    const rows = Math.min(38, 131 - first);
    const codes = packed.codes.slice(first * 9, (first + rows) * 9);
    const scales = packed.scales.slice(first / 2, first / 2 + Math.ceil(rows / 2));
    parts.write(gpu, { ...packed, rows, codes, scales }, first);
  }
  const read = (tensor: DeviceTensor) =>
    gpu.read(tensor.storages.map((s) => ({ buffer: s.buffer })));
  assertEquals(await read(parts), await read(whole));
});

Deno.test("tiles have a multiple of four columns on every kind of adapter", () => {
  const layout = { kind: "dense", type: "f32" } as const;
  for (const adapterClass of ["software", "hardware"] as const) {
    for (const [rows, branches] of [[1, 1], [1, 2], [2, 1], [3, 4], [7, 2], [8, 1], [500, 2]]) {
      const tile = chooseTile(adapterClass, layout, rows, branches, 100);
      assertEquals(tile.columns % 4, 0);
      assert(tile.rows >= 1 && tile.workgroup >= 1);
    }
  }
});
