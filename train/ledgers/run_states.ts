/**
 * The two states of a run by exact gradients.
 *
 * @module
 */
import type { LedgerHead } from "../../optim/mod.ts";
import { StateFile } from "./state_file.ts";

/** Where a run by exact gradients stands, and where it was best. */
export interface RunStates {
  /** After the last step that was kept. */
  readonly last: StateFile;
  /** After the step of the best evaluation; offsets alone. */
  readonly best: StateFile;
}

/** Where they lie beside a ledger of that head. */
export async function openStates(
  { state, best }: { readonly state: string; readonly best: string },
  head: LedgerHead,
): Promise<RunStates> {
  return { last: await StateFile.open(state, head), best: await StateFile.open(best, head) };
}

/**
 * Refuses to begin anew where steps were made and their state is gone.
 *
 * @param made Steps that the run's metrics tell of
 * @throws {Deno.errors.NotFound} When there is none
 */
export function assertStateThere({ last }: RunStates, made: number): void {
  if (last.isThere || made === 0) return;
  throw new Deno.errors.NotFound(
    `Cannot resume: "${last.path}" is missing, but the metrics next to it record ${made} steps. Restore it from a backup, or start a new run in another folder`,
  );
}
