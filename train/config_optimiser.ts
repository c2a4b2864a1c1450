/**
 * The optimiser that a configuration names.
 *
 * @module
 */
import {
  constant,
  cosine,
  linear,
  mezo,
  type Optimiser,
  qzo,
  qzoNormalised,
  type Schedule,
} from "../optim/mod.ts";
import type { OptimiserConfig, TrainConfig } from "./config_schema.ts";

/**
 * The configured optimiser; what is not given is left to the optimiser's own defaults. A decaying schedule ends with the
 * run.
 *
 * @throws {RangeError} for an argument that the optimiser does not have, a schedule without a learning rate, or a
 * warm-up that is longer than the run.
 *
 * @example A learning rate that falls to zero over the run
 * ```ts
 * import { optimiserOfConfig, parseTrainConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const yaml = "model: a.gguf\nsteps: 200\noptimiser: {name: qzo, learning_rate: 1e-4, schedule: {kind: linear}}";
 * assertEquals(optimiserOfConfig(parseTrainConfig(yaml, "a.yaml")).name, "qzo");
 * ```
 */
export function optimiserOfConfig({ optimiser: config, steps }: TrainConfig): Optimiser {
  const { name, epsilon, queries, distribution, form, projection, clip, decay } = config;
  if (clip !== undefined && name === "mezo") throw foreign("clip", clip, name);
  if (decay !== undefined && name !== "qzoNormalised") throw foreign("decay", decay, name);
  const learningRate = learningRateOf(config, steps);
  const shared = { epsilon, queries, distribution, form, projection, learningRate };
  switch (name) {
    case "qzo":
      return qzo({ ...shared, clip });
    case "qzoNormalised":
      return qzoNormalised({ ...shared, clip, decay });
    case "mezo":
      return mezo(shared);
  }
}

function foreign(key: string, value: number, name: string): RangeError {
  return new RangeError(`Cannot use optimiser.${key}: ${value}: ${name} has no such argument`);
}

function learningRateOf(
  { learningRate, schedule: { kind, warmup, end } }: OptimiserConfig,
  steps: number,
): Schedule | undefined {
  if (kind === "constant" && end !== 0) {
    throw new RangeError(`Cannot use optimiser.schedule.end: ${end}: a constant schedule has none`);
  }
  if (learningRate === undefined) {
    if (kind === "constant" && warmup === 0) return undefined;
    throw new RangeError(
      `Cannot use optimiser.schedule: ${kind} with a warm-up of ${warmup} needs optimiser.learning_rate`,
    );
  }
  if (kind === "constant") return constant(learningRate, { warmup });
  const total = Math.max(1, steps);
  return (kind === "linear" ? linear : cosine)(learningRate, { total, warmup, end });
}
