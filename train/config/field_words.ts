/**
 * Common words for keys and options that have other names here.
 *
 * @module
 */

/** Words, and the keys or options that each may mean, the likeliest first. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  lr: ["learning_rate", "optimiser.learning_rate"],
  learning_rate: ["optimiser.learning_rate"],
  bs: ["batch_size"],
  batch: ["batch_size"],
  batchsize: ["batch_size"],
  per_device_train_batch_size: ["batch_size"],
  train_batch_size: ["batch_size"],
  micro_batch_size: ["batch_size"],
  num_epochs: ["epochs"],
  num_train_epochs: ["epochs"],
  n_epochs: ["epochs"],
  epoch: ["epochs"],
  max_steps: ["steps"],
  num_steps: ["steps"],
  iters: ["steps"],
  iterations: ["steps"],
  max_seq_length: ["max_length"],
  max_seq_len: ["max_length"],
  seq_len: ["max_length", "length"],
  seq_length: ["max_length", "length"],
  context: ["max_length", "length"],
  ctx_size: ["max_length", "length"],
  eps: ["optimiser.epsilon"],
  zo_eps: ["optimiser.epsilon"],
  optimizer: ["optimiser"],
  optim: ["optimiser"],
  warmup: ["optimiser.schedule.warmup"],
  warmup_steps: ["optimiser.schedule.warmup"],
  scheduler: ["optimiser.schedule.kind"],
  lr_scheduler: ["optimiser.schedule.kind"],
  lr_scheduler_type: ["optimiser.schedule.kind"],
  lr_schedule: ["optimiser.schedule.kind"],
  weight_decay: ["optimiser.weight_decay"],
  wd: ["optimiser.weight_decay"],
  gradient_accumulation_steps: ["optimiser.accumulate"],
  grad_accum: ["optimiser.accumulate"],
  eval_steps: ["evaluate_every"],
  eval_every: ["evaluate_every"],
  eval: ["evaluate"],
  early_stopping_patience: ["patience"],
  early_stopping: ["patience"],
  model_name_or_path: ["model"],
  model_path: ["model"],
  base_model: ["model"],
  checkpoint: ["ledger", "model"],
  dataset: ["data"],
  data_dir: ["data"],
  data_path: ["data"],
  train_file: ["data.train"],
  train_data: ["data.train"],
  training_data: ["data.train"],
  train: ["data.train"],
  validation_file: ["data.validation"],
  valid: ["data.validation"],
  val: ["data.validation"],
  dev: ["data.validation"],
  test_file: ["data.test"],
  out: ["output"],
  o: ["output"],
  output_dir: ["output"],
  out_dir: ["output"],
  save_dir: ["output"],
  gpu: ["device"],
  backend: ["device"],
  lora: ["adapter"],
  n_predict: ["max_tokens"],
  max_new_tokens: ["max_tokens"],
  temp: ["temperature"],
  quant: ["quantize"],
  quantise: ["quantize"],
  quantization: ["quantize"],
  dtype: ["format", "quantize"],
  type: ["format", "quantize"],
  dryrun: ["dry_run"],
  random_seed: ["seed"],
};

/**
 * The key that a word means among the known ones, in snake_case. Undefined if there is none. Within a section, keys are known by the last part of
 * their path.
 */
export function meantKey(word: string, known: readonly string[]): string | undefined {
  const name = word.toLowerCase().replaceAll("-", "_");
  if (!Object.hasOwn(WORDS, name)) return undefined;
  for (const key of WORDS[name]) {
    const found = known.find((it) => key === it || key.endsWith(`.${it}`));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Keys that only the command line accepts in a file, and what a script does instead. */
export const COMMAND_KEYS: ReadonlyMap<string, string> = new Map([
  ["export", "write the tuned model with exportOffsets"],
  ["resume", "continue the run with Run.resume"],
  ["force", "pass `force` to Run.begin"],
  ["dry_run", "look at the examples without beginning a run"],
]);
