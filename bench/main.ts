/**
 * `deno task bench NAME`: one entry for all measurements.
 *
 * @module
 */

/** What can be measured, and by which file. */
const BENCHES: Readonly<Record<string, string>> = {
  matmul: "the 4-bit matrix product against onnxruntime-web, noise and branches",
  width: "products on lavapipe in vectors of 256 and of 512 bits, where the processor has AVX-512",
  formats: "every format's matrix product against int4_g128, and what noise adds",
  steps: "training steps a second on a tiny model, and the device's idle share",
  "export-gains": "the gain of a fine-tune by its ledger and in the written file, in every format",
  memory: "memory of fine-tuning 7-8 B models, and planned against accounted",
  "optimisers-cost": "memory and time of each optimiser's update beside the forwards of its step",
  derivatives: "what steps along tangents and gradients cost, in forwards",
  lora: "what LoRA adds to a step of a model of 20 M weights",
  schemes:
    "tuning schemes by optimisers at equal forwards: held-out loss, scalars, memory, seconds (needs ../shared/data, can be interrupted)",
  loading: "loading models with and without the fingerprint and the look for NaN",
  tokenize: "rows of a task in tokens, against the Rust library",
  soak: "memory of the process and the device over 10,000 steps with evaluations",
  quantize:
    "quantising one matrix with calibration statistics, by method, and what a 7B model takes",
  quality:
    "perplexity of real models in every format by every method (needs ../shared/data, can be interrupted)",
  reference:
    "QZO and MeZO against an implementation in PyTorch (needs it and ../shared/data, can be interrupted)",
  alignment:
    "SST-2 with MeZO's prompt and without any, by the same forwards (needs ../shared/data, can be interrupted)",
  models:
    "QZO, ZO-SGD and qzoPlus on models of three shapes and three tasks (needs ../shared/data, can be interrupted)",
  long: "10,000 steps of three optimisers on SST-2 (needs ../shared/data, can be interrupted)",
  finetune:
    "real models and tasks before and after QZO (needs ../shared/data, takes long, can be interrupted)",
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
