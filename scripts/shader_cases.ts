/**
 * The texts of shaders, over tables of layouts, tiles and options: what graphs that are recorded without a device would compile. Wider than
 * any model, and the same list on every machine.
 *
 * @module
 */
import {
  type AdapterClass,
  add,
  attention,
  batchLayout,
  batchLoss,
  DeviceTensor,
  embedding,
  extent,
  type ForwardContext,
  gatherColumns,
  Graph,
  InputSums,
  lowRank,
  matmul,
  offsetWidth,
  type Perturbation,
  perturbedVector,
  pickRows,
  rmsNorm,
  rope,
  scaleColumns,
  siluGate,
  storeRows,
  targetLogProbability,
  type Tile,
  trainableOf,
} from "../kernels/mod.ts";
import type { OffsetForm } from "../optim/mod.ts";
import { FORMATS, type Layout, partName } from "../quant/mod.ts";
import { columnMultiple } from "../quant/layouts/layout.ts";
import { secondPart } from "../quant/layouts/trained_part.ts";
import { activationOf } from "../kernels/operations/activations/activations.ts";
import { sharedBehind, storeShared } from "../kernels/operations/leading/copy_rows.ts";
import { virtualTokens } from "../kernels/operations/leading/virtual_tokens.ts";
import { normOf } from "../kernels/operations/norms/norms.ts";
import { LAWS, MAX_BINDING, type ShaderText, storage, Texts } from "./shader_texts.ts";
import { stepCases } from "./shader_step_cases.ts";

/** A way to perturb a tensor; no distribution: offsets without noise. */
interface Way {
  readonly form: OffsetForm;
  readonly distribution?: string;
  readonly frozen?: "bit" | "value";
  /** Blocks that share an offset; absent: the row. */
  readonly blocks?: number;
}

/** Layouts that no format of the table has. */
const OTHER_LAYOUTS: readonly Layout[] = [
  { kind: "scalar", bits: 4, second: "min", group: 32, center: 8 },
  { kind: "scalar", bits: 5, second: "zero", group: 64, center: 0 },
  { kind: "scalar", bits: 6, second: "none", group: 0, center: 32 },
  { kind: "scalar", bits: 6, second: "min", group: 128, center: 0 },
  { kind: "column", bits: 2, classes: 8 },
  { kind: "column", bits: 3, classes: 4 },
  { kind: "column", bits: 4, classes: 8 },
  { kind: "column", bits: 8, classes: 12 },
  { kind: "codebook", books: 1, bits: 16 },
  { kind: "codebook", books: 4 },
  { kind: "codebook", books: 3, bits: 6 },
  { kind: "codebook", books: 2, bits: 12 },
  { kind: "codebook", books: 1, vector: 16 },
  { kind: "codebook", books: 3, bits: 9, vector: 16 },
];

function layouts(): Layout[] {
  const known = new Map<string, Layout>();
  for (const layout of [...FORMATS.map((format) => format.layout), ...OTHER_LAYOUTS]) {
    known.set(JSON.stringify(layout), layout);
  }
  return [...known.values()];
}

function perturbationOf(
  tensor: DeviceTensor,
  { form, distribution, frozen, blocks }: Way,
  part: "scales" | "minima" | "codebook" = "scales",
): Perturbation {
  const { kind } = tensor.layout;
  const block = kind === "super" || kind === "column" ? 32 : tensor.groupColumns;
  const span = blocks === undefined ? tensor.columns : Math.min(block * blocks, tensor.columns);
  const trainable = trainableOf(tensor, 7, form, span, part);
  return {
    offsets: storage("offsets"),
    form,
    span: trainable.span,
    stride: offsetWidth(trainable),
    id: trainable.id,
    noise: distribution === undefined
      ? undefined
      : { law: LAWS.get(distribution)!, frozen, branches: storage("branches") },
  };
}

/** Forms that a layout can be trained in. */
function formsOf({ kind }: Layout): readonly OffsetForm[] {
  return kind === "super" || kind === "column" ? ["relative"] : ["relative", "absolute"];
}

interface Product {
  readonly adapterClass: AdapterClass;
  readonly rows: number;
  readonly branches: number;
  readonly outputs: number;
  readonly tile?: Tile;
}

const SMALL_TILE: Tile = { rows: 2, columns: 4, workgroup: 32 };

/** Shapes that lead to every kernel and tile. */
const PRODUCTS: readonly Product[] = [
  { adapterClass: "software", rows: 5, branches: 2, outputs: 48, tile: SMALL_TILE },
  { adapterClass: "software", rows: 1, branches: 2, outputs: 48, tile: SMALL_TILE },
  { adapterClass: "software", rows: 1, branches: 1, outputs: 48 },
  { adapterClass: "software", rows: 3, branches: 2, outputs: 48 },
  { adapterClass: "software", rows: 16, branches: 2, outputs: 48 },
  { adapterClass: "hardware", rows: 1, branches: 1, outputs: 48 },
  { adapterClass: "hardware", rows: 2, branches: 2, outputs: 48 },
  { adapterClass: "hardware", rows: 9, branches: 2, outputs: 48 },
  { adapterClass: "hardware", rows: 64, branches: 2, outputs: 48 },
];

/** Those whose texts are long: for few ways each. */
const LARGE_PRODUCTS: readonly Product[] = [
  { adapterClass: "software", rows: 1, branches: 2, outputs: 1056 },
  { adapterClass: "software", rows: 4, branches: 2, outputs: 1056 },
  { adapterClass: "software", rows: 64, branches: 2, outputs: 1056 },
];

function product(
  texts: Texts,
  layout: Layout,
  columns: number,
  shape: Product,
  ways: { own?: Way | undefined; plane?: Way | undefined } = {},
  options: { bias?: boolean | "branches"; residual?: boolean; input?: "storage" } = {},
): void {
  const { rows, branches, outputs, tile, adapterClass } = shape;
  const tensor = new DeviceTensor("w", layout, outputs, columns, MAX_BINDING);
  const part = secondPart(layout);
  const graph = new Graph();
  const bytes = rows * branches * columns * 4;
  const x = options.input ? storage("x", bytes) : graph.value("x", bytes / 4);
  matmul(graph, x, tensor, {
    rows,
    branches,
    adapterClass,
    tile,
    bias: options.bias === "branches"
      ? graph.value("bias", branches * outputs)
      : options.bias
      ? storage("bias")
      : undefined,
    residual: options.residual ? storage("residual") : undefined,
    perturbation: ways.own && perturbationOf(tensor, ways.own),
    plane: ways.plane && part ? perturbationOf(tensor, ways.plane, part) : undefined,
  });
  const name = JSON.stringify({ layout, columns, ...shape, ...ways, ...options });
  texts.add(`matmul ${name}`, graph);
}

function products(texts: Texts): void {
  const normal: Way = { form: "relative", distribution: "normal", blocks: 1 };
  for (const layout of layouts()) {
    const sizes = [512, columnMultiple(layout) <= 32 ? 160 : 1024];
    const ways: readonly (Way | undefined)[] = [
      undefined,
      { form: "relative", blocks: 1 },
      normal,
      { form: "relative", distribution: "rademacher" },
      ...formsOf(layout).includes("absolute")
        ? [{ form: "absolute", distribution: "rademacher", blocks: 1 } as const]
        : [],
    ];
    for (const shape of PRODUCTS) {
      for (const own of ways) product(texts, layout, sizes[0], shape, { own });
      product(texts, layout, sizes[0], shape, { own: normal }, { input: "storage" });
    }
    for (const own of ways) product(texts, layout, sizes[1], PRODUCTS[0], { own });
    for (const shape of LARGE_PRODUCTS) {
      for (const own of [undefined, normal]) product(texts, layout, 512, shape, { own });
    }
    if (!secondPart(layout)) continue;
    const planes: readonly Way[] = [
      { form: "relative", blocks: 1 },
      normal,
      { form: "absolute", distribution: "normal", blocks: 1 },
    ];
    for (const shape of [...PRODUCTS, LARGE_PRODUCTS[2]]) {
      for (const plane of planes) {
        for (const own of [undefined, normal]) {
          product(texts, layout, sizes[0], shape, { own, plane });
        }
      }
    }
  }
  const layout: Layout = { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 };
  for (const shape of PRODUCTS) {
    for (
      const [bias, residual] of [
        [true, false],
        [false, true],
        [true, true],
        ["branches", false],
      ] as const
    ) {
      product(texts, layout, 512, shape, { own: normal }, { bias, residual });
    }
    for (const distribution of LAWS.keys()) {
      for (const frozen of ["value", "bit"] as const) {
        const own: Way = { form: "relative", distribution, frozen, blocks: 1 };
        product(texts, layout, 512, shape, { own });
        product(texts, { kind: "dense", type: "f16" }, 512, shape, { own });
      }
    }
  }
}

function contextOf(
  perturbation: (name: string) => Perturbation | undefined,
  adapterClass: AdapterClass,
): ForwardContext {
  const shape = { rows: 6, lossRows: 4, candidates: 2, examples: 1 };
  return {
    graph: new Graph(),
    branches: 2,
    rows: 6,
    batch: storage("batch"),
    layout: batchLayout(shape),
    adapterClass,
    perturbation,
  };
}

function ofOneName(name: string, one: Perturbation | undefined) {
  return (asked: string) => asked === name ? one : undefined;
}

/** Ways of what has a perturbation of its own: all laws, all forms. */
function allWays(forms: readonly OffsetForm[]): (Way | undefined)[] {
  return [
    undefined,
    ...forms.flatMap((form): Way[] => [
      { form, blocks: 1 },
      ...[...LAWS.keys()].flatMap((distribution) =>
        (["value", "bit"] as const).map((frozen) => ({ form, distribution, frozen, blocks: 1 }))
      ),
    ]),
  ];
}

function embeddings(texts: Texts): void {
  for (const layout of layouts()) {
    const table = new DeviceTensor("w", layout, 96, 512, MAX_BINDING);
    const add = (of: (name: string) => Perturbation | undefined, way: unknown) => {
      const context = contextOf(of, "software");
      embedding(context, table);
      texts.add(`embedding ${JSON.stringify({ layout, way })}`, context.graph);
    };
    for (const way of allWays(formsOf(layout))) {
      add(ofOneName("w", way && perturbationOf(table, way)), way);
    }
    const context = contextOf(() => undefined, "software");
    embedding(context, table, { by: "positions", shift: 2 });
    texts.add(`embedding ${JSON.stringify({ layout, by: "positions" })}`, context.graph);
    for (const way of allWays(formsOf(layout))) {
      const one = contextOf(ofOneName("w", way && perturbationOf(table, way)), "software");
      embedding(one, table, { by: "nothing", shift: 1 });
      texts.add(`embedding ${JSON.stringify({ layout, by: "nothing", way })}`, one.graph);
    }
    const part = secondPart(layout);
    if (!part) continue;
    for (const way of allWays(["relative", "absolute"])) {
      add(ofOneName(partName("w", part), way && perturbationOf(table, way, part)), { part, way });
    }
  }
}

function others(texts: Texts): void {
  for (const way of allWays(["relative", "absolute"]).filter((one) => one !== undefined)) {
    const bias = new DeviceTensor("bias", { kind: "dense", type: "f32" }, 1, 64, MAX_BINDING);
    const graph = new Graph();
    perturbedVector(graph, bias, perturbationOf(bias, way), 2);
    texts.add(`vector ${JSON.stringify(way)}`, graph);
  }
  const gain = new DeviceTensor("gain", { kind: "dense", type: "f32" }, 1, 64, MAX_BINDING);
  for (const adapterClass of ["software", "hardware"] as const) {
    for (const way of allWays(["relative", "absolute"])) {
      const of = ofOneName("gain", way && perturbationOf(gain, way));
      const context = contextOf(of, adapterClass);
      const x = context.graph.value("x", 2 * 6 * 64);
      rmsNorm(context, x, gain, 1e-5);
      rmsNorm(context, x, gain, 1e-5, { first: 0, count: 3 });
      texts.add(`rms norm ${JSON.stringify({ adapterClass, way })}`, context.graph);
    }
    const context = contextOf(() => undefined, adapterClass);
    const { graph } = context;
    const value = (words: number) => graph.value("value", words);
    for (const interleaved of [false, true]) {
      for (const headDimension of [64, 20, 12, 6]) {
        const x = value(2 * 6 * 4 * headDimension);
        rope(context, x, storage("rope"), { heads: 4, headDimension, interleaved });
      }
    }
    for (const headDimension of [16, 32, 64, 80, 96, 128, 256, 512]) {
      const q = value(2 * 6 * 4 * headDimension);
      attention(context, q, q, q, { heads: 4, keyValueHeads: 2, headDimension });
    }
    siluGate(context, value(768), value(768));
    storeRows(context, value(768), storage("cache"), 64, 32);
    for (const vocabulary of [64, 67]) {
      targetLogProbability(context, value(2 * 4 * vocabulary), vocabulary, value(8), {
        first: 0,
        count: 4,
        lossRows: 4,
      });
    }
    batchLoss(context, value(8), { lossRows: 4, candidates: 2 }, {
      losses: storage("losses"),
      scores: storage("scores"),
    });
    gatherColumns(context, value(768), storage("order"), 64);
    new InputSums(64, MAX_BINDING).record(graph, value(768), storage("used"));
    extent(graph, value(768), 768, storage("stats"), 0);
    texts.add(`operations ${adapterClass}`, graph);
    const other = contextOf(() => undefined, adapterClass);
    const x = other.graph.value("x", 768);
    add(other, x, x);
    activationOf("relu")(other, x);
    activationOf("relu")(other, x, x);
    for (const vectors of [{}, { gain }, { bias: gain }, { gain, bias: gain }]) {
      for (const list of [undefined, { first: 0, count: 4 }]) {
        normOf("layer")(other, x, vectors, { width: 64, epsilon: 1e-5, list });
      }
    }
    pickRows(other, x, 64, { first: 0, count: 4 });
    for (const [rows, rank] of [[1, 8], [6, 8], [6, 12], [6, 6], [6, 3]]) {
      const f32: Layout = { kind: "dense", type: "f32" };
      const factor = (name: string) => new DeviceTensor(name, f32, rank, 64, MAX_BINDING);
      const bias = new DeviceTensor("bias", f32, 1, 64, MAX_BINDING);
      for (const trained of [false, true]) {
        const way: Way = { form: "absolute", distribution: "normal" };
        const low = contextOf(
          (name) =>
            trained && /^(down|up|bias)$/.test(name)
              ? perturbationOf(name === "bias" ? bias : factor(name), way)
              : undefined,
          adapterClass,
        );
        const value = low.graph.value("x", 2 * rows * 64);
        const factors = { down: factor("down"), up: factor("up"), scale: 1, rows };
        lowRank(low, value, factors);
        lowRank(low, value, { ...factors, bias, residual: value });
        texts.add(`low rank ${JSON.stringify({ adapterClass, rows, rank, trained })}`, low.graph);
      }
    }
    for (const trained of [false, true]) {
      const f32: Layout = { kind: "dense", type: "f32" };
      const scales = new DeviceTensor("scales", f32, 1, 64, MAX_BINDING);
      const way: Way = { form: "absolute", distribution: "normal" };
      const scaled = contextOf(
        (name) => trained && name === "scales" ? perturbationOf(scales, way) : undefined,
        adapterClass,
      );
      const x = scaled.graph.value("x", 768);
      scaleColumns(scaled, x, { scales, rows: 6 });
      scaleColumns(scaled, x, { scales, rows: 6, residual: x });
      texts.add(`column scales ${JSON.stringify({ adapterClass, trained })}`, scaled.graph);
    }
    texts.add(`other operations ${adapterClass}`, other.graph);
    for (const trained of [false, true]) {
      const f32: Layout = { kind: "dense", type: "f32" };
      const matrix = new DeviceTensor("matrix", f32, 3, 64, MAX_BINDING);
      const way: Way = { form: "absolute", distribution: "normal" };
      const led = contextOf(
        () => trained ? perturbationOf(matrix, way) : undefined,
        adapterClass,
      );
      const x = led.graph.value("x", 768);
      virtualTokens(led, x, matrix);
      const keys = sharedBehind(led, x, matrix);
      storeShared(led, matrix, storage("cache"), 32);
      const shape = { heads: 4, keyValueHeads: 4, headDimension: 16, sharedKeys: 3 };
      for (const window of [undefined, 4]) {
        for (const rolling of [false, true]) {
          attention(led, x, keys, keys, { ...shape, window, rolling });
        }
      }
      texts.add(`leading ${JSON.stringify({ adapterClass, trained })}`, led.graph);
    }
  }
}

/** Every text, in the order of the tables. */
export function shaderTexts(): readonly ShaderText[] {
  const texts = new Texts();
  products(texts);
  embeddings(texts);
  others(texts);
  stepCases(texts);
  return texts.found;
}
