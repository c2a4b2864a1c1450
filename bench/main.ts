/**
 * `deno task bench NAME`: one entry for all measurements.
 *
 * @module
 */

/** The benchmarks, with the file of each. */
const BENCHES: Readonly<Record<string, string>> = {
  matmul: "the 4-bit matrix product against onnxruntime-web, noise and branches",
  width: "products on lavapipe with vectors of 256 and 512 bits, if the processor has AVX-512",
  formats: "every format's matrix product against int4_g128, and what noise adds",
  steps: "training steps per second on a tiny model, and the device's idle share",
  "export-gains":
    "the improvement of a fine-tune with its ledger and in the written file, in every format",
  memory:
    "planned memory for fine-tuning models of 7 to 8 B parameters, and planned against actual memory",
  lengths:
    "memory and time of steps along noise, tangents and gradients against the length of a sequence (resumable)",
  "optimisers-cost":
    "memory and time of each optimiser's update, compared with the forward passes of its step",
  derivatives: "the cost of steps along tangents and gradients, in forward passes",
  exact:
    "exact gradients, tangents and zeroth order at equal cost: loss, seconds, memory (needs ../shared/data, resumable)",
  lora: "what LoRA adds to a step of a model with 20 M weights",
  schemes:
    "tuning schemes and optimisers with equal numbers of forward passes: held-out loss, scalars, memory, seconds (needs ../shared/data, resumable)",
  loading: "loading models with and without the fingerprint and the check for NaN",
  tokenize: "tokenising the rows of a task, compared with the Rust library",
  soak: "memory of the process and the device over 10,000 steps with evaluations",
  quantize:
    "quantising one matrix with calibration statistics, by method, and what a 7B model takes",
  quality:
    "perplexity of real models in every format with every method (needs ../shared/data, resumable)",
  reference:
    "QZO and MeZO compared with an implementation in PyTorch (needs PyTorch and ../shared/data, resumable)",
  estimators:
    "estimates of the gradient of scales compared with the exact gradient, on three models (needs ../shared/data, resumable)",
  alignment:
    "SST-2 with and without MeZO's prompt, with equal numbers of forward passes (needs ../shared/data, resumable)",
  models:
    "QZO, ZO-SGD and qzoPlus on models of three architectures and three tasks (needs ../shared/data, resumable)",
  long: "10,000 steps of three optimisers on SST-2 (needs ../shared/data, resumable)",
  finetune:
    "real models and tasks before and after QZO (needs ../shared/data, takes a long time, resumable)",
};

const [name, ...rest] = Deno.args;
if (name === undefined || !Object.hasOwn(BENCHES, name)) {
  if (name !== undefined && name !== "--help") console.error(`Unknown bench "${name}".\n`);
  console.log("Usage: deno task bench NAME [options]\n");
  for (const [key, what] of Object.entries(BENCHES)) console.log(`  ${key.padEnd(17)}${what}`);
  console.log("\nEach has --help.");
  Deno.exit(name === undefined || name === "--help" ? 0 : 1);
}
const { main } = await import(`./${name.replaceAll("-", "_")}.ts`) as {
  main?: (args: string[]) => Promise<void>;
};
await main?.(rest);
