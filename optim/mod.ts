/**
 * Zeroth-order optimisers as values: estimators, transformations, noise, named compositions, the host executor and
 * the ledger. Imports no other room and knows no GPU.
 *
 * @module
 */
export { acceptBest, type AcceptRule } from "./updates/accept.ts";
export { accumulate } from "./transformations/accumulate.ts";
export { adam, type AdamOptions, adamw, type AdamwOptions } from "./updates/adam.ts";
export {
  applyRecord,
  type OffsetRule,
  type OffsetTensor,
  type StepRecord,
} from "./steps/apply_record.ts";
export { batchPerDirection } from "./transformations/batch_per_direction.ts";
export {
  type BlockKind,
  type BlockOrder,
  type BlockPlace,
  blockPlace,
  type Blocks,
} from "./directions/blocks.ts";
export {
  centreByRunningMean,
  type CentreByRunningMeanOptions,
} from "./transformations/centre_by_running_mean.ts";
export { centred, type CentredOptions } from "./estimators/centred.ts";
export { chain, identity } from "./transformations/chain.ts";
export { clipByQuantile, type ClipByQuantileOptions } from "./transformations/clip_by_quantile.ts";
export { clipDerivative } from "./transformations/clip_derivative.ts";
export { decayOffsets, type DecayOffsetsOptions } from "./transformations/decay_offsets.ts";
export {
  type DirectionPlan,
  directionSeed,
  moveSeeds,
  plainDirections,
  type PlanPart,
  type PlanPartOptions,
  type PlanParts,
} from "./directions/direction_plan.ts";
export { elementOps, elementOpsWgsl } from "./algebra/element_ops.ts";
export type { BranchSpec, Estimator, NoiseBatches, Radius } from "./estimators/estimator.ts";
export {
  type HostStep,
  Session,
  type SessionOptions,
  type SessionTensor,
} from "./steps/executor.ts";
export { minimise, type MinimiseOptions, type MinimiseStep } from "./steps/minimise.ts";
export { exactGradient } from "./estimators/exact_gradient.ts";
export { hybridGradient, type HybridGradientOptions } from "./estimators/hybrid_gradient.ts";
export { mixedGradient, type MixedGradientOptions } from "./estimators/mixed_gradient.ts";
export { apart, type ApartOptions } from "./transformations/apart.ts";
export { FirstOrderOptions, FoAdamOptions, FoAdamWOptions } from "./named/exact/first_order.ts";
export { forwardGradient, type ForwardGradientOptions } from "./estimators/forward_gradient.ts";
export { type FrozenBy } from "./preparations/frozen.ts";
export { type CompleteGains, type Gains, gainsOf } from "./preparations/gains.ts";
export type { JsonValue } from "./json.ts";
export { kernelSmoothed } from "./estimators/kernel_smoothed.ts";
export type { LedgerFeature } from "./ledger/features.ts";
export {
  type Group,
  type GroupOptions,
  parseGroups,
  type TrainedGroup,
  trainedGroup,
} from "./group.ts";
export { learningRateAt, learningRateOf } from "./learning_rate_of.ts";
export { longRunShare } from "./long_run_share.ts";
export {
  damageText,
  encodeRecord,
  type Ledger,
  type LedgerDamage,
  LedgerReader,
  type LedgerRecord,
  readLedger,
  stepsToReplay,
} from "./ledger/ledger.ts";
export { assertLedgerFits } from "./ledger/ledger_fits.ts";
export { encodeHeader, type LedgerHead, type LedgerHeader } from "./ledger/ledger_header.ts";
export { limitToRms, type LimitToRmsOptions } from "./transformations/limit_to_rms.ts";
export { type LowRank } from "./directions/low_rank.ts";
export {
  type CompleteMagnitude,
  drawMask,
  type Magnitude,
  magnitudeMask,
  magnitudeShares,
  type MaskedTensor,
} from "./preparations/magnitude.ts";
export { type CompleteMask, type Mask, type MaskUnit } from "./directions/mask.ts";
export { momentum, type MomentumRuleOptions } from "./updates/momentum.ts";
export { accumulateGradients } from "./transformations/accumulate_gradients.ts";
export {
  adamFromSeeds,
  type AdamFromSeedsOptions,
  momentumFromSeeds,
  type MomentumFromSeedsOptions,
} from "./transformations/momentum_from_seeds.ts";
export {
  type Completed,
  type DeclaredBase,
  type DeclaredChoice,
  type DeclaredFlag,
  type DeclaredNumber,
  type DeclaredOption,
  type OptionsOf,
  type OptionTable,
  type OptionValue,
  type OtherValues,
} from "./declared_option.ts";
export {
  addax,
  blockwiseZo,
  foAdam,
  foAdamW,
  forwardGrad,
  foSgd,
  fzoo,
  hybridZoFo,
  kerzoo,
  lozo,
  meazo,
  mezo,
  mezoGreedy,
  mezoGv,
  qzo,
  qzoNormalised,
  qzoPlus,
  sparseMezo,
  sparseZo,
  threePointDescent,
  zoAdam,
  zoAdamW,
  zoResidual,
  zoSgd,
  zoSgdConservative,
  zoSgdMomentum,
  zoSgdSign,
} from "./named/all.ts";
export { AddaxOptions } from "./named/exact/addax.ts";
export { BlockwiseZoOptions } from "./named/blockwise_zo.ts";
export { HybridZoFoOptions } from "./named/exact/hybrid_zo_fo.ts";
export { KerzooOptions } from "./named/kerzoo.ts";
export { LozoOptions } from "./named/lozo.ts";
export { MeazoOptions } from "./named/meazo.ts";
export { MezoGvOptions } from "./named/mezo_gv.ts";
export { MomentumOptions, ZoAdamOptions } from "./named/moments.ts";
export { QzoNormalisedOptions } from "./named/qzo_normalised.ts";
export { QzoOptions } from "./named/qzo.ts";
export { QzoPlusOptions } from "./named/qzo_plus.ts";
export { SparseMezoOptions } from "./named/sparse_mezo.ts";
export { SparseZoOptions } from "./named/sparse_zo.ts";
export { ZoSgdSignOptions } from "./named/zo_sgd_sign.ts";
export {
  type AdapterDefaults,
  type Composition,
  named,
  type NamedDeclaration,
  type NamedOptimiser,
  NamedOptions,
  type NoOptions,
} from "./named_optimiser.ts";
export {
  type ExtraOptions,
  namedOptimisers,
  type OptimiserName,
  optimiserNames,
} from "./named_table.ts";
export {
  type Distribution,
  DISTRIBUTIONS,
  type FillNoise,
  fillNoise,
  type Law,
  lawOf,
  masterSeed,
  NOISE_VERSION,
  noiseAt,
  type Seed,
  stepSeed,
  type Structure,
  type StructureShader,
  threefry2x32,
} from "./directions/noise.ts";
export type { TensorTurns } from "./directions/structure.ts";
export { NonFiniteLossError } from "./non_finite_loss_error.ts";
export { normaliseByRms, type NormaliseByRmsOptions } from "./transformations/normalise_by_rms.ts";
export {
  normaliseBySpread,
  type NormaliseBySpreadOptions,
} from "./transformations/normalise_by_spread.ts";
export {
  keepSign,
  type OffsetForm,
  type OffsetSpan,
  type Projection,
  roundCoefficient,
} from "./offset.ts";
export { onePoint, type OnePointOptions } from "./estimators/one_point.ts";
export { oneSided, type OneSidedOptions } from "./estimators/one_sided.ts";
export { hostOps, type Ops } from "./algebra/ops.ts";
export { type Optimiser, optimiser, type OptimiserOptions } from "./optimiser.ts";
export type { NumberRule } from "./options.ts";
export {
  bestOf,
  type BestOfOptions,
  contrastOf,
  type ContrastOfOptions,
} from "./estimators/pool.ts";
export { rejectSpikes, type RejectSpikesOptions } from "./transformations/reject_spikes.ts";
export { residualFeedback } from "./transformations/residual_feedback.ts";
export {
  type BasesPreparation,
  dueBefore,
  findFacts,
  type FoundFact,
  type FoundFacts,
  type Looker,
  type OffsetsPreparation,
  type Period,
  periods,
  type Preparation,
  type PreparationKind,
  type SlopeLooks,
  type SlopesPreparation,
} from "./preparations/preparation.ts";
export {
  type CompletePreparations,
  type PreparationName,
  type PreparationOptions,
  type Preparations,
  preparationsOf,
} from "./preparations/preparations.ts";
export {
  type MadeStep,
  type MadeSteps,
  replaySteps,
  type RunState,
  runSteps,
  type StepExecutor,
  StepInMaking,
} from "./steps/run_steps.ts";
export {
  type HostSide,
  hostSide,
  type Look,
  type ScalarResult,
  scalarStep,
} from "./steps/scalar_program.ts";
export {
  type CompleteStructures,
  type StructureName,
  type StructureOptions,
  type Structures,
} from "./directions/structures.ts";
export {
  scaleByCurvature,
  type ScaleByCurvatureOptions,
} from "./transformations/scale_by_curvature.ts";
export { scaleBySchedule } from "./transformations/scale_by_schedule.ts";
export {
  constant,
  type ConstantOptions,
  cosine,
  type DecayOptions,
  linear,
  scaled,
  type Schedule,
} from "./transformations/schedule.ts";
export { signDerivative } from "./transformations/sign_derivative.ts";
export { signOfElement, type SignOfElementOptions } from "./updates/sign_of_element.ts";
export { releasedDensity } from "./preparations/sparsity.ts";
export { spsa, type SpsaOptions } from "./estimators/spsa.ts";
export { tensorId } from "./directions/tensor_id.ts";
export { threePoint, type ThreePointOptions } from "./estimators/three_point.ts";
export {
  type LayerPart,
  type NoisePlace,
  offsetWidth,
  type Placed,
  type Trainable,
} from "./trainable.ts";
export {
  elementwise,
  type Transformation,
  type Transformed,
} from "./transformations/transformation.ts";
export { isHeld, type Updated, type UpdateRule } from "./updates/update_rule.ts";

export {
  emitScalarProgram,
  type ScalarNames,
  type ScalarWgsl,
  WgslEmitter,
} from "./algebra/wgsl_ops.ts";
export { withRule } from "./with_rule.ts";
export { type TeacherOptions, withTeacher } from "./with_teacher.ts";
export { withTangents } from "./with_tangents.ts";
export { emitUpdateRule } from "./updates/update_rule_wgsl.ts";
