/**
 * The evaluations of a run and the step that they select.
 *
 * @module
 */
import { grouped } from "../show/terminal.ts";
import type { EvaluationMetrics, RunEvent } from "../train/mod.ts";
import { bestEvaluation } from "../train/runs/run_folder.ts";
import { resultText } from "./report.ts";

/** The evaluations of a run, including those of earlier sessions. */
export interface Looks {
  readonly best: EvaluationMetrics | undefined;
  readonly last: EvaluationMetrics | undefined;
  readonly count: number;
}

/** Collects the evaluations among a run's events. */
export function looksAt(events: readonly RunEvent[]): Looks {
  const evaluations = events.filter((event) => event.type === "evaluation");
  return {
    best: bestEvaluation(events),
    last: evaluations.at(-1),
    count: new Set(evaluations.map(({ step }) => step)).size,
  };
}

/** Rows that tell which step was chosen, and by how many evaluations on which examples. */
export function chosenRows(
  { best, last, count }: Looks,
  total: number,
  advise: boolean,
): [string, string][] {
  if (!best) return [["best step", `${total} of ${total}`]];
  const looked = `the best of ${count} evaluations on ${grouped(best.examples)} held-out examples`;
  const advice = advise && count > 1 ? "; a test split (data.test) would measure it" : "";
  return [
    [
      "best step",
      best.step === 0
        ? `0: no step was better than the base model, ${looked}`
        : `${best.step} of ${total}: ${resultText(best)}, ${looked}${advice}`,
    ],
    ...(!advise && last && last.step !== best.step
      ? [["last step", `${last.step}: ${resultText(last)} on the same`] as [string, string]]
      : []),
  ];
}
