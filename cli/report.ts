/**
 * Evaluations in words.
 *
 * @module
 */
import type { Accuracy } from "../tasks/mod.ts";
import { percent } from "./terminal.ts";

/** A loss with its digits. */
export function lossText(loss: number): string {
  return loss.toFixed(4);
}

/** An accuracy with its interval. */
export function accuracyText({ accuracy, low, high }: Accuracy): string {
  return `${percent(accuracy)} (95 % interval ${percent(low)} to ${percent(high)})`;
}

/** Loss and, where there is one, accuracy, in one line. */
export function resultText(
  { loss, accuracy }: { readonly loss: number; readonly accuracy?: number },
): string {
  return `loss ${lossText(loss)}${accuracy === undefined ? "" : `  accuracy ${percent(accuracy)}`}`;
}
