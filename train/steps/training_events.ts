/**
 * What a fine-tune tells while it goes on.
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
  /** Tells events apart. */
  readonly type: "step";
  /** Counted from 1: steps done. */
  readonly step: number;
  /** Mean over the step's branches that are no tangents or norms, in nats. */
  readonly loss: number;
  /** One per branch; of a tangent its derivative, of an exact gradient its norm. */
  readonly losses: readonly number[];
  /** One per direction. */
  readonly derivatives: readonly number[];
  /** One per direction. */
  readonly coefficients: readonly number[];
  /** As the optimiser used it in this step; undefined where it has none that is known. */
  readonly learningRate?: number | undefined;
}

/** A held-out evaluation. */
export interface EvaluationEvent {
  /** Tells events apart. */
  readonly type: "evaluation";
  /** Steps done before it. */
  readonly step: number;
  /** Over the whole validation set. */
  readonly evaluation: Evaluation;
  /** How long it took. */
  readonly seconds: number;
  /** Whether it is the best so far: of the lowest loss among those whose accuracy is within the 95 % interval of the highest one. */
  readonly best: boolean;
}

/** The end. */
export interface EndEvent {
  /** Tells events apart. */
  readonly type: "end";
  /** Steps in the ledger. */
  readonly step: number;
  /** All steps done, out of patience, or stopped by the signal. */
  readonly reason: "done" | "patience" | "aborted";
  /**
   * Steps of the best evaluation, when there was a validation set; `offsets` then hold that state unless `reason` is aborted or `keepBest` is
   * false. The best of several looks at the same examples flatters: judge it by others.
   */
  readonly bestStep: number | undefined;
  /** The best evaluation. */
  readonly best: Evaluation | undefined;
  /** How many evaluations it is the best of. */
  readonly looks: number;
  /** The evaluation after the last step, which was not chosen; undefined if there was none. */
  readonly last: Evaluation | undefined;
}

/** What `finetune` yields. */
export type TrainingEvent = StepEvent | EvaluationEvent | EndEvent;

/** The event of a step that was made. */
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
