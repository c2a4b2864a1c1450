/**
 * Evaluations and exports as text.
 *
 * @module
 */
import type { Accuracy, AccuracyDifference, Difference } from "../tasks/mod.ts";
import type { Evaluation, ExportReport } from "../train/mod.ts";
import { grouped, percent } from "../show/terminal.ts";

/** A loss with four decimals. */
export function lossText(loss: number): string {
  return loss.toFixed(4);
}

/** An accuracy with its 95 % interval. */
export function accuracyText({ accuracy, low, high }: Accuracy): string {
  return `${percent(accuracy)} (95 % interval ${percent(low)} to ${percent(high)})`;
}

/** Loss and, if there is one, accuracy, in one line. */
export function resultText(
  { loss, accuracy }: { readonly loss: number; readonly accuracy?: number },
): string {
  return `loss ${lossText(loss)}${accuracy === undefined ? "" : `  accuracy ${percent(accuracy)}`}`;
}

/** {@linkcode resultText} of an evaluation. */
export function evaluationText({ loss, accuracy }: Evaluation): string {
  return resultText({ loss, ...(accuracy ? { accuracy: accuracy.accuracy } : {}) });
}

/**
 * Improvement with the 95 % interval of the difference: in percentage points if there are accuracies, otherwise in nats. One example gives no
 * interval in nats.
 */
export function gainText(loss: Difference, accuracy: AccuracyDifference | undefined): string {
  if (!accuracy) {
    const { difference, low, high } = loss;
    const interval = Number.isFinite(high - low)
      ? `${lossText(-high)} to ${lossText(-low)}`
      : "not known from one example";
    return `${lossText(-difference)} lower, 95 % interval ${interval}`;
  }
  const { difference, low, high, gained, lost, p } = accuracy;
  const points = (share: number) => `${share < 0 ? "" : "+"}${(100 * share).toFixed(1)}`;
  return `${points(difference)} points, 95 % interval ${points(low)} to ${
    points(high)
  }: ${gained} gained, ${lost} lost, p ${p.toPrecision(2)}`;
}

/** Effect of folding on the stored values, as rows to print. */
export function foldRows(
  { changed, swallowed, exceeded = 0, kept, keptByFormat }: ExportReport,
): [string, string][] {
  const formats = [...keptByFormat].map(([name, share]) => `${name} ${keptText(share)}`);
  return [
    ["changed", `${grouped(changed)} stored values`],
    [
      "swallowed",
      `${grouped(swallowed)} offsets too small for the stored precision`,
    ],
    ...(exceeded > 0
      ? [
        ["exceeded", `${grouped(exceeded)} tuned values beyond the range of their type`] as [
          string,
          string,
        ],
      ]
      : []),
    [
      "kept",
      `${keptText(kept)} of the trained change of the weights${
        formats.length > 1 ? `: ${formats.join(", ")}` : ""
      }`,
    ],
  ];
}

function keptText(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A note if a file contains less than half of what was trained, unless that is because values exceeded the range of their type. */
export function keptNotes({ kept, exceeded = 0 }: ExportReport): string[] {
  if (kept >= 0.5 || exceeded > 0) return [];
  return [
    `The file contains ${
      keptText(kept)
    } of what was trained: its format stores scales too coarsely for the rest, which only the ledger has. ` +
    `Evaluate it (export --evaluate), or train another format.`,
  ];
}
