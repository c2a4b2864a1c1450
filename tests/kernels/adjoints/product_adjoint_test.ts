/** Slopes of a loss by inputs and offsets of products, in every layout, against f64; rules that are missing. */
import { assertThrows } from "@std/assert";
import {
  type DeviceTensor,
  Graph,
  offsetWidth,
  type Perturbation,
  recordOperation,
  type Storage,
  trainableOf,
} from "../../../kernels/mod.ts";
import { recordAdjoints } from "../../../kernels/device/operation.ts";
import { inputSlopes, weightSlopes } from "../../../kernels/matmul/adjoints/product_adjoint.ts";
import { tableSlopes } from "../../../kernels/operations/adjoints/embedding_adjoint.ts";
import { addSlopes } from "../../../kernels/operations/adjoints/adjoints.ts";
import { type Layout, partName, type TrainedPart } from "../../../quant/mod.ts";
import { isQuantised, isRelativeOnly } from "../../../quant/layouts/layout.ts";
import { secondPart } from "../../../quant/layouts/trained_part.ts";
import { effectiveWeights } from "../../reference/effective_weights.ts";
import { openSharedGpu } from "../one_device.ts";
import { numbersBy, sampled } from "../../support/sampled.ts";
import { layouts, scalar } from "../product_layouts.ts";
import { assertClose, Bench, normals, randomTensorOf } from "../bench.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

/** Offsets whose slopes are compared; of more, as many are drawn. */
const MOST_OFFSETS = 300;

/** What is trained of a tensor, with offsets that are not zero. */
function trained(
  bench: Bench,
  tensor: DeviceTensor,
  { form, span, part = "scales" }: {
    readonly form: "relative" | "absolute";
    readonly span: number;
    readonly part?: TrainedPart;
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

/** What of a tensor is trained: its scales, what it has besides, both. */
type Moved = "scales" | "second" | "both";

interface Way {
  readonly moved: Moved;
  readonly form: "relative" | "absolute";
  readonly rows: number;
  readonly outputs?: number;
  readonly inputs?: number;
  readonly maxBinding?: number;
  readonly adapterClass: "software" | "hardware";
}

function inputsOf(layout: Layout): number {
  return layout.kind === "super" ? 256 : layout.kind === "codebook" ? 64 : 96;
}

/** A random tensor, some of it trained, and what its weights are by the oracle. */
function subject(bench: Bench, layout: Layout, way: Way, random: () => number) {
  const { moved, form } = way;
  const inputs = way.inputs ?? inputsOf(layout);
  const outputs = way.outputs ??
    (layout.kind === "column" ? 16 : layout.kind === "codebook" ? 5 : random() < 0.5 ? 13 : 16);
  const packed = randomTensorOf(layout, outputs, inputs, random);
  const tensor = bench.tensor("w", packed, way.maxBinding);
  const group = layout.kind === "scalar" ? layout.group || inputs : inputs;
  const span = !isQuantised(layout)
    ? 1
    : isRelativeOnly(layout)
    ? [32, inputs][Math.floor(2 * random())]
    : form === "absolute"
    ? group
    : [group, inputs][Math.floor(2 * random())];
  const scales = moved === "second" ? undefined : trained(bench, tensor, { form, span }, random);
  const part = secondPart(layout);
  const second = moved === "scales" || !part
    ? undefined
    : trained(bench, tensor, { form, span: group, part }, random);
  const weightsOf = (own?: ArrayLike<number>, besides?: ArrayLike<number>) =>
    effectiveWeights(
      packed,
      own ?? scales?.values ?? null,
      form,
      scales?.span ?? span,
      null,
      second
        ? { offsets: besides ?? second.values, form, span: second.span, noise: null }
        : undefined,
    );
  const gradients = {
    of: (asked: string) =>
      asked === "w"
        ? scales && { storage: scales.gradient }
        : part && second && asked === partName("w", part)
        ? { storage: second.gradient }
        : undefined,
  };
  /** That the slopes by all offsets are those of a loss with these slopes by the weights. */
  const assertSlopes = async (byWeight: Float64Array, message: string) => {
    const weights = weightsOf();
    const check = async (
      { values, gradient }: { readonly values: Float32Array; readonly gradient: Storage },
      weightsAt: (values: Float64Array) => Float64Array,
      by: string,
    ) => {
      const found = new Float32Array((await gpu.read([{ buffer: gradient.buffer }]))[0]);
      // Some of the entries of large books.
      const places = Array.from(values.keys()).filter(() =>
        random() < MOST_OFFSETS / values.length
      );
      const expected = places.map((i) => {
        // Weights are linear in each offset: a step of 1 is exact.
        const moved = Float64Array.from(values);
        moved[i] += 1;
        const after = weightsAt(moved);
        return after.reduce((sum, w, j) => sum + (w - weights[j]) * byWeight[j], 0);
      });
      assertClose(places.map((i) => found[i]), expected, `${message}: slopes by ${by}`);
    };
    if (scales) await check(scales, (values) => weightsOf(values), "scales");
    if (second) await check(second, (values) => weightsOf(undefined, values), part!);
  };
  return {
    ...{ tensor, inputs, outputs, weights: weightsOf(), gradients, assertSlopes },
    perturbation: scales?.perturbation,
    plane: second?.perturbation,
  };
}

async function checkProduct(name: string, layout: Layout, way: Way): Promise<void> {
  const message = JSON.stringify([name, way]);
  const random = numbersBy(message);
  const { rows, adapterClass } = way;
  using bench = new Bench(gpu);
  const made = subject(bench, layout, way, random);
  const { tensor, inputs, outputs, weights, perturbation, plane } = made;
  const x = normals(rows * inputs, random);
  const slope = normals(rows * outputs, random);
  const product = { weight: tensor, rows, perturbation, plane, adapterClass };
  const slopes = bench.value("slope", slope);
  const byInput = inputSlopes(bench.graph, slopes, product);
  weightSlopes(bench.graph, bench.value("x", x), slopes, product, made.gradients);
  const [actual] = await bench.run(byInput);
  const at = (n: number, k: number) => n * inputs + k;
  const expected = Float64Array.from({ length: rows * inputs }, (_, i) => {
    const [m, k] = [Math.floor(i / inputs), i % inputs];
    let sum = 0;
    for (let n = 0; n < outputs; n++) sum += slope[m * outputs + n] * weights[at(n, k)];
    return sum;
  });
  assertClose(actual, expected, `${message}: slopes by the input`);
  const byWeight = new Float64Array(outputs * inputs);
  for (let n = 0; n < outputs; n++) {
    for (let k = 0; k < inputs; k++) {
      for (let m = 0; m < rows; m++) {
        byWeight[at(n, k)] += slope[m * outputs + n] * x[m * inputs + k];
      }
    }
  }
  await made.assertSlopes(byWeight, message);
}

/** Rows of a table are gathered, some more than once, by numbers that stand behind others in a batch. */
async function checkTable(name: string, layout: Layout, way: Way): Promise<void> {
  const message = JSON.stringify([name, way, "gathered"]);
  const random = numbersBy(message);
  const { rows } = way;
  using bench = new Bench(gpu);
  const made = subject(bench, layout, way, random);
  const { tensor, inputs, outputs, perturbation, plane } = made;
  const slope = normals(rows * inputs, random);
  const shift = 2;
  const tokens = Array.from({ length: rows }, () => Math.floor(random() * (outputs - shift)));
  const batch = bench.storage("batch", new Uint32Array([7, 7, 7, ...tokens]));
  const table = { table: tensor, rows, perturbation, plane };
  const gathered = { ...table, batch, index: 3, shift, factor: 1.5 };
  tableSlopes(bench.graph, bench.value("slope", slope), gathered, made.gradients);
  await bench.run();
  const byWeight = new Float64Array(outputs * inputs);
  tokens.forEach((token, m) => {
    for (let k = 0; k < inputs; k++) {
      byWeight[(token + shift) * inputs + k] += 1.5 * slope[m * inputs + k];
    }
  });
  await made.assertSlopes(byWeight, message);
}

function waysOf(layout: Layout): Pick<Way, "form" | "moved">[] {
  const forms = isRelativeOnly(layout) ? ["relative"] as const : ["relative", "absolute"] as const;
  const moves = secondPart(layout) ? ["scales", "second", "both"] as const : ["scales"] as const;
  return forms.flatMap((form) => moves.map((moved) => ({ form, moved })));
}

for (const [name, layout] of sampled("adjoints of products", [...layouts], 1 / 4)) {
  Deno.test(`slopes by the input and the offsets of a product with ${name} equal the oracle's`, async () => {
    for (const way of waysOf(layout)) {
      await checkProduct(name, layout, { ...way, rows: 11, adapterClass: "software" });
      await checkProduct(name, layout, { ...way, rows: 3, adapterClass: "hardware" });
    }
  });
}

for (const [name, layout] of sampled("adjoints of tables", [...layouts], 1 / 4)) {
  Deno.test(`slopes by the offsets of a table of ${name} whose rows were gathered equal the oracle's`, async () => {
    for (const way of waysOf(layout)) {
      await checkTable(name, layout, { ...way, rows: 9, adapterClass: "software" });
    }
  });
}

Deno.test("slopes of products in pieces and large tiles equal the oracle's", async () => {
  const way = { form: "relative", moved: "both", rows: 37, adapterClass: "software" } as const;
  const pieces = { outputs: 260, maxBinding: 8192 };
  await checkProduct("zero", scalar("zero"), { ...way, ...pieces });
  await checkProduct("min", scalar("min", 8), { ...way, ...pieces, adapterClass: "hardware" });
  await checkProduct("Q4_0", layouts.get("Q4_0")!, { ...way, ...pieces });
  await checkTable("min", scalar("min", 8), { ...way, ...pieces });
});

Deno.test("an operation without a rule is refused by its name, forwards and backwards", () => {
  const graph = new Graph();
  const x = graph.value("x", 4);
  const y = graph.value("y", 4);
  const nothing = { name: "nothing", record: () => y };
  assertThrows(
    () => graph.withTangents(1, () => recordOperation(graph, nothing, [x], null)),
    TypeError,
    '"nothing" in forward mode',
  );
  const operations = [{ operation: nothing, inputs: [x], attributes: null, output: y }];
  const none = { of: () => undefined };
  assertThrows(
    () => recordAdjoints(graph, operations, new Map([[y, y]]), none, addSlopes),
    TypeError,
    '"nothing" in reverse mode',
  );
});
