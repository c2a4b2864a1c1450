/**
 * The metrics of tasks by name. A metric reduces the outcomes of all examples to one number.
 *
 * @module
 */
import type { Reference } from "../reference.ts";
import { classF1, macroF1 } from "./accuracy.ts";
import { exactMatch, tokenF1 } from "./answers.ts";
import { dropScores } from "./drop.ts";

/** Names of metrics, for `Task.metrics`. */
export const metricNames = [
  "accuracy",
  "macroF1",
  "f1a",
  "questionMatch",
  "f1",
  "exactMatch",
  "dropF1",
  "dropExactMatch",
] as const;

/**
 * A metric of a task, from 0 to 1:
 * - `accuracy`: the fraction of examples with a correct choice;
 * - `macroF1`: the mean F1 over the classes;
 * - `f1a`: F1 of class 1, over all examples;
 * - `questionMatch`: the fraction of questions for which all examples are correct;
 * - `f1`, `exactMatch`: words in common with the best answer, and whether it is equal to one, by SQuAD's rules;
 * - `dropF1`, `dropExactMatch`: the same by DROP's rules.
 */
export type MetricName = (typeof metricNames)[number];

/** The outcome of an example. */
export interface Outcome {
  /** Index of the correct candidate. */
  readonly label: number;
  /** Indices of all correct candidates, if there are several. */
  readonly right?: readonly number[] | undefined;
  /** Index of the candidate that was chosen. 0 for generated answers. */
  readonly prediction: number;
  /** The generated text, or the text of the candidate that was chosen. */
  readonly text: string;
  /** What the metrics compare with. */
  readonly reference?: Reference | undefined;
}

/** Whether the choice is correct. */
export function isRight({ label, right, prediction }: Omit<Outcome, "text">): boolean {
  return prediction === label || (right?.includes(prediction) ?? false);
}

const metrics: Readonly<Record<MetricName, (outcomes: readonly Outcome[]) => number>> = {
  accuracy: meanOf((outcome) => Number(isRight(outcome))),
  macroF1: (outcomes) => macroF1(predictionsOf(outcomes), labelsOf(outcomes)),
  f1a: (outcomes) => classF1(predictionsOf(outcomes), labelsOf(outcomes)),
  questionMatch: (outcomes) => {
    const wrong = new Map<string, boolean>();
    for (const [i, outcome] of outcomes.entries()) {
      const question = outcome.reference?.question ?? `example ${i}`;
      wrong.set(question, (wrong.get(question) ?? false) || !isRight(outcome));
    }
    return [...wrong.values()].filter((it) => !it).length / wrong.size;
  },
  f1: meanOf(({ text, reference }) => tokenF1(text, reference?.answers ?? [])),
  exactMatch: meanOf(({ text, reference }) => exactMatch(text, reference?.answers ?? [])),
  dropF1: meanOf(({ text, reference }) => dropScores(text, spansOf(reference)).f1),
  dropExactMatch: meanOf(({ text, reference }) => dropScores(text, spansOf(reference)).exactMatch),
};

/**
 * Computes a metric over the outcomes of examples.
 *
 * @throws {RangeError} when there are none, or when the reference of one lacks what the metric needs.
 *
 * @example MultiRC: all answers to a question must be judged correctly
 * ```ts
 * import { taskMetric } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const outcomes = [
 *   { label: 1, prediction: 1, text: "Yes", reference: { question: "a" } },
 *   { label: 0, prediction: 1, text: "Yes", reference: { question: "a" } },
 *   { label: 0, prediction: 0, text: "No", reference: { question: "b" } },
 * ];
 * assertEquals(taskMetric("questionMatch", outcomes), 0.5);
 * assertEquals(taskMetric("f1a", outcomes), 2 / 3);
 * ```
 */
export function taskMetric(name: MetricName, outcomes: readonly Outcome[]): number {
  if (outcomes.length === 0) throw new RangeError(`Cannot compute ${name} of no examples`);
  return metrics[name](outcomes);
}

function meanOf(of: (outcome: Outcome) => number): (outcomes: readonly Outcome[]) => number {
  return (outcomes) => outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length;
}

function predictionsOf(outcomes: readonly Outcome[]): number[] {
  return outcomes.map(({ prediction }) => prediction);
}

function labelsOf(outcomes: readonly Outcome[]): number[] {
  return outcomes.map(({ label }) => label);
}

function spansOf(reference: Reference | undefined): readonly (readonly string[])[] {
  return reference?.spans ?? (reference?.answers ?? []).map((answer) => [answer]);
}
