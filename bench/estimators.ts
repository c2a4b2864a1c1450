/**
 * Measures the quality of gradient estimators: their directions against the exact gradient of the scales, on real models and during training, and
 * what limits a step: estimate, batch or curvature. Results are kept in a file and not measured again, so it can be interrupted; the table and the
 * picture are made from that file.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { fromFileUrl, join } from "@std/path";
import type { OffsetSet, Trainable } from "../kernels/mod.ts";
import { sightOf } from "../models/architectures.ts";
import { type Example, type Model, packBatch } from "../models/mod.ts";
import {
  type Distribution,
  type Estimator,
  fillNoise,
  forwardGradient,
  masterSeed,
  oneSided,
  optimiser,
  qzoNormalised,
  scaleBySchedule,
  spsa,
  stepSeed,
} from "../optim/mod.ts";
import { gradientOf } from "../tests/models/gradient_case.ts";
import { readTrainConfig } from "../train/config/schema.ts";
import { evaluate, planOffsets } from "../train/mod.ts";
import { trainingOrder } from "../train/steps/step_order.ts";
import { openRunSession } from "../train/runs/session.ts";
import { taskExamples } from "../train/runs/task_examples.ts";
import { Trainer } from "../train/steps/trainer.ts";
import { DATA } from "./finetune.ts";
import {
  type Estimate,
  estimatorsReport,
  type EstimatorsRow,
  type KindRow,
} from "./support/estimators_report.ts";
import { keepRow, readRows } from "./support/kept_rows.ts";
import { describeMachine } from "./support/machine.ts";

const results = (name: string) => fromFileUrl(new URL(`./results/${name}`, import.meta.url));
const ROWS = results("estimators.jsonl");

const HELP =
  `Compares estimates of the gradient of scales with the exact gradient, on three models and over training.

Usage: deno task bench estimators [options]

  --only TEXT      points whose name contains TEXT, for example "reviews-4m" or "step 0"
  --list           the points that are not measured yet
  --table          write the table and the picture of what is measured, run nothing

Example: deno task bench estimators --only "reviews-opt-3m step 0"`;

const MODELS = ["reviews-4m", "reviews-opt-3m", "reviews-roberta-3m"];
const FORMAT = "int4_g32";
/** Numbers of steps of qzoNormalised after which to measure. */
const POINTS = [0, 50, 200];
const LEARNING_RATE = 2e-2;
/** Examples per training step. */
const TRAINED = 4;
/** Examples per batch whose gradient is estimated, and number of batches. */
const BATCH = 8;
const BATCHES = 8;
/** Number of directions of each estimator. */
const DIRECTIONS = 16;
/** Epsilon of qzoNormalised and of qzoPlus. */
const [EPSILON, EPSILON_PLUS] = [0.02, 0.04];
/** Values of epsilon at which the effect of curvature is measured, and the number of directions for it. */
const EPSILONS = [0.005, 0.08, 0.32];
const CURVED = 4;
/** Lengths of moves, as root mean squares of the change of an offset. */
const LENGTHS = [0.005, 0.02, 0.08];

type Vector = Float32Array<ArrayBuffer>;

const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + x * b[i], 0);
const norm = (a: Vector): number => Math.sqrt(dot(a, a));
const cosine = (a: Vector, b: Vector): number => dot(a, b) / (norm(a) * norm(b));
const mean = (a: readonly number[]): number => a.reduce((sum, x) => sum + x, 0) / a.length;
const rms = (a: readonly number[]): number => Math.sqrt(mean(a.map((x) => x * x)));
const short = (x: number): number => Number(x.toPrecision(5));

/** A linear combination of vectors. */
function combined(vectors: readonly Vector[], by: readonly number[]): Vector {
  const out = new Float32Array(vectors[0].length);
  vectors.forEach((one, q) => {
    for (let i = 0; i < out.length; i++) out[i] += by[q] * one[i];
  });
  return out;
}

/** Converts offsets, or gradients with respect to them, to one vector and back. */
class Space {
  readonly trainables: readonly Trainable[];
  readonly size: number;

  constructor({ trainables }: OffsetSet) {
    this.trainables = trainables;
    this.size = trainables.reduce((sum, { count }) => sum + count, 0);
  }

  flat(parts: ReadonlyMap<string, Float32Array>): Vector {
    const out = new Float32Array(this.size);
    let at = 0;
    for (const { name, count } of this.trainables) {
      out.set(parts.get(name)!, at);
      at += count;
    }
    return out;
  }

  parts(vector: Vector): Map<string, Vector> {
    let at = 0;
    return new Map(this.trainables.map(({ name, count }) => {
      at += count;
      return [name, vector.slice(at - count, at)];
    }));
  }

  /** The library's own directions of step 0. */
  directions(seed: number, law: Distribution): Vector[] {
    return Array.from({ length: DIRECTIONS }, (_, q) =>
      this.flat(
        new Map(this.trainables.map((t) => [
          t.name,
          fillNoise(law, stepSeed(masterSeed(seed), 0, q), t.id, 0, new Float32Array(t.count), t),
        ])),
      ));
  }

  /** The ranges of the tensors of each kind within a vector. */
  kinds(): Map<string, (readonly [number, number])[]> {
    const out = new Map<string, (readonly [number, number])[]>();
    let at = 0;
    for (const { name, count } of this.trainables) {
      const kind = name.replace(/^blk\.\d+\./, "").replace(/\.weight.*$/, "");
      out.set(kind, [...out.get(kind) ?? [], [at, at + count]]);
      at += count;
    }
    return out;
  }
}

/** The derivatives that an estimator computes for a batch along the directions of `seed`. Nothing is moved. */
async function derivatives(
  model: Model,
  offsets: OffsetSet,
  examples: readonly Example[],
  estimator: Estimator,
  { seed, distribution = "normal", objective }: {
    readonly seed: number;
    readonly distribution?: Distribution;
    readonly objective: "classification" | "language-modelling";
  },
): Promise<readonly number[]> {
  const probe = optimiser({
    name: "probe",
    estimator,
    transformations: [scaleBySchedule(0)],
    distribution,
    form: "relative",
  });
  using trainer = new Trainer(model, probe, offsets, { seed, capacity: 1 });
  await trainer.enqueueInTurns(0, packBatch(examples, objective, model));
  return (await trainer.drain())[0].derivatives;
}

/** Compares an estimator's derivatives with the exact ones, and its gradients from 1, 4 and 16 directions with the exact gradient. */
function estimate(
  name: string,
  found: readonly number[],
  directions: readonly Vector[],
  exact: Vector,
  forwards: (directions: number) => number,
): Estimate[] {
  const expected = found.map((_, q) => dot(directions[q], exact));
  const slope = dot(Float32Array.from(found), Float32Array.from(expected)) /
    expected.reduce((sum, x) => sum + x * x, 0);
  const error = rms(found.map((d, q) => d - expected[q])) / rms(expected);
  return [1, 4, 16].filter((q) => q <= found.length).map((queries) => {
    const groups = Array.from({ length: found.length / queries }, (_, i) => i * queries);
    const cosines = groups.map((first) =>
      cosine(
        combined(directions.slice(first, first + queries), found.slice(first, first + queries)),
        exact,
      )
    );
    return {
      ...{ name, queries, forwards: forwards(queries), draws: cosines.length },
      cosine: short(mean(cosines)),
      slope: short(slope),
      error: short(error),
      dimension: exact.length,
    };
  });
}

/** Estimates with one offset per row, as in qzoPlus. */
async function rowEstimates(
  model: Model,
  examples: readonly Example[],
  objective: "classification" | "language-modelling",
): Promise<Estimate[]> {
  using offsets = planOffsets(model, { form: "relative", span: "row" }, model.gpu.maxBinding)
    .allocate(model.gpu);
  const space = new Space(offsets);
  const { slopes } = await gradientOf(
    model.gpu,
    model,
    offsets,
    packBatch(examples, objective, model),
  );
  const exact = space.flat(slopes);
  const directions = space.directions(3, "normal");
  const estimator = oneSided({ epsilon: EPSILON_PLUS, queries: DIRECTIONS });
  const found = await derivatives(model, offsets, examples, estimator, { seed: 3, objective });
  const middle = mean(found);
  return [
    ...estimate("one-sided, an offset a row", found, directions, exact, (q) => q + 1),
    // The derivatives centred around their own mean. With a single direction, nothing would be left.
    ...estimate(
      "the same around their mean",
      found.map((d) => d - middle),
      directions,
      exact,
      (q) => q + 1,
    ).filter(({ queries }) => queries === DIRECTIONS),
  ];
}

/** Makes all measurements at a model's current offsets. */
async function measure(
  model: Model,
  offsets: OffsetSet,
  batches: readonly (readonly Example[])[],
  objective: "classification" | "language-modelling",
) {
  const { gpu } = model;
  const space = new Space(offsets);
  const gradients: Vector[] = [];
  for (const examples of batches) {
    const batch = packBatch(examples, objective, model);
    gradients.push(space.flat((await gradientOf(gpu, model, offsets, batch)).slopes));
  }
  const [exact] = gradients;
  const [own] = batches;
  const others = combined(gradients.slice(1), gradients.slice(1).map(() => 1 / (BATCHES - 1)));
  const pairs = gradients.flatMap((a, i) => gradients.slice(i + 1).map((b) => dot(a, b)));

  const normal = space.directions(1, "normal");
  const along = (estimator: Estimator, seed = 1, distribution: Distribution = "normal") =>
    derivatives(model, offsets, own, estimator, { seed, distribution, objective });
  const two = await along(spsa({ epsilon: EPSILON, queries: DIRECTIONS }));
  const one = await along(oneSided({ epsilon: EPSILON, queries: DIRECTIONS }));
  const tangents = await along(forwardGradient({ queries: DIRECTIONS }));
  const signs = await along(
    spsa({ epsilon: EPSILON, queries: DIRECTIONS }),
    2,
    "rademacher",
  );
  // Estimates around the gradient of another batch, scaled by the best factor, which is assumed to be known.
  const [, known] = gradients;
  const share = dot(known, exact) / dot(known, known);
  const rest = tangents.map((d, q) => d - share * dot(normal[q], known));
  const corrected = [1, 4, 16].map((queries): Estimate => {
    const cosines = Array.from({ length: DIRECTIONS / queries }, (_, i) => {
      const some = normal.slice(i * queries, (i + 1) * queries);
      const sum = combined(
        some,
        rest.slice(i * queries, (i + 1) * queries).map((d) => d / queries),
      );
      return cosine(combined([sum, known], [1, share]), exact);
    });
    return {
      ...{ name: "tangents around another batch's gradient", queries, draws: cosines.length },
      ...{ forwards: 2 * queries, cosine: short(mean(cosines)), dimension: exact.length },
    };
  });
  const estimates = [
    ...estimate("spsa", two, normal, exact, (q) => 2 * q),
    ...estimate("one-sided", one, normal, exact, (q) => q + 1),
    ...estimate("forwardGradient", tangents, normal, exact, (q) => 2 * q),
    ...estimate("spsa, Rademacher", signs, space.directions(2, "rademacher"), exact, (q) => 2 * q),
    ...estimate("spsa, signs alone", two.map(Math.sign), normal, exact, (q) => 2 * q)
      .map(({ slope: _, error: __, ...it }) => it),
    ...corrected,
  ];

  const curvature = [];
  const expected = normal.slice(0, CURVED).map((z) => dot(z, exact));
  for (const epsilon of EPSILONS) {
    const found = await along(spsa({ epsilon, queries: CURVED }));
    const error = rms(found.map((d, q) => d - expected[q])) / rms(expected);
    curvature.push({ epsilon, error: short(error) });
  }

  const guess = combined(normal, two);
  const total = dot(exact, exact);
  const kinds: KindRow[] = [...space.kinds()].map(([kind, ranges]) => {
    const part = (v: Vector): Vector =>
      Float32Array.from(ranges.flatMap(([from, to]) => [...v.subarray(from, to)]));
    const [a, b] = [part(guess), part(exact)];
    return {
      ...{ kind, dimension: b.length, share: short(dot(b, b) / total) },
      cosine: short(cosine(a, b)),
      batches: short(cosine(part(others), b)),
    };
  });

  const start = space.flat(await offsets.read(gpu));
  const all = batches.flat();
  const lossAt = async (to: Vector) => {
    offsets.write(gpu, space.parts(to));
    const { byExample } = await evaluate(model, all, { objective, offsets, batchSize: BATCH });
    const { losses, weights } = byExample!;
    const over = (from: number, end: number) =>
      losses.slice(from, end).reduce((sum, loss, i) => sum + loss * weights[from + i], 0) /
      weights.slice(from, end).reduce((sum, weight) => sum + weight, 0);
    return { own: short(over(0, BATCH)), others: short(over(BATCH, all.length)) };
  };
  const before = await lossAt(start);
  const moves = [];
  for (
    const [direction, vector] of [
      ["exact gradient of the batch", exact],
      ["exact gradient of the other batches", others],
      ["spsa of 16 directions", guess],
    ] as const
  ) {
    for (const length of LENGTHS) {
      const step = -length * Math.sqrt(space.size) / norm(vector);
      moves.push({ direction, length, ...await lossAt(combined([start, vector], [1, step])) });
    }
  }
  offsets.write(gpu, space.parts(start));
  return {
    scalars: offsets.scalars,
    norm: short(norm(exact)),
    batches: {
      cosine: short(mean(pairs.map((product, i) => {
        const [a, b] = pairOf(i);
        return product / (norm(gradients[a]) * norm(gradients[b]));
      }))),
      withOthers: short(cosine(exact, others)),
      // Unbiased estimates of the squared norm of the gradient of all examples, and of that of one batch.
      signal: short(mean(pairs)),
      power: short(mean(gradients.map((g) => dot(g, g)))),
    },
    ...{ estimates, curvature, kinds, before, moves },
  };
}

/** The two batches of a pair, given its index among all pairs. */
function pairOf(index: number): readonly [number, number] {
  let left = index;
  for (let a = 0;; a++) {
    const partners = BATCHES - 1 - a;
    if (left < partners) return [a, a + 1 + left];
    left -= partners;
  }
}

const nameOf = (model: string, step: number) => `${model} step ${step}`;

/** Measures the remaining points of one model, during one training run. */
async function run(name: string, left: readonly number[]): Promise<void> {
  const config = readTrainConfig({
    model: join(DATA, "models", name),
    quantize: { format: FORMAT },
    task: "sst2",
    data: { folder: join(DATA, "tasks/sst2"), validation_limit: 1 },
  }, "bench estimators");
  using session = await openRunSession(config);
  const { model, gpu } = session;
  const { train: { examples }, objective } = await taskExamples(config, model.tokenizer!, {
    maxPositions: model.maxPositions,
    sees: sightOf(model.config),
    splits: ["train"],
  });
  // These are not trained on.
  const held = examples.slice(-BATCH * BATCHES);
  const train = examples.slice(0, -BATCH * BATCHES);
  const batches = Array.from(
    { length: BATCHES },
    (_, i) => held.slice(i * BATCH, (i + 1) * BATCH),
  );
  const rule = qzoNormalised({ learningRate: LEARNING_RATE });
  using offsets = planOffsets(model, rule, gpu.maxBinding).allocate(gpu);
  using trainer = new Trainer(model, rule, offsets, { seed: 0 });
  const order = trainingOrder(train, { batchSize: TRAINED, seed: 0 });
  let step = 0;
  for (const point of POINTS.filter((it) => it <= Math.max(...left))) {
    while (step < point) {
      const batch = order.batch(step).map((i) => train[i]);
      await trainer.enqueueInTurns(step++, packBatch(batch, objective, model));
      if (step % 10 === 0) await trainer.drain();
    }
    if (!left.includes(point)) continue;
    const begun = performance.now();
    const found = await measure(model, offsets, batches, objective);
    const row: EstimatorsRow = {
      ...{ model: name, step: point, ...found },
      ...point === 0 ? { rows: await rowEstimates(model, batches[0], objective) } : {},
      machine: await describeMachine(gpu.description),
    };
    await keepRow(ROWS, row);
    console.log(
      `${nameOf(name, point)}: ${((performance.now() - begun) / 60_000).toFixed(1)} minutes`,
    );
  }
}

/** Makes the measurements that are not done yet, then writes the table and the picture. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["only"],
    boolean: ["list", "table", "help"],
  });
  if (args.help) return console.log(HELP);
  const done = new Set(
    (await readRows<EstimatorsRow>(ROWS)).map(({ model, step }) => nameOf(model, step)),
  );
  const isLeft = (name: string) => !done.has(name) && name.includes(args.only ?? "");
  const left = MODELS.map((model) => ({
    model,
    points: POINTS.filter((point) => isLeft(nameOf(model, point))),
  })).filter(({ points }) => points.length > 0);
  if (args.list) {
    const names = left.flatMap(({ model, points }) => points.map((step) => nameOf(model, step)));
    return console.log(names.join("\n"));
  }
  if (!args.table && left.length > 0) {
    if (!await Deno.stat(DATA).then(() => true, () => false)) {
      return console.log(`Skipped, because the real models and data are not in ${DATA}`);
    }
    for (const { model, points } of left) await run(model, points);
  }
  const rows = await readRows<EstimatorsRow>(ROWS);
  const settings = {
    ...{ format: FORMAT, batch: BATCH, batches: BATCHES, trained: TRAINED, rate: LEARNING_RATE },
    ...{ epsilon: EPSILON, plus: EPSILON_PLUS },
  };
  const { text, picture } = estimatorsReport(rows, settings);
  await Deno.writeTextFile(results("estimators.md"), text);
  if (picture) await Deno.writeTextFile(results("estimators.svg"), picture);
  console.log(text);
}

if (import.meta.main) await main(Deno.args);
