/**
 * Memory and time of a step against the length of a sequence: planned for large models, which need not be downloaded, and planned, measured and timed
 * for a small one. Results are kept in a file and not measured again, so it can be interrupted; the page and the picture are made from that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl } from "@std/path";
import { type Gpu, loadModel, openGpu, planMemory, planOffsets, quantizedSource } from "../mod.ts";
import { configFromHuggingFace, packBatch } from "../models/mod.ts";
import { foAdam, forwardGrad, foSgd, hybridZoFo, type Optimiser, zoSgd } from "../optim/mod.ts";
import { modelOfShape } from "../train/steps/memory_plan.ts";
import type { Checkpoints } from "../train/steps/record_step.ts";
import { Trainer } from "../train/steps/trainer.ts";
import { keepRow, readRows } from "./support/kept_rows.ts";
import { lengthsReport, type LengthsRow } from "./support/lengths_report.ts";
import { describeMachine } from "./support/machine.ts";
import { RANDOM_SHAPE, randomModel, textOf } from "./support/random_model.ts";
import { median, type Taken, timed } from "./support/timing.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("lengths.jsonl");

/** A kind of step, with its name on the page. */
interface Method {
  readonly name: string;
  readonly optimiser: Optimiser;
  readonly checkpoints?: Checkpoints;
}

const METHODS: readonly Method[] = [
  { name: "zoSgd", optimiser: zoSgd() },
  { name: "forwardGrad", optimiser: forwardGrad() },
  { name: "foSgd, each block recomputed", optimiser: foSgd(), checkpoints: "block" },
  { name: "foSgd, four blocks at a time", optimiser: foSgd(), checkpoints: 4 },
  { name: "foSgd, everything kept", optimiser: foSgd(), checkpoints: "all" },
  { name: "foAdam, each block recomputed", optimiser: foAdam(), checkpoints: "block" },
  { name: "hybridZoFo, each block recomputed", optimiser: hybridZoFo(), checkpoints: "block" },
];

/** The models of ZO-LLM (arXiv 2402.11592) and QZO (2505.13430), with the values of their `config.json`. */
const PLANNED: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "OPT-13B": {
    model_type: "opt",
    hidden_size: 5120,
    word_embed_proj_dim: 5120,
    num_hidden_layers: 40,
    num_attention_heads: 40,
    ffn_dim: 20480,
    vocab_size: 50272,
    max_position_embeddings: 2048,
    do_layer_norm_before: true,
  },
  "Llama-2-7B": {
    model_type: "llama",
    hidden_size: 4096,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    intermediate_size: 11008,
    vocab_size: 32000,
    max_position_embeddings: 4096,
  },
};
const PLANNED_TOKENS = [128, 256, 512, 768, 1024, 1536, 2048];

const MEASURED = "random Llama";
const SHAPE = { ...RANDOM_SHAPE, hidden: 256, layers: 8, feedForward: 704, heads: 4, kvHeads: 4 };
const MEASURED_TOKENS = [64, 128, 256, 512];

const HELP = `Plans the memory of a step of OPT-13B and Llama-2-7B at 4 bits for sequences of ${
  PLANNED_TOKENS.join(", ")
} tokens,
plans, measures and times it for a random model with 6 M weights, and writes a page and a picture.

Usage: deno task bench lengths [options]

  --rounds N  timed steps of each kind (default 3)
  --table     write the page and the picture of what is done, measure nothing
  --help      this text`;

function batchOf(tokens: number) {
  return packBatch(textOf(1, tokens), "language-modelling", 4096);
}

/** Plans for every optimiser and length, for models of which only the shape is known. */
function planned(): LengthsRow[] {
  return Object.entries(PLANNED).flatMap(([model, config]) => {
    const source = modelOfShape(configFromHuggingFace(config), "int4_g128", { embedding: "F16" });
    return PLANNED_TOKENS.flatMap((tokens) => {
      const { shape } = batchOf(tokens);
      return METHODS.map(({ name: method, optimiser, checkpoints }): LengthsRow => {
        const plan = planMemory(source, { optimiser, shape, checkpoints, maxPositions: 2048 });
        return { model, method, tokens, planned: plan };
      });
    });
  });
}

/** Plans and makes a step of the random model, and times further steps. */
async function measured(
  gpu: Gpu,
  { name: method, optimiser, checkpoints }: Method,
  { tokens, rounds }: { readonly tokens: number; readonly rounds: number },
): Promise<LengthsRow> {
  using source = quantizedSource(await randomModel(SHAPE), { format: "Q4_0" });
  const batch = batchOf(tokens);
  const { adapterClass, maxBinding } = gpu;
  const plan = planMemory(source, {
    ...{ optimiser, checkpoints, shape: batch.shape, adapterClass, maxBinding },
  });
  const before = gpu.memory.current;
  using model = await loadModel(gpu, source);
  using offsets = planOffsets(model, optimiser, maxBinding, {}).allocate(gpu);
  using trainer = new Trainer(model, optimiser, offsets, { seed: 1, checkpoints });
  const steps: Taken[] = [];
  // The first step includes compilation.
  for (let step = 0; step <= rounds; step++) {
    const taken = await timed(async () => {
      trainer.enqueue(step, batch);
      await trainer.drain();
    });
    if (step > 0) steps.push(taken);
  }
  const { current } = gpu.memory;
  const accounted = {
    weights: current.weights - before.weights,
    offsets: current.offsets - before.offsets,
    activations: current.activations - before.activations,
    optimiser: current.optimiser - before.optimiser,
    scratch: current.scratch - before.scratch,
  };
  return {
    ...{ model: MEASURED, method, tokens, planned: plan },
    accounted: { ...accounted, total: Object.values(accounted).reduce((a, b) => a + b, 0) },
    processor: Math.round(median(steps.map(({ processor }) => processor))),
    clock: Math.round(median(steps.map(({ clock }) => clock))),
    machine: await describeMachine(gpu.description),
  };
}

/** Plans, makes the measurements that are not done yet, and writes the page and the picture. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["rounds"],
    boolean: ["table", "help"],
    default: { rounds: "3" },
  });
  if (args.help) return console.log(HELP);
  const nameOf = ({ method, tokens }: LengthsRow) => `${method} ${tokens}`;
  if (!args.table) {
    const done = new Set((await readRows<LengthsRow>(ROWS)).map(nameOf));
    using gpu = await openGpu();
    for (const tokens of MEASURED_TOKENS) {
      for (const method of METHODS) {
        if (done.has(`${method.name} ${tokens}`)) continue;
        const row = await measured(gpu, method, { tokens, rounds: Number(args.rounds) });
        await keepRow(ROWS, row);
        console.log(`${nameOf(row)}: ${row.accounted?.total} bytes, ${row.processor} ms`);
      }
    }
  }
  const { text, picture } = lengthsReport([...planned(), ...await readRows<LengthsRow>(ROWS)]);
  await Deno.writeTextFile(results("lengths.md"), text);
  await Deno.writeTextFile(results("lengths.svg"), picture);
  console.log(text);
}

if (import.meta.main) await main(Deno.args);
