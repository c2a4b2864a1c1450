/**
 * A ledger of every feature: how each kind was made, from a model in a file and from numbers alone, so that the same can be made and
 * replayed again. `tests/fixtures/record_ledgers.ts` records them.
 *
 * @module
 */
import { type Gpu, OffsetSet, type Trainable } from "../../../kernels/mod.ts";
import { loadModel, type Model, type ModelSource } from "../../../models/mod.ts";
import { ggufModelSource } from "../../../models/checkpoints/gguf/open_gguf.ts";
import { planOffsets, type Selection } from "../../../train/selection.ts";
import {
  acceptBest,
  accumulate,
  adam,
  batchPerDirection,
  blockwiseZo,
  chain,
  fzoo,
  kerzoo,
  type LedgerHeader,
  linear,
  lozo,
  meazo,
  mezo,
  mezoGreedy,
  mezoGv,
  normaliseByRms,
  type Optimiser,
  optimiser,
  qzo,
  qzoNormalised,
  qzoPlus,
  scaleBySchedule,
  Session,
  type SessionTensor,
  signOfElement,
  sparseMezo,
  sparseZo,
  spsa,
  threePointDescent,
  withRule,
  zoAdam,
  zoAdamW,
  zoResidual,
  zoSgdConservative,
  zoSgdMomentum,
  zoSgdSign,
} from "../../../optim/mod.ts";
import { bytesSource } from "../../../quant/mod.ts";
import { finetuneByFunction, type LedgerFile } from "../../../train/mod.ts";
import { hashOf, tinyHeader } from "../tiny_model.ts";

/** A kind of ledger. */
export interface LedgerCase {
  /** Made anew: what it says of itself is what the ledger says. */
  readonly optimiser: Optimiser;
  /** What is trained; the scales of all matrices by default. */
  readonly selection?: Selection;
  /** Of a ledger from when update rules rested at gradients of zeros. */
  readonly rests?: true;
  /** Whether the test makes its steps again on a device too, which takes a wait a look: one of each way through the protocol. */
  readonly again?: true;
}

/** Steps of each. */
export const caseSteps = 10;

const [near, far] = [{ epsilon: 1e-3 }, { epsilon: 0.02 }];
const onRelative = { form: "relative", projection: "keep-sign" } as const;
const onAbsolute = { form: "absolute", projection: "keep-sign" } as const;
const relative = { ...onRelative, ...far } as const;
const absolute = { ...onAbsolute, ...near } as const;
const held = chain(normaliseByRms(), scaleBySchedule(0.02));
const dense: Selection = { kinds: ["norms", "dense"] };

/** By the name of its file. */
export const ledgerCases: Readonly<Record<string, LedgerCase>> = {
  // Plain directions.
  qzo: { again: true, optimiser: qzo({ learningRate: 1e-4 }) },
  mezo_two_queries: {
    optimiser: mezo({ queries: 2, learningRate: 1e-3, distribution: "rademacher" }),
    selection: dense,
  },
  qzo_normalised: {
    optimiser: qzoNormalised({ ...relative, learningRate: linear(0.3, { total: 20, warmup: 2 }) }),
  },
  fzoo: { optimiser: fzoo({ ...relative, queries: 3, learningRate: 0.05 }) },
  meazo: { optimiser: meazo({ ...relative, learningRate: 0.05 }) },
  kerzoo: { again: true, optimiser: kerzoo({ ...relative, learningRate: 0.02, smoothness: 4 }) },
  mezo_greedy: { optimiser: mezoGreedy({ ...relative, queries: 3, learningRate: 0.02 }) },
  mezo_gv: { optimiser: mezoGv({ ...relative, queries: 4, learningRate: 0.02 }) },
  zo_residual: { optimiser: zoResidual({ ...relative, learningRate: 1e-4 }) },
  three_points: { optimiser: threePointDescent({ ...relative }) },
  conservative: { again: true, optimiser: zoSgdConservative({ ...relative, learningRate: 0.3 }) },
  accepts_of_five: {
    optimiser: optimiser({
      ...onRelative,
      name: "accepts",
      estimator: spsa(far),
      transformations: [scaleBySchedule(0.2)],
      accept: acceptBest([0, 0.5, 1, 2, -1]),
    }),
  },
  qzo_plus: { optimiser: qzoPlus({ queries: 3, learningRate: 0.5, largest: 0.08 }) },
  // A mask: of elements, of tensors, with a share for each tensor.
  mask: { optimiser: sparseZo({ ...relative, learningRate: 0.05, sparsity: 0.7, resample: 4 }) },
  mask_of_tensors: {
    optimiser: sparseZo({
      ...{ ...relative, learningRate: 0.05, sparsity: 0.5, resample: 3, unit: "tensor" },
      distribution: "rademacher",
    }),
  },
  mask_with_shares: {
    again: true,
    optimiser: sparseZo({ ...relative, learningRate: 0.05, resample: 4, budget: "global" }),
  },
  // Blocks in turn.
  blocks_of_layers: {
    again: true,
    optimiser: blockwiseZo({
      ...{ ...relative, learningRate: 0.05 },
      blocks: { by: "layer", count: 2, keep: 2 },
    }),
  },
  blocks_of_parts: {
    optimiser: blockwiseZo({
      ...{ ...absolute, learningRate: 1e-4, queries: 2, distribution: "rademacher" },
      blocks: { by: "part", order: "random" },
    }),
  },
  blocks_of_tensors: {
    optimiser: blockwiseZo({
      ...{ ...relative, learningRate: 0.02 },
      blocks: { by: "tensor", count: 3, order: "random" },
    }),
  },
  blocks_that_all_move: {
    optimiser: blockwiseZo({
      ...{ ...relative, learningRate: 0.02 },
      blocks: { by: "layer", count: 2, order: "all" },
    }),
  },
  // Low rank.
  low_rank: {
    again: true,
    optimiser: lozo({ ...relative, learningRate: 0.02, rank: 3, resample: 4, queries: 2 }),
  },
  low_rank_rademacher: {
    optimiser: lozo({ learningRate: 1e-3, rank: 8, distribution: "rademacher" }),
    selection: dense,
  },
  // By magnitude: for the whole run, and decided anew.
  magnitude: { optimiser: sparseMezo({ ...relative, learningRate: 0.05, sparsity: 0.6 }) },
  magnitude_global: {
    optimiser: sparseMezo({
      ...{ ...absolute, learningRate: 1e-4, sparsity: 0.6 },
      ...{ budget: "global", take: "large" },
    }),
  },
  magnitude_decided_anew: {
    again: true,
    optimiser: sparseMezo({
      ...{ ...relative, learningRate: 0.1, sparsity: 0.6 },
      ...{ budget: "global", resample: 3 },
    }),
  },
  // Directions that are held, remembered, decay.
  accumulated: {
    optimiser: optimiser({
      ...{ ...onRelative, name: "accumulated" },
      estimator: spsa({ epsilon: 0.02, queries: 2 }),
      transformations: [accumulate(3, held, { directions: 2 })],
    }),
  },
  accumulated_mask: {
    again: true,
    optimiser: optimiser({
      ...{ ...onRelative, name: "accumulated" },
      estimator: spsa({ epsilon: 0.02 }),
      transformations: [accumulate(2, held)],
      mask: { density: 0.4, keep: 4 },
    }),
  },
  batch_per_direction: {
    optimiser: optimiser({
      ...{ ...onRelative, name: "batches" },
      estimator: spsa({ epsilon: 0.02 }),
      transformations: [batchPerDirection(3, held)],
    }),
  },
  momentum_from_seeds: {
    optimiser: zoSgdMomentum({ ...relative, state: "seeds", length: 4, learningRate: 0.02 }),
  },
  adamw_from_seeds: {
    again: true,
    optimiser: zoAdamW({
      ...{ ...relative, state: "seeds", length: 4, learningRate: 0.02, weightDecay: 0.03 },
      queries: 2,
    }),
  },
  // Update rules.
  sign_of_element: { optimiser: zoSgdSign({ ...relative, learningRate: 0.01, queries: 2 }) },
  momentum: { optimiser: zoSgdMomentum({ ...absolute, learningRate: 1e-3 }) },
  adam: { optimiser: zoAdam({ ...relative, learningRate: 0.02 }) },
  adamw: {
    optimiser: zoAdamW({
      ...{ ...relative, queries: 2, weightDecay: 0.3 },
      learningRate: linear(0.05, { total: 20, warmup: 3 }),
    }),
  },
  adam_accumulated: {
    again: true,
    optimiser: withRule(
      zoAdam({ ...relative, learningRate: 0.02 }),
      (rule) => accumulate(3, rule),
    ),
  },
  adam_with_mask: {
    optimiser: optimiser({
      ...{ ...onRelative, name: "masked", estimator: spsa(far) },
      update: adam({ learningRate: 0.02 }),
      mask: { density: 0.4, keep: 3 },
    }),
  },
  adam_in_blocks: {
    optimiser: optimiser({
      ...{ ...onRelative, name: "turns", estimator: spsa(far) },
      update: adam({ learningRate: 0.02 }),
      blocks: { by: "layer", count: 2 },
    }),
  },
  sign_of_low_rank: {
    optimiser: optimiser({
      ...{ ...onRelative, name: "signs", estimator: spsa(far) },
      update: signOfElement({ learningRate: 0.01 }),
      lowRank: { rank: 2, keep: 5 },
    }),
  },
  adam_by_magnitude: {
    again: true,
    optimiser: optimiser({
      ...{ ...onAbsolute, name: "masked", estimator: spsa(near) },
      update: adam({ learningRate: 1e-3 }),
      magnitude: { density: 0.5, take: "large", keep: 3 },
    }),
  },
  adam_that_rests: { optimiser: zoAdam({ ...relative, learningRate: 0.02 }), rests: true },
  momentum_that_rests: {
    again: true,
    optimiser: withRule(
      zoSgdMomentum({ ...relative, learningRate: 0.02 }),
      (rule) => accumulate(2, rule),
    ),
    rests: true,
  },
  // Gains.
  gains: { again: true, optimiser: qzoPlus({ queries: 3, gainPower: 0.5, largest: 0.08 }) },
  gains_of_masked: {
    optimiser: optimiser({
      ...{ ...onRelative, name: "gained", estimator: spsa(far), gains: {} },
      transformations: [scaleBySchedule(0.02)],
      mask: { density: 0.3, budget: "global" },
    }),
  },
  gains_of_low_rank: {
    optimiser: optimiser({
      ...{ ...onRelative, name: "gained", estimator: spsa(far), gains: { power: 1 } },
      transformations: [scaleBySchedule(0.02)],
      lowRank: { rank: 2 },
    }),
  },
  gains_with_adam: {
    optimiser: optimiser({
      ...{ ...onRelative, name: "gained", estimator: spsa(far), gains: { queries: 1 } },
      update: adam({ learningRate: 0.02 }),
    }),
  },
};

/** Where a fixture lies. */
export function fixtureUrl(name: string, folder = "ledgers"): URL {
  return new URL(`../../fixtures/${folder}/${name}`, import.meta.url);
}

/** The model that all of them are of. */
export async function caseSource(): Promise<ModelSource> {
  return await ggufModelSource(
    bytesSource(await Deno.readFile(fixtureUrl("model.gguf")), "model.gguf"),
  );
}

/** The same on a device. */
export async function loadCase(gpu: Gpu): Promise<Model> {
  return await loadModel(gpu, await caseSource());
}

const gains = [1, -8, 0, 2, -1, 8];
const shares = [20000, 0, 65536];

/** Offsets of a case, at zero; what would be found of each tensor is given. */
export function caseOffsets(model: Model, { optimiser, selection }: LedgerCase): OffsetSet {
  const { maxBinding } = model.gpu;
  const { mask, gains: gained } = optimiser.plan;
  const { trainables } = planOffsets(model, optimiser, maxBinding, selection);
  const found = trainables.map((one, i): Trainable => ({
    ...one,
    ...(mask?.budget === "global" ? { share: shares[i % shares.length] } : {}),
    ...(gained ? { gain: gains[i % gains.length] } : {}),
  }));
  return new OffsetSet(found, maxBinding).allocate(model.gpu);
}

/** The header of a case. */
export function caseHeader(model: Model, one: LedgerCase, offsets: OffsetSet): LedgerHeader {
  const header = tinyHeader(model, one.optimiser, offsets, 2 ** 40 + 11);
  const { zeros: _, ...older } = header;
  return one.rests ? older : header;
}

/** In which steps the losses of all branches are the same. */
const isFlat = (step: number) => step === 4 || step === 5;

/** A number from -0.5 to 0.5 for each element, the same everywhere. */
const wanted = (i: number) => ((Math.imul(i + 1, 0x9e3779b1) >>> 8) % 1024) / 1024 - 0.5;

/** Sums and products alone, so that it has the same bits everywhere. */
function distance(values: Iterable<number>): number {
  let sum = 0;
  let i = 0;
  for (const value of values) sum += (value - wanted(i)) * (value - wanted(i++));
  return sum;
}

/** Makes the steps of a case on the device, by a function of its offsets; the hash of those after the last. */
export async function makeCase(
  model: Model,
  { optimiser }: LedgerCase,
  offsets: OffsetSet,
  ledger: LedgerFile,
): Promise<string> {
  const run = finetuneByFunction({
    ...{ model, optimiser, offsets, ledger, seed: ledger.head.header.seed, steps: caseSteps },
    async objective({ offsets, step }) {
      if (isFlat(step)) return 1;
      const values = await offsets.read(model.gpu);
      return distance([...values.values()].flatMap((w) => [...w])) / 64;
    },
  });
  for await (const _ of run);
  return await hashOf(await offsets.read(model.gpu));
}

const named: readonly SessionTensor[] = [
  { name: "blk.0.attn_q.weight", count: 24, width: 8, layer: 0, part: "attention" },
  { name: "blk.0.ffn_up.weight", count: 20, width: 4, layer: 0, part: "mlp" },
  { name: "blk.1.attn_v.weight", count: 13, width: 13, layer: 1, part: "attention" },
  { name: "output.weight", count: 8, width: 8 },
];

/** The seed of every session. */
export const sessionSeed: number = 2 ** 33 + 5;

/** A session of a case on 65 numbers. */
export function caseSession({ optimiser }: LedgerCase): Session {
  const tensors: SessionTensor[] = named.map((one, i) => ({
    ...one,
    ...(optimiser.plan.gains ? { gain: gains[i] } : {}),
  }));
  return new Session({
    parameters: Float32Array.from({ length: 65 }, (_, i) => 3 * wanted(i + 500)),
    ...{ tensors, optimiser, seed: sessionSeed },
  });
}

/** A step as a session made it. */
export interface CaseStep {
  readonly coefficients: readonly number[];
  readonly state: readonly number[];
}

/** Makes the steps of a case with a session. */
export function makeSession(session: Session): CaseStep[] {
  const made: CaseStep[] = [];
  while (session.step < caseSteps) {
    const { step } = session;
    const losses = session.ask().map((point) => isFlat(step) ? 1 : distance(point));
    const { coefficients, state, tried } = session.tell(losses);
    if (!tried) made.push({ coefficients, state });
  }
  return made;
}

/** The hash of a session's offsets and state. */
export async function hashSession(session: Session): Promise<string> {
  return await hashOf(
    new Map([["offsets", session.offsets], ["state", Float32Array.from(session.state)]]),
  );
}

/** What is known of a fixture. */
export interface CaseBits {
  /** The format that it was written in. */
  readonly version: number;
  /** Of the offsets of the model after the last step. */
  readonly model: string;
  /** Of a session's offsets and state after its last step. */
  readonly session: string;
  /** Of the coefficients and states of its steps. */
  readonly steps: string;
}

/** The hash of steps. */
export async function hashSteps(steps: readonly CaseStep[]): Promise<string> {
  const numbers = steps.flatMap(({ coefficients, state }) => [...coefficients, ...state]);
  return await hashOf(new Map([["steps", Float32Array.from(numbers)]]));
}
