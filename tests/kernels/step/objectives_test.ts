/** Every named optimiser on objectives with known answers: the device executor beside the host's, step by step. */
import { placeOfName } from "../../../optim/ledger/old_versions.ts";
import { assert, assertEquals } from "@std/assert";
import { prepareOffsets } from "../../../kernels/mod.ts";
import {
  dueBefore,
  type ExtraOptions,
  namedOptimisers,
  type NamedOptions,
  type Optimiser,
  type OptimiserName,
  optimiserNames,
  preparationsOf,
  Session,
} from "../../../optim/mod.ts";
import { logistic, quadratic, quantisedNet, rosenbrock } from "../../optim/objectives.ts";
import { random } from "../../optim/random.ts";
import { randomPacked } from "../bench.ts";
import { StepRig } from "../step_rig.ts";
import { openSharedGpu } from "../one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const next = random(7);
const rows = Array.from({ length: 40 }, () => [next() - 0.5, next() - 0.5, next() - 0.5, 1]);
const net = quantisedNet();
/** With a learning rate at which rules that multiply derivatives do not leave. */
const objectives: Record<
  string,
  { loss: (x: ArrayLike<number>) => number; start: number[]; rate: number }
> = {
  "a quadratic of condition 10": {
    ...quadratic([1, 2, 0.5, 3], 10),
    start: [2, 1, 1, 2],
    rate: 3e-4,
  },
  "logistic regression": {
    ...logistic(rows, rows.map(([a, b]) => a > b ? 1 : -1)),
    start: [0.5, -0.5, 0.5, -0.5],
    rate: 3e-3,
  },
  "Rosenbrock": { ...rosenbrock, start: [-1.2, 1], rate: 1e-5 },
  "a quantised net": { ...net, rate: 1e-6 },
};

/** Those whose scalar programs divide or take roots, which devices may round as they like. */
const rounded = ["qzoNormalised", "qzoPlus", "fzoo", "meazo"];
/** Objectives have few elements: a mask must leave some of them. */
const extras: Partial<Record<OptimiserName, ExtraOptions>> = {
  sparseZo: { sparsity: 0.3, resample: 2 },
};
const seeds = { state: "seeds" } as const;
const optimisers: (readonly [string, boolean, (options: NamedOptions) => Optimiser])[] = [
  // Functions have no gradients.
  ...optimiserNames.filter((name) => !namedOptimisers[name]().estimator.exact).map((name) =>
    [
      name,
      !rounded.includes(name),
      (o: NamedOptions) => namedOptimisers[name]({ ...o, ...extras[name] }),
    ] as const
  ),
  ["zoSgdMomentum from seeds", true, (o) => namedOptimisers.zoSgdMomentum({ ...o, ...seeds })],
  [
    "sparseMezo, decided anew",
    true,
    (o) => namedOptimisers.sparseMezo({ ...o, sparsity: 0.5, resample: 3 }),
  ],
  ["zoAdamW from seeds", false, (o) => namedOptimisers.zoAdamW({ ...o, ...seeds })],
];

/** What is told of the points that a session asks for: losses, and of tangents the slope along them. */
function told(
  { estimator }: Optimiser,
  points: readonly Float32Array[],
  loss: (x: ArrayLike<number>) => number,
): number[] {
  if (!estimator.tangents) return points.map(loss);
  const [at, ...directions] = points;
  const near = (direction: Float32Array, h: number) =>
    loss(Float64Array.from(at, (value, i) => value + h * direction[i]));
  return [loss(at), ...directions.map((d) => (near(d, 1e-5) - near(d, -1e-5)) / 2e-5)];
}

const steps = 16;
const name = "blk.0.attn_q.weight";

for (const [title, exact, make] of optimisers) {
  Deno.test(`${title}: the device is where the host is, on every objective`, async () => {
    for (const [objective, { loss, start, rate }] of Object.entries(objectives)) {
      const rule = make({
        form: "absolute",
        projection: "none",
        epsilon: 0.01,
        learningRate: rate,
      });
      // What the objective does not look at is moved too.
      const count = 16;
      const parameters = Float32Array.from({ length: count }, (_, i) => start[i] ?? 1);
      const layout = { kind: "dense", type: "f32" } as const;
      const packed = {
        ...randomPacked(layout, 1, count, next),
        codes: new Uint32Array(parameters.buffer),
      };
      using rig = new StepRig(gpu, rule, [{ name, packed }]);
      const session = new Session({
        parameters,
        optimiser: rule,
        seed: 9,
        tensors: [{ name, count, width: count, ...placeOfName(name) }],
      });
      const preparations = preparationsOf(rule.plan);
      for (let step = 0; step < steps; step++) {
        for (const due of dueBefore(preparations, step, 0)) {
          await prepareOffsets(gpu, due, rig.offsets, rig.tensors);
        }
        let made = session.tell(told(rule, session.ask(), loss));
        if (made.tried) made = session.tell(told(rule, session.ask(), loss));
        rig.step(step, made.losses);
      }
      const device = (await rig.offsets.read(gpu)).get(name)!;
      assert(device.some((w) => w !== 0), `${objective}: nothing moved`);
      if (exact) assertEquals([...device], [...session.offsets], objective);
      else {
        // A coefficient may round to the other of two numbers of 16 bits, at each step.
        const size = Math.max(...session.offsets.map(Math.abs));
        device.forEach((w, i) =>
          assert(Math.abs(w - session.offsets[i]) <= size * steps * 2 ** -15, objective)
        );
      }
    }
  });
}
