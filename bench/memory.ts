/**
 * Memory of fine-tuning by part: planned for large models, which need not be downloaded, against the paper's figures; and planned against allocated
 * for the bundled model.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import {
  loadModel,
  openGpu,
  openModelSource,
  planMemory,
  planOffsets,
  quantizedSource,
  qzo,
} from "../mod.ts";
import type { BatchShape } from "../kernels/mod.ts";
import { configFromHuggingFace, packBatch } from "../models/mod.ts";
import { addax, foAdam, hybridZoFo, type Optimiser, qzoNormalised } from "../optim/mod.ts";
import { modelOfShape } from "../train/steps/memory_plan.ts";
import { Trainer } from "../train/steps/trainer.ts";

const HELP = `Prints planned and actual memory as markdown tables.

Usage: deno task bench memory`;

/** The shape of a model. The paper's GPU memory is from arXiv 2505.13430, table 2 (SST-2, batch 1). */
interface Shape {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly embedding: string;
  readonly paper: number;
  readonly target: number;
}

const common = {
  model_type: "llama",
  num_hidden_layers: 32,
  num_attention_heads: 32,
  hidden_size: 4096,
};
const SHAPES: readonly Shape[] = [
  {
    name: "Llama-2-7B",
    config: {
      ...common,
      intermediate_size: 11008,
      vocab_size: 32000,
      max_position_embeddings: 4096,
    },
    embedding: "F16",
    paper: 5.0,
    target: 4.3,
  },
  {
    // OPT's two 16384-wide matrices have as many weights as three 10944-wide ones.
    name: "OPT-6.7B-like",
    config: {
      ...common,
      intermediate_size: 10944,
      vocab_size: 50272,
      max_position_embeddings: 2048,
      tie_word_embeddings: true,
    },
    embedding: "F16",
    paper: 4.8,
    target: 4.2,
  },
  {
    name: "Llama-3.1-8B",
    config: {
      ...common,
      intermediate_size: 14336,
      num_key_value_heads: 8,
      vocab_size: 128256,
      max_position_embeddings: 131072,
      rope_theta: 500000,
    },
    embedding: "Q8_0",
    paper: 6.2,
    target: 5.5,
  },
];

/** One example of SST-2: a prompt of up to 64 tokens and two one-token labels. */
const BATCH_OF_ONE = { rows: 64, lossRows: 8, candidates: 8, examples: 4 };

const TINY_LLAMA = {
  model_type: "llama",
  num_hidden_layers: 22,
  num_attention_heads: 32,
  num_key_value_heads: 4,
  hidden_size: 2048,
  intermediate_size: 5632,
  vocab_size: 32000,
  max_position_embeddings: 2048,
};

/** Sixteen examples of 64 tokens with two one-token labels. */
const BATCH_OF_SIXTEEN: BatchShape = { rows: 1024, lossRows: 32, candidates: 32, examples: 16 };
const QUARTER: BatchShape = { rows: 256, lossRows: 8, candidates: 8, examples: 4 };

/** Optimisers with exact gradients for everything, for a part, and without them. */
const EXACT: readonly (readonly [string, Optimiser])[] = [
  ["foAdam", foAdam()],
  ["hybridZoFo, 2/3 of the blocks exact", hybridZoFo()],
  ["hybridZoFo, 1/3 exact", hybridZoFo({ exactShare: 1 / 3 })],
  ["addax, exact on 256 of its tokens", addax()],
  ["qzoNormalised", qzoNormalised()],
];

const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);

/** Prints both tables. */
export async function main(argv: string[]): Promise<void> {
  if (parseArgs(argv, { boolean: ["help"] }).help) return console.log(HELP);
  console.log(
    "Planned, 4 bits in groups of 128, absolute QZO (the paper's), batch 1, GB = 1e9 bytes:\n",
  );
  console.log(
    "| model | embedding | weights | offsets | activations | rest | total | trained scalars | the paper's | target |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|---|");
  for (const { name, config, embedding, paper, target } of SHAPES) {
    const source = modelOfShape(configFromHuggingFace(config), "int4_g128", { embedding });
    const plan = planMemory(source, {
      optimiser: qzo(),
      shape: BATCH_OF_ONE,
      evaluates: true,
    });
    console.log(
      `| ${name} | ${embedding} | ${gigabytes(plan.weights)} | ${gigabytes(plan.offsets)} | ${
        gigabytes(plan.activations)
      } | ${gigabytes(plan.optimiser + plan.scratch)} | ${gigabytes(plan.total)} | ${
        plan.trainableScalars.toExponential(3)
      } | ${paper} | ${target} |`,
    );
  }
  exactInPart();
  await plannedAgainstAccounted();
}

/** Prints the memory of activations that hybrids store. */
function exactInPart(): void {
  const source = modelOfShape(configFromHuggingFace(TINY_LLAMA), "Q4_0");
  console.log(
    "\nPlanned activations of TinyLlama's shape in Q4_0, 16 examples of 64 tokens, GB:\n",
  );
  console.log("| optimiser | everything kept | each block recomputed |\n|---|---|---|");
  for (const [name, optimiser] of EXACT) {
    const shape = optimiser.estimator.batches
      ? { ...BATCH_OF_SIXTEEN, second: QUARTER }
      : BATCH_OF_SIXTEEN;
    const [all, block] = (["all", "block"] as const).map((checkpoints) =>
      gigabytes(planMemory(source, { optimiser, shape, checkpoints }).activations)
    );
    console.log(`| ${name} | ${all} | ${block} |`);
  }
}

async function plannedAgainstAccounted(): Promise<void> {
  using gpu = await openGpu();
  const path = new URL("../demo/model.gguf", import.meta.url).pathname;
  using source = quantizedSource(await openModelSource(path), { format: "Q4_0" });
  const optimiser = qzo();
  const batch = packBatch(
    [{ prompt: Array.from({ length: 24 }, (_, i) => i + 1), candidates: [[5], [6]], label: 0 }],
    "classification",
    128,
  );
  const planned = planMemory(source, {
    optimiser,
    shape: batch.shape,
    adapterClass: gpu.adapterClass,
    maxBinding: gpu.maxBinding,
  });
  using model = await loadModel(gpu, source);
  using offsets = planOffsets(model, optimiser, gpu.maxBinding).allocate(gpu);
  using trainer = new Trainer(model, optimiser, offsets, { seed: 0 });
  trainer.enqueue(0, batch);
  const { current } = gpu.memory;
  console.log(
    `\nPlanned against accounted while a step is queued (demo/model.gguf at Q4_0, ${gpu.description}), bytes:\n`,
  );
  console.log("| part | planned | accounted |\n|---|---|---|");
  for (const part of ["weights", "offsets", "activations", "optimiser", "scratch"] as const) {
    console.log(`| ${part} | ${planned[part]} | ${current[part]} |`);
  }
  await trainer.drain();
}

if (import.meta.main) await main(Deno.args);
