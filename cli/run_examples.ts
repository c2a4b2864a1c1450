/**
 * The examples of a new or resumed run.
 *
 * @module
 */
import type { RunSession, TaskExamples, TrainConfig } from "../train/mod.ts";
import { sightOf } from "../models/architectures.ts";
import { ExamplesCache } from "../train/runs/examples_cache.ts";
import { notes } from "../show/terminal.ts";
import type { Call } from "./command.ts";
import { examplesFor } from "./tuned.ts";

/** A run's examples. */
export interface FoundExamples {
  /** The tokenised examples. */
  readonly examples: TaskExamples;
  /** Saves them in the run's folder and returns notes for the user. Undefined if they were read from there. */
  readonly keep?: () => Promise<string[]>;
}

/** A run's examples. A resumed run uses those saved in its folder, if there are any; otherwise they are read from the data. */
export async function examplesOfRun(
  call: Call,
  config: TrainConfig,
  session: RunSession,
  resume: boolean,
): Promise<FoundExamples> {
  const { terminal, signal } = call;
  const { stored, model: { maxPositions, config: { architecture } } } = session;
  const about = { stored, maxPositions, sees: sightOf({ architecture }), signal };
  const cache = await ExamplesCache.of(config, about);
  const kept = resume ? await cache?.read() : undefined;
  notes(terminal, kept?.notes);
  if (kept?.examples) {
    notes(terminal, kept.examples.notes);
    return { examples: kept.examples };
  }
  const examples = await examplesFor(session, config, call);
  return { examples, keep: async () => await cache?.write(examples) ?? [] };
}
