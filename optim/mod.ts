/**
 * Zeroth-order optimisers as values: estimators, transformations, noise, named compositions, the host executor and
 * the ledger. Imports no other room and knows no GPU.
 *
 * @module
 */
export * from "./updates/accept.ts";
export * from "./transformations/accumulate.ts";
export * from "./updates/adam.ts";
export * from "./steps/apply_record.ts";
export * from "./transformations/batch_per_direction.ts";
export {
  type BlockKind,
  blockKinds,
  blockOf,
  type BlockOrder,
  blockOrders,
  type BlockPlace,
  blockPlace,
  type Blocks,
  completeBlocks,
  inBlock,
  packPlace,
} from "./directions/blocks.ts";
export * from "./transformations/centre_by_running_mean.ts";
export * from "./estimators/centred.ts";
export * from "./transformations/chain.ts";
export * from "./transformations/clip_by_quantile.ts";
export * from "./transformations/clip_derivative.ts";
export * from "./transformations/decay_offsets.ts";
export * from "./directions/direction_plan.ts";
export * from "./algebra/element_ops.ts";
export * from "./estimators/estimator.ts";
export * from "./steps/executor.ts";
export * from "./steps/minimise.ts";
export {
  evenOut,
  type FrozenBy,
  frozenBy,
  frozenOffset,
  markFrozen,
  trainedOffset,
} from "./preparations/frozen.ts";
export { type CompleteGains, completeGains, type Gains, gainsOf } from "./preparations/gains.ts";
export * from "./json.ts";
export * from "./directions/keep.ts";
export * from "./estimators/kernel_smoothed.ts";
export { type LedgerFeature, ledgerFeatures } from "./ledger/features.ts";
export * from "./learning_rate_of.ts";
export * from "./ledger/ledger.ts";
export * from "./ledger/ledger_header.ts";
export * from "./transformations/limit_to_rms.ts";
export { completeLowRank, type LowRank } from "./directions/low_rank.ts";
export {
  type CompleteMagnitude,
  completeMagnitude,
  drawMask,
  type Magnitude,
  magnitudeBudgets,
  magnitudeEnds,
  magnitudeMask,
  magnitudeShares,
  type MaskedTensor,
  type MaskPeriod,
  maskPeriods,
} from "./preparations/magnitude.ts";
export {
  type CompleteMask,
  completeMask,
  type Mask,
  type MaskUnit,
  maskUnits,
} from "./directions/mask.ts";
export * from "./updates/momentum.ts";
export * from "./transformations/momentum_from_seeds.ts";
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
export * from "./directions/noise.ts";
export * from "./non_finite_loss_error.ts";
export * from "./transformations/normalise_by_rms.ts";
export * from "./transformations/normalise_by_spread.ts";
export * from "./offset.ts";
export * from "./estimators/one_point.ts";
export * from "./estimators/one_sided.ts";
export * from "./algebra/ops.ts";
export * from "./optimiser.ts";
export type { NumberRule, OptionRule, OptionRules, WordRule } from "./options.ts";
export * from "./estimators/pool.ts";
export * from "./transformations/reject_spikes.ts";
export * from "./transformations/residual_feedback.ts";
export * from "./preparations/preparation.ts";
export {
  type CompletePreparations,
  type PreparationName,
  preparationNames,
  type PreparationOptions,
  type Preparations,
  preparations,
  preparationsOf,
} from "./preparations/preparations.ts";
export * from "./steps/run_steps.ts";
export * from "./steps/scalar_program.ts";
export {
  type CompleteStructures,
  type StructureName,
  structureNames,
  structureOf,
  type StructureOptions,
  type Structures,
  structures,
} from "./directions/structures.ts";
export * from "./transformations/scale_by_curvature.ts";
export * from "./transformations/scale_by_schedule.ts";
export * from "./transformations/schedule.ts";
export * from "./transformations/sign_derivative.ts";
export * from "./updates/sign_of_element.ts";
export * from "./preparations/sparsity.ts";
export * from "./estimators/spsa.ts";
export * from "./directions/tensor_id.ts";
export * from "./estimators/three_point.ts";
export * from "./trainable.ts";
export * from "./transformations/transformation.ts";
export * from "./updates/update_rule.ts";
export * from "./updates/update_rule_wgsl.ts";
export * from "./updates/update_rules.ts";
export * from "./algebra/wgsl_ops.ts";
export * from "./with_rule.ts";
