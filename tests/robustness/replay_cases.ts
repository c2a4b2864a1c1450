/**
 * Ledgers that reach every branch of a replay, made from seeds so that every process has the same.
 *
 * @module
 */
import { OffsetSet } from "../../kernels/mod.ts";
import { fingerprint, type ModelSource } from "../../models/mod.ts";
import { planModel } from "../../models/inference/model.ts";
import { planOffsets, type Selection } from "../../train/selection.ts";
import {
  encodeHeader,
  encodeRecord,
  type Ledger,
  lozo,
  mezo,
  type Optimiser,
  qzo,
  qzoNormalised,
  qzoPlus,
  readLedger,
  roundCoefficient,
  sparseMezo,
  sparseZo,
  zoAdamW,
  zoSgdMomentum,
} from "../../optim/mod.ts";
import { randomNumbers } from "../support/random_llama.ts";
import { allKinds, allScales, tinyHeader, tinySource } from "../train/tiny_model.ts";

/** A ledger to replay, and the model that it is of. */
export interface ReplayCase {
  readonly name: string;
  /** Of the matrices. */
  readonly format: string;
  readonly optimiser: Optimiser;
  readonly selection: Selection;
  /** Coefficients reach so far from zero. */
  readonly reach: number;
  readonly steps: number;
}

/** Names are unique. */
export const replayCases: readonly ReplayCase[] = [
  {
    name: "absolute, scales of both signs stopped at zero",
    format: "Q4_0",
    optimiser: qzo(),
    selection: allScales,
    reach: 0.1,
    steps: 40,
  },
  {
    name: "absolute, scales beside minima",
    format: "Q4_1",
    optimiser: qzo({ queries: 2 }),
    selection: allScales,
    reach: 0.1,
    steps: 20,
  },
  {
    name: "relative, stopped at zero",
    format: "Q4_0",
    optimiser: qzoNormalised(),
    selection: allScales,
    reach: 1,
    steps: 300,
  },
  {
    name: "Rademacher, two directions",
    format: "Q4_0",
    optimiser: qzoNormalised({ distribution: "rademacher", queries: 2 }),
    selection: allScales,
    reach: 0.3,
    steps: 40,
  },
  {
    name: "norms and dense matrices, nothing projected",
    format: "F16",
    optimiser: mezo({ queries: 3 }),
    selection: allKinds,
    reach: 1e-3,
    steps: 300,
  },
  {
    name: "AdamW, two moments per offset",
    format: "Q4_0",
    optimiser: zoAdamW({
      form: "relative",
      projection: "keep-sign",
      learningRate: 0.05,
      weightDecay: 0.2,
      queries: 2,
    }),
    selection: allScales,
    reach: 1,
    steps: 60,
  },
  {
    name: "momentum, absolute, scales stopped at zero",
    format: "Q4_0",
    optimiser: zoSgdMomentum({ projection: "keep-sign", learningRate: 0.05 }),
    selection: allScales,
    reach: 0.5,
    steps: 60,
  },
  {
    name: "low rank over scales",
    format: "Q4_0",
    optimiser: lozo({
      form: "relative",
      projection: "keep-sign",
      rank: 8,
      resample: 7,
      queries: 2,
    }),
    selection: allScales,
    reach: 0.1,
    steps: 60,
  },
  {
    name: "low rank over norms and dense matrices",
    format: "F16",
    optimiser: lozo({ rank: 3, resample: 7, distribution: "rademacher" }),
    selection: allKinds,
    reach: 1e-3,
    steps: 60,
  },
  {
    name: "small scales alone, the others frozen",
    format: "Q4_0",
    optimiser: sparseMezo({ form: "relative", projection: "keep-sign", budget: "global" }),
    selection: allScales,
    reach: 1,
    steps: 60,
  },
  {
    name: "the scales that are small now, decided anew",
    format: "Q4_0",
    optimiser: sparseMezo({
      form: "relative",
      projection: "keep-sign",
      budget: "global",
      resample: 7,
    }),
    selection: allScales,
    reach: 1,
    steps: 60,
  },
  {
    name: "masks with a share for each tensor",
    format: "Q4_0",
    optimiser: sparseZo({ form: "relative", resample: 5, budget: "global" }),
    selection: allScales,
    reach: 1,
    steps: 60,
  },
  {
    name: "tensors with gains",
    format: "Q4_K",
    optimiser: qzoPlus({ gainPower: 0.5 }),
    selection: allScales,
    reach: 0.1,
    steps: 60,
  },
  {
    name: "an offset a row",
    format: "Q4_K",
    optimiser: qzoPlus(),
    selection: allScales,
    reach: 0.1,
    steps: 60,
  },
  {
    name: "scales and minima, absolute",
    format: "int4m_g32",
    optimiser: mezo({ queries: 2 }),
    selection: { ...allScales, kinds: ["scales", "minima"] },
    reach: 0.1,
    steps: 60,
  },
  {
    name: "scales and entries of codebooks",
    format: "codebook2x8",
    optimiser: qzoNormalised({ queries: 2 }),
    selection: { ...allScales, kinds: ["scales", "codebooks"] },
    reach: 0.3,
    steps: 60,
  },
];

/** The base model of a case. */
export function caseSource({ format }: ReplayCase): Promise<ModelSource> {
  return tinySource(format);
}

/** The ledger of a case. */
export async function caseLedger(replayCase: ReplayCase, source: ModelSource): Promise<Ledger> {
  const { optimiser, selection, reach, steps } = replayCase;
  const plan = planModel(source, { adapterClass: "software", maxBinding: 2 ** 27 });
  const { trainables } = planOffsets(plan, optimiser, 2 ** 27, selection);
  const shared = optimiser.plan.mask?.budget === "global"
    ? trainables.map((one, i) => ({ ...one, share: [20000, 0, 65536][i % 3] }))
    : optimiser.plan.gains
    ? trainables.map((one, i) => ({ ...one, gain: [-8, 0, 2, -1, 8][i % 5] }))
    : trainables;
  const offsets = new OffsetSet(shared, 2 ** 27);
  const head = encodeHeader(
    tinyHeader({ fingerprint: await fingerprint(source) }, optimiser, offsets, 2 ** 40 + 7),
  );
  const random = randomNumbers(99);
  const { estimator: { directions }, transformation: { stateSize } } = optimiser;
  const bytes = [...head.bytes];
  for (let step = 0; step < steps; step++) {
    // Of all magnitudes down to the smallest, as sums must round alike; the last one reaches the projection.
    const smaller = step === steps - 1 ? 0 : Math.floor(random() * (step % 5 === 4 ? 90 : 6));
    const size = reach * 2 ** -smaller;
    const coefficients = Array.from(
      { length: directions },
      () => roundCoefficient(size * (2 * random() - 1)),
    );
    bytes.push(...encodeRecord(head, step, coefficients, new Array(stateSize).fill(1)));
  }
  return readLedger(new Uint8Array(bytes));
}
