/**
 * The two saved states of a run with exact gradients.
 *
 * @module
 */
import type { LedgerHead } from "../../optim/mod.ts";
import { StateFile } from "./state_file.ts";

/** The last and the best state of a run with exact gradients. */
export interface RunStates {
  /** State after the last saved step. */
  readonly last: StateFile;
  /** Offsets at the best evaluation, without the state of the update rule. */
  readonly best: StateFile;
}

/** Opens the states that belong to the ledger with the given head. */
export async function openStates(
  { state, best }: { readonly state: string; readonly best: string },
  head: LedgerHead,
): Promise<RunStates> {
  return { last: await StateFile.open(state, head), best: await StateFile.open(best, head) };
}

/**
 * Rejects resuming a run whose steps have no saved state, because it would start again from the beginning.
 *
 * @param made Number of steps in the run's metrics.
 * @throws {Deno.errors.NotFound} when the state is missing.
 */
export function assertStateThere({ last }: RunStates, made: number): void {
  if (last.isThere || made === 0) return;
  throw new Deno.errors.NotFound(
    `Cannot resume: "${last.path}" is missing, but the metrics next to it record ${made} steps. Restore it from a backup, or start a new run in another folder`,
  );
}
