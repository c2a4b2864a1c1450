/**
 * The events of a fine-tune.
 *
 * @module
 */
import type { StepRecord } from "../../kernels/mod.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import { lossesSeen } from "../../optim/steps/scalar_program.ts";
import type { Evaluation } from "../evaluate.ts";
import type { StepPace } from "./pace.ts";

/** A step that was made. */
export interface StepEvent extends StepPace {
  /** Kind of the event. */
  readonly type: "step";
  /** Number of steps done. */
  readonly step: number;
  /** Mean loss of the step's branches in nats, not counting tangents and norms. */
  readonly loss: number;
  /** One loss per branch. For a tangent it is the derivative, for an exact gradient its norm. */
  readonly losses: readonly number[];
  /** One derivative per direction. */
  readonly derivatives: readonly number[];
  /** One coefficient per direction. */
  readonly coefficients: readonly number[];
  /** The learning rate used in this step. Undefined if none is known. */
  readonly learningRate?: number | undefined;
}

/** A held-out evaluation. */
export interface EvaluationEvent {
  /** Kind of the event. */
  readonly type: "evaluation";
  /** Number of steps before the evaluation. */
  readonly step: number;
  /** Result on the whole validation set. */
  readonly evaluation: Evaluation;
  /** Duration in seconds. */
  readonly seconds: number;
  /** Whether it is the best so far: the lowest loss among those whose accuracy is within the 95 % confidence interval of the highest accuracy. */
  readonly best: boolean;
}

/** The end of training. */
export interface EndEvent {
  /** Kind of the event. */
  readonly type: "end";
  /** Number of steps in the ledger. */
  readonly step: number;
  /** Why it ended: all steps were made, patience ran out, or the signal aborted. */
  readonly reason: "done" | "patience" | "aborted";
  /**
   * Number of steps before the best evaluation, if there is a validation set. `offsets` then hold that state, unless `reason` is "aborted" or
   * `keepBest` is false. The best of several evaluations on the same examples is biased; judge it on other examples.
   */
  readonly bestStep: number | undefined;
  /** The best evaluation. */
  readonly best: Evaluation | undefined;
  /** Number of evaluations that the best was chosen from. */
  readonly looks: number;
  /** The evaluation after the last step, without selection bias. Undefined if there was none. */
  readonly last: Evaluation | undefined;
}

/** The events of `finetune`. */
export type TrainingEvent = StepEvent | EvaluationEvent | EndEvent;

/** Creates the event of a step. */
export function stepEvent(
  step: number,
  record: StepRecord,
  { estimator }: Optimiser,
  { learningRate, ...pace }: StepPace & Pick<StepEvent, "learningRate">,
): StepEvent {
  const { losses, derivatives, coefficients } = record;
  const seen = lossesSeen(estimator, losses);
  return {
    type: "step",
    step,
    loss: seen.reduce((a, b) => a + b, 0) / seen.length,
    losses,
    derivatives,
    coefficients,
    ...(learningRate === undefined ? {} : { learningRate }),
    ...pace,
  };
}
