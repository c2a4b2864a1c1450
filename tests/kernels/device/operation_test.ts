import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  batchLayout,
  DeviceTensor,
  type ForwardContext,
  Graph,
  matmul,
  operationsOf,
  rmsNorm,
  rope,
  siluGate,
  Storage,
} from "../../../kernels/mod.ts";

Deno.test("a graph names its operations in order, with what each reads and leaves", () => {
  const graph = new Graph();
  const context: ForwardContext = {
    graph,
    branches: 1,
    rows: 2,
    batch: new Storage("batch", 256, "scratch"),
    layout: batchLayout({ rows: 2, lossRows: 1, candidates: 1, examples: 1 }),
    adapterClass: "software",
    perturbation: () => undefined,
  };
  const weight = new DeviceTensor("w", { kind: "dense", type: "f32" }, 8, 8, 2 ** 20);
  const gain = new DeviceTensor("g", { kind: "dense", type: "f32" }, 1, 8, 2 ** 20);
  const x = graph.value("x", 16);
  const normed = rmsNorm(context, x, gain, 1e-5);
  const turned = rope(context, normed, new Storage("table", 256, "scratch"), {
    heads: 1,
    headDimension: 8,
    interleaved: false,
  });
  const residual = graph.value("residual", 16);
  const y = matmul(graph, turned, weight, {
    rows: 2,
    branches: 1,
    adapterClass: "software",
    residual,
  });
  const gated = siluGate(context, y, turned);

  const found = operationsOf(graph);
  assertEquals(found.map(({ operation }) => operation.name), [
    "rms norm",
    "rope",
    "matmul",
    "silu gate",
  ]);
  assertEquals(found.map(({ inputs }) => inputs), [
    [x],
    [normed],
    [turned, residual],
    [y, turned],
  ]);
  assertEquals(found.map(({ output }) => output), [normed, turned, y, gated]);
  // Who walks backwards has to know that what rope read is no longer there.
  assertStrictEquals(turned, normed);
  assertEquals(found.map(({ operation }) => operation.inPlace ?? false), [
    false,
    true,
    false,
    false,
  ]);
  assertStrictEquals((found[2].attributes as { weight: DeviceTensor }).weight, weight);
  assertEquals(operationsOf(new Graph()), []);
});
