/** Slopes of a loss by inputs and offsets of products, in every layout, against f64; rules that are missing. */
import { assertThrows } from "@std/assert";
import {
  DeviceTensor,
  Graph,
  offsetWidth,
  type Perturbation,
  recordOperation,
  Storage,
  trainableOf,
} from "../../../kernels/mod.ts";
import { recordAdjoints } from "../../../kernels/device/operation.ts";
import { inputSlopes, weightSlopes } from "../../../kernels/matmul/adjoints/product_adjoint.ts";
import { addSlopes } from "../../../kernels/operations/adjoints/adjoints.ts";
import { FORMATS, type Layout, partName } from "../../../quant/mod.ts";
import { isQuantised, isRelativeOnly } from "../../../quant/layouts/layout.ts";
import { secondPart } from "../../../quant/layouts/trained_part.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { openSharedGpu } from "../one_device.ts";
import { numbersBy, sampled } from "../../support/sampled.ts";
import { assertClose, Bench, normals, randomTensorOf } from "../bench.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const scalar = (second: "min" | "zero", center = 0): Layout => ({
  ...{ kind: "scalar", bits: 4, second, center, group: 32 },
});

/** Those of the formats that shaders read differently. */
const formats =
  /^(F32|F16|BF16|Q4_0|Q8_0|Q5_1|Q[2346]_K|IQ4_XS|MXFP4|IQ2_XXS|IQ3_S|IQ1_M|int3z_g64|nf4_g64|int4m_row|codebook[23]x8)$/;

const layouts = new Map<string, Layout>([
  ...FORMATS.filter(({ name }) => formats.test(name)).map(({ name, layout }) =>
    [name, layout] as const
  ),
  ["int4 min about 8", scalar("min", 8)],
  ["int4 zero", scalar("zero")],
  ["int4 by column", { kind: "column", bits: 4, classes: 8 }],
]);

/** What is trained of a tensor, with offsets that are not zero. */
function trained(
  bench: Bench,
  tensor: DeviceTensor,
  { form, span, part = "scales" }: {
    readonly form: "relative" | "absolute";
    readonly span: number;
    readonly part?: "scales" | "minima";
  },
  random: () => number,
) {
  const trainable = trainableOf(tensor, 7, form, span, part);
  const values = normals(trainable.count, random, 0.2);
  const perturbation: Perturbation = {
    offsets: bench.storage("offsets", values),
    ...{ form, span: trainable.span, stride: offsetWidth(trainable), id: 7 },
  };
  const gradient = bench.storage("gradient", new Float32Array(trainable.count));
  return { values, perturbation, gradient, form, span: trainable.span };
}

async function check(
  name: string,
  layout: Layout,
  form: "relative" | "absolute",
  both: boolean,
): Promise<void> {
  const random = numbersBy(JSON.stringify([name, form, both]));
  const inputs = layout.kind === "super" ? 256 : layout.kind === "codebook" ? 192 : 96;
  const [rows, outputs] = [11, layout.kind === "column" ? 16 : random() < 0.5 ? 13 : 16];
  using bench = new Bench(gpu);
  const packed = randomTensorOf(layout, outputs, inputs, random);
  const tensor = bench.tensor("w", packed);
  const group = layout.kind === "scalar" ? layout.group || inputs : inputs;
  const span = !isQuantised(layout)
    ? 1
    : isRelativeOnly(layout)
    ? [32, inputs][Math.floor(2 * random())]
    : form === "absolute"
    ? group
    : [group, inputs][Math.floor(2 * random())];
  const scales = trained(bench, tensor, { form, span }, random);
  const minima = both
    ? trained(bench, tensor, { form, span: group, part: "minima" }, random)
    : undefined;
  const weightsOf = (own: ArrayLike<number>, second?: ArrayLike<number>) =>
    effectiveWeights(
      packed,
      own,
      form,
      scales.span,
      null,
      minima
        ? { offsets: second ?? minima.values, form, span: minima.span, noise: null }
        : undefined,
    );
  const weights = weightsOf(scales.values);
  const x = normals(rows * inputs, random);
  const slope = normals(rows * outputs, random);
  const product = {
    ...{ weight: tensor, rows },
    perturbation: scales.perturbation,
    plane: minima?.perturbation,
  };
  const slopes = bench.value("slope", slope);
  const byInput = inputSlopes(bench.graph, slopes, product);
  const second = secondPart(layout);
  weightSlopes(bench.graph, bench.value("x", x), slopes, product, {
    of: (asked) =>
      asked === "w"
        ? { storage: scales.gradient }
        : second && asked === partName("w", second) && minima
        ? { storage: minima.gradient }
        : undefined,
  });
  const [actual] = await bench.run(byInput);
  const at = (n: number, k: number) => n * inputs + k;
  const expected = Float64Array.from({ length: rows * inputs }, (_, i) => {
    const [m, k] = [Math.floor(i / inputs), i % inputs];
    let sum = 0;
    for (let n = 0; n < outputs; n++) sum += slope[m * outputs + n] * weights[at(n, k)];
    return sum;
  });
  assertClose(actual, expected, `${name}: slopes by the input`);
  const byWeight = new Float64Array(outputs * inputs);
  for (let n = 0; n < outputs; n++) {
    for (let k = 0; k < inputs; k++) {
      for (let m = 0; m < rows; m++) {
        byWeight[at(n, k)] += slope[m * outputs + n] * x[m * inputs + k];
      }
    }
  }
  // Weights are linear in each offset: a step of 1 is exact.
  const byOffsets = (values: Float32Array, weightsAt: (values: Float64Array) => Float64Array) =>
    Float64Array.from(values, (_, i) => {
      const moved = Float64Array.from(values);
      moved[i] += 1;
      const after = weightsAt(moved);
      return after.reduce((sum, w, j) => sum + (w - weights[j]) * byWeight[j], 0);
    });
  const read = async ({ gradient }: { readonly gradient: Storage }) =>
    new Float32Array((await gpu.read([{ buffer: gradient.buffer }]))[0]);
  assertClose(
    await read(scales),
    byOffsets(scales.values, (values) => weightsOf(values)),
    `${name}, ${form}: slopes by scales`,
  );
  if (!minima) return;
  assertClose(
    await read(minima),
    byOffsets(minima.values, (values) => weightsOf(scales.values, values)),
    `${name}, ${form}: slopes by minima`,
  );
}

for (const [name, layout] of sampled("adjoints of products", [...layouts], 1 / 4)) {
  Deno.test(`slopes by the input and the offsets of a product with ${name} equal the oracle's`, async () => {
    for (
      const form of isRelativeOnly(layout)
        ? ["relative"] as const
        : ["relative", "absolute"] as const
    ) {
      await check(name, layout, form, false);
      if (secondPart(layout) === "minima") await check(name, layout, form, true);
    }
  });
}

Deno.test("an operation without a rule is refused by its name, forwards and backwards; so are codebooks", () => {
  const graph = new Graph();
  const x = graph.value("x", 4);
  const y = graph.value("y", 4);
  const nothing = { name: "nothing", record: () => y };
  assertThrows(
    () => graph.withTangents(1, () => recordOperation(graph, nothing, [x], null)),
    TypeError,
    '"nothing" forwards',
  );
  const operations = [{ operation: nothing, inputs: [x], attributes: null, output: y }];
  const none = { of: () => undefined };
  assertThrows(
    () => recordAdjoints(graph, operations, new Map([[y, y]]), none, addSlopes),
    TypeError,
    '"nothing" backwards',
  );
  const layout: Layout = { kind: "codebook", books: 2 };
  const weight = new DeviceTensor("w", layout, 8, 64, 2 ** 20);
  const { id, form, span } = trainableOf(weight, 7, "absolute", 64, "codebook");
  const offsets = new Storage("offsets", 4, "offsets");
  assertThrows(
    () =>
      weightSlopes(graph, x, y, {
        ...{ weight, rows: 1, perturbation: undefined },
        plane: { offsets, id, form, span, stride: 8 },
      }, { of: () => ({ storage: offsets }) }),
    TypeError,
    'codebooks of "w"',
  );
});
