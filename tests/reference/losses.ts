/**
 * The f64 oracles of the two objectives, from log-probabilities of loss rows.
 *
 * @module
 */
import { logSoftmax } from "./softmax_nll.ts";

/** `sum weights (-logProbabilities) / sum weights`; all weights 1 unless given. */
export function languageModellingLoss(
  logProbabilities: ArrayLike<number>,
  weights: ArrayLike<number> | null = null,
): number {
  let loss = 0;
  let total = 0;
  for (let i = 0; i < logProbabilities.length; i++) {
    const weight = weights ? weights[i] : 1;
    loss -= weight * logProbabilities[i];
    total += weight;
  }
  return loss / total;
}

/** The log-probabilities of every candidate's tokens, and which candidate is right. */
export interface ScoredExample {
  readonly candidates: readonly ArrayLike<number>[];
  readonly label: number;
}

/** Mean of the log-probabilities of a candidate's tokens. */
export function candidateScore(logProbabilities: ArrayLike<number>): number {
  return -languageModellingLoss(logProbabilities);
}

/**
 * Mean over examples of the cross-entropy of the right candidate under a softmax over the candidates' mean token
 * log-probabilities (MeZO, Malladi et al. 2023, appendix E).
 */
export function classificationLoss(examples: readonly ScoredExample[]): number {
  let loss = 0;
  for (const { candidates, label } of examples) {
    loss -= logSoftmax(candidates.map(candidateScore))[label];
  }
  return loss / examples.length;
}
