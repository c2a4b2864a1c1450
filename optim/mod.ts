/**
 * Zeroth-order optimisers as values: estimators, transformations, noise, named compositions, the host executor and
 * the ledger. Imports no other room and knows no GPU.
 *
 * @module
 */
export * from "./accept.ts";
export * from "./accumulate.ts";
export * from "./adam.ts";
export * from "./apply_record.ts";
export * from "./batch_per_direction.ts";
export * from "./blocks.ts";
export * from "./centre_by_running_mean.ts";
export * from "./centred.ts";
export * from "./chain.ts";
export * from "./clip_by_quantile.ts";
export * from "./clip_derivative.ts";
export * from "./decay_offsets.ts";
export * from "./direction_plan.ts";
export * from "./element_ops.ts";
export * from "./estimator.ts";
export * from "./executor.ts";
export {
  evenOut,
  type FrozenBy,
  frozenBy,
  frozenOffset,
  markFrozen,
  trainedOffset,
} from "./frozen.ts";
export * from "./gains.ts";
export * from "./json.ts";
export * from "./keep.ts";
export * from "./kernel_smoothed.ts";
export * from "./learning_rate_of.ts";
export * from "./ledger.ts";
export * from "./ledger_header.ts";
export * from "./limit_to_rms.ts";
export { completeLowRank, type LowRank } from "./low_rank.ts";
export * from "./magnitude.ts";
export * from "./momentum.ts";
export * from "./momentum_from_seeds.ts";
export * from "./declared_option.ts";
export * from "./named/all.ts";
export { BlockwiseZoOptions } from "./named/blockwise_zo.ts";
export { KerzooOptions } from "./named/kerzoo.ts";
export { LozoOptions } from "./named/lozo.ts";
export { MeazoOptions } from "./named/meazo.ts";
export { MezoGvOptions } from "./named/mezo_gv.ts";
export { type MomentState, momentStates, MomentumOptions, ZoAdamOptions } from "./named/moments.ts";
export { QzoNormalisedOptions } from "./named/qzo_normalised.ts";
export { QzoOptions } from "./named/qzo.ts";
export { QzoPlusOptions } from "./named/qzo_plus.ts";
export { SparseMezoOptions } from "./named/sparse_mezo.ts";
export { SparseZoOptions } from "./named/sparse_zo.ts";
export { ZoSgdSignOptions } from "./named/zo_sgd_sign.ts";
export {
  type Composition,
  named,
  type NamedDeclaration,
  type NamedOptimiser,
  NamedOptions,
  type NoOptions,
} from "./named_optimiser.ts";
export * from "./named_table.ts";
export * from "./noise.ts";
export * from "./non_finite_loss_error.ts";
export * from "./normalise_by_rms.ts";
export * from "./normalise_by_spread.ts";
export * from "./offset.ts";
export * from "./one_point.ts";
export * from "./one_sided.ts";
export * from "./ops.ts";
export * from "./optimiser.ts";
export type { NumberRule, OptionRule, OptionRules, WordRule } from "./options.ts";
export * from "./pool.ts";
export * from "./reject_spikes.ts";
export * from "./residual_feedback.ts";
export * from "./scalar_program.ts";
export * from "./scale_by_curvature.ts";
export * from "./scale_by_schedule.ts";
export * from "./schedule.ts";
export * from "./sign_derivative.ts";
export * from "./sign_of_element.ts";
export * from "./sparsity.ts";
export * from "./spsa.ts";
export * from "./tensor_id.ts";
export * from "./three_point.ts";
export * from "./transformation.ts";
export * from "./update_rule.ts";
export * from "./update_rule_wgsl.ts";
export * from "./update_rules.ts";
export * from "./wgsl_ops.ts";
export * from "./with_rule.ts";
