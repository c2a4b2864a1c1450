import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import {
  compileGraph,
  Graph,
  openGpu,
  Pacing,
  pacingLimits,
  SHADER_LIBRARY,
  Storage,
} from "../../../kernels/mod.ts";
import { PACING_LIMITS } from "../../../kernels/device/pacing.ts";
import { submitPlan } from "../../../kernels/device/submit_plan.ts";

/** A clock that stands until it is set. */
function clock(): { now: () => number; at: (milliseconds: number) => void } {
  let time = 0;
  return { now: () => time, at: (milliseconds) => void (time = milliseconds) };
}

Deno.test("the limits are those of the platform", () => {
  assertEquals(pacingLimits(false, "MacIntel"), PACING_LIMITS.apple);
  assertEquals(pacingLimits(false, "Linux x86_64"), PACING_LIMITS.other);
  assertEquals(pacingLimits(false, "Win32").submission, 250);
  assertEquals(pacingLimits(true, "MacIntel"), PACING_LIMITS.software);
  for (const value of [0, -1, NaN]) {
    assertThrows(() => new Pacing({ dispatch: 50, submission: value }), RangeError, "submission");
  }
});

Deno.test("the rate is the work of the last waits over their time, one wait ahead of another", () => {
  const { now, at } = clock();
  const pacing = new Pacing({ dispatch: 50, submission: 250 }, now);
  const guess = pacing.rate;
  pacing.sent(4000);
  const first = pacing.mark();
  at(10);
  pacing.sent(4000);
  const second = pacing.mark();
  // The first wait ends when both are done, as Deno's may: 4000 in 80 ms, then 4000 in none.
  at(80);
  first();
  assertAlmostEquals(pacing.rate, 50, 1e-9);
  second();
  // Too short to say anything.
  assertAlmostEquals(pacing.rate, 50, 1e-9);
  pacing.sent(8000);
  const third = pacing.mark();
  at(240);
  third();
  assertAlmostEquals(pacing.rate, 12000 / 240, 1e-9);
  assertAlmostEquals(pacing.submissionWork, 250 * 50, 1e-6);
  assertAlmostEquals(pacing.dispatchWork, 50 * 50, 1e-6);
  assert(guess > 0);
  for (let i = 0; i < 4; i++) {
    pacing.sent(100);
    const mark = pacing.mark();
    at(now() + 100);
    mark();
  }
  assertAlmostEquals(pacing.rate, 1, 1e-9);
  // A wait in which something was compiled is none for the rate.
  pacing.sent(100, true);
  pacing.sent(100);
  const compiled = pacing.mark();
  at(now() + 5000);
  compiled();
  assertAlmostEquals(pacing.rate, 1, 1e-9);
});

Deno.test("plans are stale where their dispatches take too long, or are split far too small", () => {
  const { now, at } = clock();
  const pacing = new Pacing({ dispatch: 50, submission: 250 }, now);
  pacing.sent(100_000);
  const mark = pacing.mark();
  at(100);
  mark();
  assertEquals(pacing.dispatchWork, 50_000);
  assertEquals(pacing.isStale(60_000, true), false);
  assertEquals(pacing.isStale(80_000, true), true);
  assertEquals(pacing.isStale(80_000, false), true);
  assertEquals(pacing.isStale(5_000, true), true);
  assertEquals(pacing.isStale(5_000, false), false);
});

/** Each invocation writes its number and how often it was reached. */
const NUMBERED = `
struct Params { first_group: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = p.first_group * 4u + id.x;
  if (i < arrayLength(&y)) { y[i] = y[i] + i + 1u; }
}`;

Deno.test("a dispatch is split into as many as its work asks for, each workgroup runs once, and so is a submission", async () => {
  // 2e7 multiply-adds a millisecond are assumed: 100 a dispatch, 250 a submission.
  using gpu = await openGpu({ pacing: { dispatch: 100 / 2e7, submission: 250 / 2e7 } });
  using y = new Storage("y", 36 * 4, "scratch").allocate(gpu);
  const graph = new Graph();
  const dispatch = { label: "numbered", source: NUMBERED, key: {}, reads: {}, writes: { 1: y } };
  graph.add({ ...dispatch, parameters: [0], workgroups: 9, firstGroup: 0, work: 450 });
  graph.add({ ...dispatch, parameters: [0], workgroups: 9, work: 450 });
  using plan = compileGraph(gpu, graph, SHADER_LIBRARY);
  assertEquals([plan.dispatches, plan.parts, plan.isSplit, plan.largest], [2, 6, true, 100]);
  let submissions = 0;
  const { queue } = gpu.device;
  const submit = queue.submit.bind(queue);
  queue.submit = (buffers) => {
    submissions++;
    submit(buffers);
  };
  submitPlan(gpu, plan);
  // Software compiles what runs for the first time: 100, then 100 + 100, 100 + 50, and 450 that cannot be split.
  assertEquals(submissions, gpu.adapterClass === "software" ? 4 : 3);
  submissions = 0;
  submitPlan(gpu, plan);
  // 100 + 100, 100 + 100 + 50, then 450.
  assertEquals(submissions, 3);
  const [bytes] = await gpu.read([{ buffer: y.buffer }]);
  assertEquals([...new Uint32Array(bytes)], Array.from({ length: 36 }, (_, i) => 4 * (i + 1)));
});
