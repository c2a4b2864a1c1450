/**
 * Settings that a command chooses automatically, shown with the flags that change them.
 *
 * @module
 */
import { openModelSource } from "../models/mod.ts";
import {
  decideRun,
  decideSteps,
  type Decision,
  recogniseTask,
  type TaskExamples,
  type TrainConfig,
} from "../train/mod.ts";
import { withSteps } from "../train/runs/epochs.ts";
import { flagOf } from "./arguments.ts";
import type { Call } from "./command.ts";
import { table } from "../show/terminal.ts";

/**
 * The configuration to train with. If the data was given as a positional argument, missing settings are chosen automatically and printed. Otherwise
 * only the task is chosen, from the fields of the data.
 */
export async function decided(call: Call, asked: TrainConfig): Promise<TrainConfig> {
  const { given, signal } = call;
  if (call.dataPath === undefined) return (await recogniseTask(asked, { signal })).config;
  using source = await openModelSource(asked.model);
  const { config, decisions } = await decideRun(asked, source, { given, signal });
  tellDecisions(call, decisions);
  return config;
}

/** The configuration with its number of steps: as given, computed from its epochs, or chosen automatically. */
export function stepsFor(
  call: Call,
  config: TrainConfig,
  examples: TaskExamples,
  { tell = true }: { readonly tell?: boolean } = {},
): TrainConfig {
  if (call.dataPath === undefined) return withSteps(config, examples);
  const { config: own, decisions } = decideSteps(config, examples, call);
  if (tell) tellDecisions(call, decisions);
  return withSteps(own, examples);
}

/** Prints decisions as the flags that would change them. */
function tellDecisions(
  { terminal }: Pick<Call, "terminal">,
  decisions: readonly Decision[],
): void {
  if (decisions.length === 0) return;
  terminal.note("Decided automatically; each flag changes it:");
  const rows = decisions.map(({ key, value, why }) => [`  --${flagOf(key)} ${value}`, why]);
  for (const line of table(rows)) terminal.note(line);
}
