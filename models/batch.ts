/**
 * The batch that a forward takes: token rows of several sequences laid end to end, without padding between them, and
 * the positions whose log-probabilities the loss needs.
 *
 * Candidates of one example share the rows of its prompt: a candidate row attends to the prompt's rows and to its own. So
 * a two-way classification with one-token labels costs one prompt, not two.
 *
 * @module
 */

/** What a batch's log-probabilities are turned into. */
export type Objective = "language-modelling" | "classification";

/**
 * One training or evaluation example in tokens.
 *
 * Classification: `prompt` is shared, `candidates[label]` is right; the loss is the cross-entropy over the candidates'
 * mean token log-probabilities. Language modelling: `prompt` is empty or context without loss, one candidate, label 0;
 * without a prompt the first token is context only.
 */
export interface Example {
  readonly prompt: readonly number[];
  readonly candidates: readonly (readonly number[])[];
  readonly label: number;
}
