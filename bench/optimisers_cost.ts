/**
 * Measures the cost of each named optimiser beyond its forward passes: memory of offsets and state, and the time of what follows the losses of a step
 * (scalar program, update, projection) relative to the step's forward passes, dispatch by dispatch, by the device's own clock if it has one.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import {
  type Example,
  type Gpu,
  loadModel,
  type Model,
  openGpu,
  planOffsets,
  quantizedSource,
} from "../mod.ts";
import { compileGraph, SHADER_LIBRARY, StepState } from "../kernels/mod.ts";
import { packBatch } from "../models/mod.ts";
import { ggufModelSource } from "../models/checkpoints/gguf/open_gguf.ts";
import { parseTimes, StepClock } from "../train/steps/step_clock.ts";
import { recordStep } from "../train/steps/record_step.ts";
import { stepInputs } from "../train/steps/step_inputs.ts";
import {
  masterSeed,
  moveSeeds,
  namedOptimisers,
  type Optimiser,
  optimiserNames,
} from "../optim/mod.ts";
import { bytesSource } from "../quant/mod.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../tests/support/gguf_writer.ts";
import { permuteHeads, randomLlama } from "../tests/support/random_llama.ts";
import { describeMachine } from "./support/machine.ts";

const HELP = `Prints the cost of every named optimiser as a markdown table.

Usage: deno task bench optimisers-cost [options]

  --format NAME   format of the weights (default Q4_0: one scale per 32)
  --examples N    examples per batch, 24 tokens each (default 16)
  --repeats N     repetitions of updates, and a third as many of forward passes; medians are shown (default 5)
  --only NAMES    names of optimisers, comma-separated
  --small         use a model with 0.1 M weights instead of 22 M, to check that it runs
  --help          this text`;

const LENGTH = 24;
/** Repetitions of what follows the losses within a measurement, because it takes little time. */
const UPDATES = 20;
const TARGET = 0.03;

const common = { vocabulary: 512, epsilon: 1e-5, ropeBase: 1e4, rope: "norm" } as const;
const LARGE = { ...common, hidden: 512, layers: 7, feedForward: 1376, heads: 8, kvHeads: 8 };
const SMALL = { ...common, hidden: 64, layers: 2, feedForward: 128, heads: 4, kvHeads: 4 };

/** All optimisers by name. Those with two kinds of state occur with both. */
function optimisers(): ReadonlyMap<string, Optimiser> {
  const shared = { form: "relative", learningRate: 1e-6 } as const;
  return new Map(optimiserNames.flatMap((name) => {
    const make = namedOptimisers[name];
    // Exact gradients have their own benchmark, derivatives.
    if (make().estimator.exact) return [];
    const own: [string, Optimiser] = [name, make(shared)];
    return Object.hasOwn(make.options, "state")
      ? [own, [`${name}, state: seeds`, make({ ...shared, state: "seeds" })] as const]
      : [own];
  }));
}

/** Median time of the dispatches in one pass, in milliseconds. */
async function timed(
  gpu: Gpu,
  repeats: number,
  encode: (pass: GPUComputePassEncoder) => void,
): Promise<number> {
  using clock = gpu.features.has("timestamp-query") ? new StepClock(gpu, 1) : undefined;
  const times: number[] = [];
  // The first run includes compilation and fills caches.
  for (let i = 0; i <= repeats; i++) {
    const began = performance.now();
    const encoder = gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass(clock?.next());
    encode(pass);
    pass.end();
    gpu.device.queue.submit([encoder.finish()]);
    await gpu.device.queue.onSubmittedWorkDone();
    const wall = performance.now() - began;
    if (clock) {
      const [bytes] = await gpu.read([clock.resolve()]);
      const [{ begin, end }] = parseTimes(new BigUint64Array(bytes));
      times.push((end - begin) / 1e6);
    } else times.push(wall);
    gpu.check();
  }
  return times.slice(1).sort((a, b) => a - b)[Math.floor(repeats / 2)];
}

interface Cost {
  readonly passes: number;
  /** Bytes of offsets; `state` has the bytes of everything that the optimiser stores. */
  readonly offsets: number;
  readonly state: number;
  /** Milliseconds of all forward passes of a step; `update` has those of what follows them. */
  readonly forwards: number;
  readonly update: number;
}

async function measure(
  gpu: Gpu,
  model: Model,
  rule: Optimiser,
  examples: readonly Example[],
  repeats: number,
): Promise<Cost> {
  using offsets = planOffsets(model, rule, gpu.maxBinding).allocate(gpu);
  using state = new StepState(rule, 256);
  const moments = offsets.moments(rule.update).flat();
  const batch = packBatch(examples, "classification", model.maxPositions);
  const { maxBinding } = gpu;
  const step = recordStep(model, rule, offsets, state, batch.shape, { maxBinding });
  for (const storage of [...state.storages, ...moments, ...step.storages]) storage.allocate(gpu);
  using plan = compileGraph(gpu, step.graph, SHADER_LIBRARY);
  const { queue } = gpu.device;
  const master = masterSeed(0);
  const inputs = stepInputs(rule, master, 0, batch, step.layout);
  queue.writeBuffer(step.input.buffer.buffer, 0, inputs);
  queue.writeBuffer(state.control.buffer.buffer, 0, state.initialControl());

  const scalar = [`${rule.name} scalar step`, `${rule.name} accepts`];
  const kinds = step.graph.dispatches.map(({ label }) =>
    scalar.includes(label) ? "scalar" : /^(update|project) /.test(label) ? "update" : "forward"
  );
  const encode = (kind: string) => (pass: GPUComputePassEncoder) =>
    kinds.forEach((it, i) => it === kind && plan.encodeOne(pass, i));
  const many = (kind: string) => (pass: GPUComputePassEncoder) => {
    for (let i = 0; i < UPDATES; i++) encode(kind)(pass);
  };
  const forwards = await timed(gpu, Math.ceil(repeats / 3), encode("forward"));
  const scalars = await timed(gpu, repeats, many("scalar")) / UPDATES;
  // All coefficients are non-zero, because a step that moves nothing would cost less.
  const moves = moveSeeds(rule.plan, rule.estimator.directions, master, 0);
  const words = new Uint32Array(moves.length * 4);
  moves.forEach((seed, i) => {
    words.set(seed, i * 4);
    new Float32Array(words.buffer)[i * 4 + 2] = 2 ** -30;
  });
  queue.writeBuffer(state.coefficients.buffer.buffer, 0, words);
  const updates = await timed(gpu, repeats, many("update")) / UPDATES;
  for (const storage of step.storages) storage[Symbol.dispose]();
  const bytes = (list: readonly { readonly bytes: number }[]) =>
    list.reduce((sum, storage) => sum + storage.bytes, 0);
  const passesOf = (branches: number) => Math.ceil(branches / step.layout.perPass);
  return {
    passes: passesOf(rule.estimator.branches.length) +
      passesOf(rule.accept?.candidates.length ?? 0),
    offsets: bytes(offsets.arenas),
    state: bytes([...moments, state.control, state.coefficients]),
    forwards,
    update: scalars + updates,
  };
}

/** Prints the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["format", "examples", "repeats", "only"],
    boolean: ["small", "help"],
    default: { format: "Q4_0", examples: "16", repeats: "5" },
  });
  if (args.help) return console.log(HELP);
  const all = optimisers();
  const wanted = args.only?.split(",") ?? [...all.keys()];
  for (const name of wanted) {
    if (all.has(name)) continue;
    throw new RangeError(
      `Unknown optimiser "${name}"; expected one of ${[...all.keys()].join("; ")}`,
    );
  }
  const shape = args.small ? SMALL : LARGE;
  const weights = permuteHeads(shape, randomLlama(shape, { seed: 1, tied: true }));
  const bytes = ggufBytes(llamaMetadata(shape), llamaF32Tensors(shape, weights));
  using dense = await ggufModelSource(bytesSource(bytes as Uint8Array<ArrayBuffer>, "random"));
  using source = quantizedSource(dense, { format: args.format });
  using gpu = await openGpu();
  using model = await loadModel(gpu, source);
  const count = Object.values(weights).reduce((sum, values) => sum + values.length, 0);
  const examples = Array.from({ length: Number(args.examples) }, (_, i): Example => ({
    prompt: Array.from({ length: LENGTH }, (_, j) => 3 + (i * 31 + j * 17) % 500),
    candidates: [[5], [6]],
    label: i % 2,
  }));
  console.log(`${await describeMachine(gpu.description)}\n`);
  console.log(
    `${
      (count / 1e6).toFixed(1)
    } M weights in ${args.format}, relative offsets, ${args.examples} examples of ${LENGTH} tokens, ` +
      `${
        gpu.features.has("timestamp-query") ? "the device's clock" : "wall clock"
      }, median of ${args.repeats}. ` +
      `Update: scalar program, offsets and projection. Target: at most ${
        100 * TARGET
      } % of the step's forwards.\n`,
  );
  console.log(
    "| optimiser | forwards | passes | offsets, KiB | state, KiB | forwards, ms | update, ms | of one forward | of the step's forwards |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|");
  const beyond: string[] = [];
  for (const name of wanted) {
    const rule = all.get(name)!;
    const cost = await measure(gpu, model, rule, examples, Number(args.repeats));
    const share = cost.update / cost.forwards;
    if (share > TARGET) beyond.push(name);
    const percent = (value: number) => `${(100 * value).toFixed(2)} %`;
    const kib = (value: number) => (value / 1024).toFixed(value < 1e5 ? 1 : 0);
    console.log(
      `| ${name} | ${rule.evaluations} | ${cost.passes} | ${kib(cost.offsets)} | ${
        kib(cost.state)
      } | ${cost.forwards.toFixed(1)} | ${cost.update.toFixed(3)} | ${
        percent(share * rule.evaluations)
      } | ${percent(share)} |`,
    );
  }
  console.log(
    beyond.length === 0 ? "\nAll within the target." : `\nBeyond the target: ${beyond.join("; ")}.`,
  );
}

if (import.meta.main) await main(Deno.args);
