/**
 * The examples of a run that begins or goes on.
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
  /** In tokens. */
  readonly examples: TaskExamples;
  /** Keeps them in the run's folder and says what a user should know of that; undefined where they come from there. */
  readonly keep?: () => Promise<string[]>;
}

/** A run's examples: those kept beside it where it goes on, else read anew. */
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
