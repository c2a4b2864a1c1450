/**
 * Measures the time to quantise one matrix with calibration statistics, by method and by where its products are computed, and extrapolates it to a 7B
 * model.
 *
 * @module
 */
import { cpuUsage } from "node:process";
import { parseArgs } from "@std/cli";
import { DeviceProducts, openGpu } from "../kernels/mod.ts";
import {
  type Computation,
  gptqComputation,
  type InputStatistics,
  type ProductRequest,
  type Products,
  ProductWorkers,
  runWith,
} from "../quant/mod.ts";
import { awqComputation } from "../quant/quantisers/awq_scales.ts";
import { outputErrorComputation } from "../quant/quantisers/output_error.ts";
import { quantizeComputation } from "../quant/quantisers/round_to_nearest.ts";
import { codebookComputation } from "../quant/quantisers/codebook_quantize.ts";
import { rowProducts } from "../quant/quantisers/row_products.ts";
import { describeMachine } from "./support/machine.ts";
import { significant } from "./support/timing.ts";

const HELP =
  `Times the quantisation of one synthetic matrix to int4_g128 (codebooks: codebook2x8) and prints a markdown table.

Usage: deno task bench quantize [options]

Options:
  --rows <n>       outputs of the matrix (default 2048)
  --columns <n>    inputs of the matrix (default 2048)
  --where <list>   one-thread, all-cores, device (default: all)
  --only <list>    names of parts, or parts of names
  --help           this text

Processor seconds are those of all threads, a software adapter's too: on a machine that is busy otherwise they say more than seconds.
The last columns extrapolate them to all matrices of a 7B Llama: products taken to grow as rows · columns² (the
factorisation's as columns³; only some rows are looked at by awq and for the error), the rest as rows · columns.`;

/** The matrices of Llama-2-7B: `count` of each shape, with `inputs` different inputs. */
const SEVEN_B = [
  { count: 4 * 32, inputs: 2 * 32, rows: 4096, columns: 4096 },
  { count: 2 * 32, inputs: 32, rows: 11008, columns: 4096 },
  { count: 32, inputs: 32, rows: 4096, columns: 11008 },
];

/** A part of the work of quantising a matrix. */
interface Part {
  readonly name: string;
  /** Whether it is done once for all matrices with the same input. Otherwise it is done for each. */
  readonly once?: boolean;
  readonly run: () => Computation<unknown>;
  /** The size of the part for a matrix of `rows x columns`, in products; `rest` is that of everything else. */
  readonly products: (rows: number, columns: number) => number;
  readonly rest: (rows: number, columns: number) => number;
}

const perWeight = (rows: number, columns: number): number => rows * columns;
const perMoment = (rows: number, columns: number): number => rows * columns ** 2;
/** For parts that examine only a fixed number of rows. */
const sampled = (_: number, columns: number): number => columns ** 2;

/** Statistics of inputs that are correlated with their neighbours, some with a large magnitude. */
function statisticsOf(columns: number): InputStatistics {
  const loud = Float64Array.from({ length: columns }, (_, i) => i % 61 === 7 ? 6 : 1);
  const moments = new Float32Array(columns * columns);
  for (let i = 0, at = 0; i < columns; i++) {
    for (let j = 0; j < columns; j++, at++) {
      moments[at] = loud[i] * loud[j] * 0.95 ** Math.abs(i - j);
    }
  }
  return { columns, tokens: 1, moments, magnitudes: Float32Array.from(loud) };
}

function valuesOf(count: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: count }, () => {
    let sum = -2;
    for (let i = 0; i < 4; i++) {
      state = Math.imul(state, 1664525) + 1013904223 >>> 0;
      sum += state / 2 ** 32;
    }
    return 0.02 * sum;
  });
}

function partsOf(rows: number, columns: number): Part[] {
  const statistics = statisticsOf(columns);
  const values = valuesOf(rows * columns);
  const gptq = gptqComputation(statistics);
  const tensor = [rows, columns, "int4_g128"] as const;
  return [
    {
      name: "rtn",
      run: () => quantizeComputation(values, ...tensor),
      products: () => 0,
      rest: perWeight,
    },
    {
      // With only two rows, nearly all of the work is the factorisation.
      name: "gptq: factorisation",
      once: true,
      run: () => gptq(values.subarray(0, 2 * columns), 2, columns, "int4_g128"),
      products: (_, n) => n ** 3,
      rest: (_, n) => n ** 2,
    },
    {
      name: "gptq", // its factorisation has been computed above
      run: () => gptq(values, ...tensor),
      products: perMoment,
      rest: perWeight,
    },
    {
      name: "awq: search of factors",
      run: () => awqComputation([{ values, rows, format: "int4_g128" }], statistics),
      products: sampled,
      rest: sampled,
    },
    {
      name: "codebook: one round of at most 8",
      run: () =>
        codebookComputation(values, rows, columns, { books: 2, seed: 0, statistics, rounds: 1 }),
      products: perMoment,
      rest: perWeight,
    },
    {
      name: "error of the outputs",
      run: () =>
        outputErrorComputation(values, values.map((x) => 0.9 * x), rows, columns, statistics),
      products: sampled,
      rest: sampled,
    },
  ];
}

/** Processor time of the process's threads so far, in seconds. */
function processorSeconds(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1e6;
}

/** Adds up the processor time of products. */
class Watch implements Products {
  seconds = 0;
  readonly #products: Products;

  constructor(products: Products) {
    this.#products = products;
  }

  async multiply(request: ProductRequest): Promise<void> {
    const begun = processorSeconds();
    await this.#products.multiply(request);
    this.seconds += processorSeconds() - begun;
  }

  [Symbol.dispose](): void {} // the products are shared with other parts
}

const oneThread: Products = {
  multiply: (request) => Promise.resolve(rowProducts(request)),
  [Symbol.dispose]() {},
};

/** Size of this part for all matrices of a 7B model, relative to that for the measured matrix. */
function sevenB(part: Part, rows: number, columns: number, by: Part["products"]): number {
  const one = by(rows, columns) || 1;
  return SEVEN_B.reduce((sum, shape) => {
    const times = part.once ? shape.inputs : shape.count;
    return sum + times * by(shape.rows, shape.columns) / one;
  }, 0);
}

/** Times the parts and prints the table. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["rows", "columns", "where", "only"],
    boolean: ["help"],
    default: { rows: "2048", columns: "2048", where: "one-thread,all-cores,device" },
  });
  if (args.help) return console.log(HELP);
  const [rows, columns] = [Number(args.rows), Number(args.columns)];
  using gpu = await openGpu();
  using workers = new ProductWorkers(navigator.hardwareConcurrency);
  using device = new DeviceProducts(gpu);
  const places = new Map<string, Products>([
    ["one-thread", oneThread],
    ["all-cores", workers],
    ["device", {
      multiply: (request) => (request.exact ? workers : device).multiply(request),
      [Symbol.dispose]() {},
    }],
  ]);
  console.log(await describeMachine(gpu.description));
  console.log(
    `\n${rows} x ${columns}. Processor seconds, and processor hours for 7B (extrapolated):\n`,
  );
  console.log(
    "| part | products on | seconds | processor | of it products | 7B, products | 7B, rest |",
  );
  console.log("|---|---|---|---|---|---|---|");
  const only = (args.only ?? "").split(",");
  for (const where of args.where.split(",")) {
    const products = places.get(where);
    if (!products) throw new RangeError(`Cannot compute products on "${where}": see --help`);
    for (const part of partsOf(rows, columns)) {
      if (!only.some((text) => part.name.includes(text))) continue;
      const watch = new Watch(products);
      const [processor, begun] = [processorSeconds(), performance.now()];
      await runWith(part.run(), watch);
      const seconds = (performance.now() - begun) / 1000;
      const all = processorSeconds() - processor;
      const hours = [
        watch.seconds * sevenB(part, rows, columns, part.products),
        (all - watch.seconds) * sevenB(part, rows, columns, part.rest),
      ].map((it) => `${significant(it / 3600)} h`);
      const cells = [seconds, all, watch.seconds].map(significant);
      console.log(`| ${[part.name, where, ...cells, ...hours].join(" | ")} |`);
    }
  }
}

if (import.meta.main) await main(Deno.args);
