/**
 * One table of exact derivatives: architectures (grouped heads, windows, caps, encoders, tied heads) x what weights are stored in (formats, columns in
 * an order), and of each, drawn by its name, the form of offsets, the kernels of an adapter and what is kept of the forward. All that can be trained
 * is: a gradient's products with directions are the tangents along them, tangents are the limits of differences of losses along the same seeds, and
 * slopes are the f64 oracle's.
 */
import { assert, assertEquals } from "@std/assert";
import type { Gpu } from "../../kernels/mod.ts";
import {
  loadModel,
  type Model,
  openModelSource,
  packBatch,
  quantizedSource,
} from "../../models/mod.ts";
import type { ForwardModel } from "../../models/forward.ts";
import { mezo, withTangents } from "../../optim/mod.ts";
import { planOffsets, type Selection } from "../../train/selection.ts";
import { Trainer } from "../../train/steps/trainer.ts";
import { openSharedGpu } from "../kernels/one_device.ts";
import { normalisedMeanSquaredError } from "../reference/nmse.ts";
import { randomLlama, randomNormals, randomNumbers } from "../support/random_llama.ts";
import { numbersBy, sampled } from "../support/sampled.ts";
import { maskedChoices, maskedTexts } from "./architectures/small_roberta.ts";
import { assertGradient, gradientOf } from "./gradient_case.ts";
import { withTemp } from "./quantised_folder.ts";
import { compressed } from "./quantised_folder_cases.ts";
import { writeRandomFolder } from "./random_folder.ts";
import { SMALL_CONFIGS } from "./small_configs.ts";
import {
  choiceExamples,
  ggufInMemory,
  oracleLoss,
  smallShape,
  textExamples,
  weightsOf,
} from "./small_model.ts";
import { compressedLinear } from "./stored_linears.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** A folder whose matrices have their columns in an order. */
const ORDERED = "int4z_g32 with columns in an order";

/** All that can be trained; zero points that a folder stores as integers cannot. */
const selectionOf = (format: string): Selection => ({
  kinds: [
    ...["scales", "codebooks", "norms", "biases", "dense"] as const,
    ...format === ORDERED ? [] : ["minima"] as const,
  ],
  exclude: [],
});

const FORMATS = [
  ...["F32", "Q4_0", "Q8_0", "Q5_1", "IQ4_NL", "MXFP4", "int2z_g32", "nf4_g32", "int3_row"],
  ...["codebook2x8", ORDERED],
];

const VOCABULARY = 272;
const isEncoder = (architecture: string) => /bert/.test(architecture);

const examplesOf = (architecture: string) =>
  isEncoder(architecture)
    ? {
      "language-modelling": maskedTexts(VOCABULARY, [7, 12]),
      "classification": maskedChoices(VOCABULARY, [5, 9]),
    }
    : {
      "language-modelling": textExamples(VOCABULARY, [7, 14]),
      "classification": choiceExamples(VOCABULARY, [9, 3]),
    };

const cases = Object.keys(SMALL_CONFIGS).flatMap((architecture) =>
  FORMATS
    // Encoders and GPT-2 are not stored in an order.
    .filter((format) => format !== ORDERED || !/bert|gpt2/.test(architecture))
    .map((format) => ({ architecture, format }))
);

async function withModel(
  { architecture, format }: { readonly architecture: string; readonly format: string },
  body: (model: Model) => Promise<void>,
): Promise<void> {
  await withTemp(async (folder) => {
    const weights = { num_bits: 4, group_size: 32, symmetric: false, actorder: "weight" };
    const config = SMALL_CONFIGS[architecture];
    await writeRandomFolder(
      folder,
      format === ORDERED ? { ...config, quantization_config: compressed(weights) } : config,
      format === ORDERED ? { linear: compressedLinear(4, 32, false) } : {},
    );
    using stored = await openModelSource(folder);
    using model = await loadModel(
      gpu,
      format === "F32" || format === ORDERED ? stored : quantizedSource(stored, { format }),
    );
    await body(model);
  });
}

function sumOfSquares(...arrays: readonly Float32Array[]): number {
  return arrays.reduce((sum, one) => one.reduce((own, value) => own + value * value, sum), 0);
}

/** A model as it is recorded for another class of adapters. */
function onHardware(model: Model): ForwardModel {
  const { config, tensors, adapter, constants, columnOrders } = model;
  return { config, tensors, adapter, constants, columnOrders, adapterClass: "hardware" };
}

/** Of a difference over a step of 1: losses between 4 and 8 are known to an ulp of f32 each, and extrapolation at most doubles what that brings. */
const ROUNDING = 2 ** -20;

/**
 * What differences tend to as their step is halved: extrapolated in even powers of it (Richardson, to the second), from where three results in a row
 * and rounding are least apart. Two in a row may agree by chance where a loss bends much within a step.
 */
function limitOf(
  differences: readonly number[],
  largest: number,
): { readonly limit: number; readonly apart: number; readonly rounding: number } {
  let best = { limit: NaN, apart: Infinity, rounding: Infinity };
  let values = differences;
  for (let order = 0; order < 3; order++) {
    values.forEach((limit, i) => {
      if (i < 2) return;
      const apart = Math.max(
        Math.abs(limit - values[i - 1]),
        Math.abs(values[i - 1] - values[i - 2]),
      );
      const rounding = ROUNDING * 2 ** (i + order) / largest;
      if (apart + rounding < best.apart + best.rounding) best = { limit, apart, rounding };
    });
    const power = 4 ** (order + 1);
    values = values.slice(1).map((value, i) => (power * value - values[i]) / (power - 1));
  }
  return best;
}

/** Tangents are what differences of losses along the same seeds tend to. */
async function assertLimit(
  gpu: Gpu,
  model: Model,
  examples: ReturnType<typeof examplesOf>,
  { form, selection }: {
    readonly form: "relative" | "absolute";
    readonly selection: Selection;
  },
): Promise<void> {
  const derivativesBy = async (epsilon: number | undefined) => {
    using offsets = planOffsets(model, form, gpu.maxBinding, selection).allocate(gpu);
    const plain = mezo({ queries: 3, learningRate: 0, ...epsilon ? { epsilon } : {} });
    const rule = { ...epsilon ? plain : withTangents(plain), form };
    using trainer = new Trainer(model, rule, offsets, { seed: 6 });
    trainer.enqueue(0, packBatch(examples.classification, "classification", model));
    return (await trainer.drain())[0].derivatives;
  };
  // Scales of 8 bits are a hundredth of the weights, and move by as much as those of 2 bits.
  const [largest, halvings] = form === "relative" ? [1 / 16, 7] : [1 / 256, 11];
  const tangents = await derivativesBy(undefined);
  const differences: (readonly number[])[] = [];
  for (let i = 0; i <= halvings; i++) differences.push(await derivativesBy(largest / 2 ** i));
  tangents.forEach((tangent, q) => {
    const seen = differences.map((of) => of[q]);
    const { limit, apart, rounding } = limitOf(seen, largest);
    const size = Math.max(1, Math.abs(tangent));
    assert(apart + rounding < 3e-2 * size, `direction ${q}: no limit of ${seen}`);
    assert(
      Math.abs(tangent - limit) < 1e-4 * size + apart + rounding,
      `direction ${q}: tangent ${tangent}, limit ${limit} of ${seen}`,
    );
  });
}

for (const one of sampled("derivatives", cases, 0.02)) {
  const { architecture, format } = one;
  Deno.test(`exact derivatives: ${architecture} in ${format}`, async () => {
    const random = numbersBy(`${architecture} ${format}`);
    const form = format === "MXFP4" || random() < 0.5 ? "relative" : "absolute";
    const selection = selectionOf(format);
    await withModel(one, async (model) => {
      const examples = examplesOf(architecture);
      await assertGradient(gpu, model, examples, { form, selection });
      using offsets = planOffsets(model, form, gpu.maxBinding, selection).allocate(gpu);
      const objective = random() < 0.5 ? "language-modelling" : "classification";
      const batch = packBatch(examples[objective], objective, model);
      const found = await gradientOf(gpu, model, offsets, batch);
      const checkpoints = random() < 0.5 ? "all" : 2;
      assertEquals(await gradientOf(gpu, model, offsets, batch, { checkpoints }), found);
      const hardware = await gradientOf(gpu, onHardware(model), offsets, batch);
      const all = sumOfSquares(...found.slopes.values());
      for (const [name, slopes] of found.slopes) {
        const other = hardware.slopes.get(name)!;
        const difference = sumOfSquares(slopes.map((slope, i) => slope - other[i]));
        // Some are zero but for rounding, such as those by the bias of keys, which softmax does not see.
        const bound = 1e-7 * sumOfSquares(slopes) + 1e-13 * all;
        assert(
          difference <= bound,
          `${name} on hardware: ${difference} of ${sumOfSquares(slopes)}`,
        );
      }
      // The units of a ReLU turn within such steps; OPT's own tests take f64 and shorter ones.
      if (architecture !== "opt") await assertLimit(gpu, model, examples, { form, selection });
    });
  });
}

for (
  const [format, form, tied] of sampled(
    "slopes by the oracle",
    [
      ["F32", "absolute", true],
      ["Q4_0", "absolute", false],
      ["Q4_1", "relative", true],
      ["int3z_g32", "absolute", true],
      ["nf4_g32", "relative", false],
      ["codebook2x8", "relative", true],
    ] as const,
    0.2,
  )
) {
  Deno.test(`slopes are the oracle's: ${format}, ${form}, ${tied ? "tied" : "own"} head`, async () => {
    const random = randomNumbers(5);
    using dense = await ggufInMemory(smallShape, randomLlama(smallShape, { tied }));
    const source = format === "F32" ? dense : quantizedSource(dense, { format });
    using model = await loadModel(gpu, source);
    const selection: Selection = { kinds: ["scales", "norms", "biases", "dense"], exclude: [] };
    using offsets = planOffsets(model, form, gpu.maxBinding, selection).allocate(gpu);
    const spread = form === "relative" ? 0.02 : 2e-3;
    const start = new Map(
      offsets.trainables.map((t) => [t.name, randomNormals(t.count, spread, random)]),
    );
    offsets.write(gpu, start);
    for (const objective of ["language-modelling", "classification"] as const) {
      const examples = objective === "classification"
        ? choiceExamples(smallShape.vocabulary, [9, 3])
        : textExamples(smallShape.vocabulary, [7, 14]);
      const batch = packBatch(examples, objective, model);
      const { slopes } = await gradientOf(gpu, model, offsets, batch);
      const [found, expected]: [number[], number[]] = [[], []];
      for (const { name, count, form, span } of offsets.trainables) {
        // Some of each tensor, among them those with slopes: rows of the table that no token has say nothing.
        const own = slopes.get(name)!;
        const places = Array.from(own.keys()).filter((i) => own[i] !== 0 || random() < 0.01);
        for (let draw = 0; draw < Math.min(3, count); draw++) {
          const i = places[Math.floor(random() * places.length)];
          const lossAt = async (by: number) => {
            const weights = await weightsOf(source, (tensor) => {
              const trained = offsets.trainables.find((t) => t.name === tensor);
              if (!trained) return undefined;
              const values = Float64Array.from(start.get(tensor)!);
              if (tensor === name) values[i] += by;
              return { form: trained.form, span: trained.span, offsets: values, noise: null };
            });
            return oracleLoss(smallShape, weights, examples, objective);
          };
          const step = 1e-4 * (form === "relative" || span === 1 ? 1 : spread);
          found.push(own[i]);
          expected.push((await lossAt(step) - await lossAt(-step)) / (2 * step));
        }
      }
      const error = normalisedMeanSquaredError(found, expected);
      assert(error < 1e-7, `${objective}: ${error}`);
    }
  });
}
