/**
 * IA3: vectors that scale the outputs or inputs of some matrices of the base model.
 *
 * @module
 */

import { scaleColumns } from "../../kernels/mod.ts";
import { assertOptions, type OptionRules } from "../../optim/options.ts";
import { architectureOf, weightsOf } from "../architectures.ts";
import type { Weight } from "../architecture.ts";
import { harmless, keysOf, type KeyTable } from "../config/config_keys.ts";
import type { ModelConfig } from "../model_config.ts";
import { modulePath, namesFor, targetsOf } from "./module_patterns.ts";
import type { PeftForm } from "./peft_form.ts";
import type {
  Adapter,
  AdapterOption,
  AdapterPlan,
  AdapterScheme,
  AdapterTensor,
  MergedRows,
} from "./scheme.ts";

/** A vector for one matrix. */
export type Ia3Vector = {
  /** Name of the matrix, such as `blk.0.attn_k.weight`. */
  readonly matrix: string;
  /** What it scales: the matrix's output, including its bias, or its input. */
  readonly scales: "output" | "input";
};

/** The plan of an IA3 adapter. */
export type Ia3Plan = AdapterPlan & {
  /** The vectors, in the order of the forward pass. */
  readonly vectors: readonly Ia3Vector[];
};

/** Options of {@linkcode ia3Adapter}. */
export interface Ia3Options {
  /**
   * The matrices: ends of their paths in a folder (`k_proj`) or inside this library (`attn_k`), a regular expression for the whole path, or
   * `all-linear`. Default: keys, values and the last matrix of the MLP.
   */
  readonly targets?: string | readonly string[] | undefined;
  /** The matrices among these whose inputs are scaled, named in the same way. Default: the last matrix of the MLP. */
  readonly feedForward?: string | readonly string[] | undefined;
  /** First and last layer, inclusive. Default: all. */
  readonly layers?: readonly [number, number] | undefined;
}

/** Names of the MLP's last module. RoBERTa uses the same name for the output of attention. */
const USUAL_FEED_FORWARD: readonly string[] = ["down_proj", "fc2", "mlp.c_proj", "output.dense"];

/** The modules to which the paper applies IA3. An architecture has those of one line. */
const USUAL_TARGETS: readonly string[] = [
  ...["k_proj", "v_proj"],
  ...["key", "value"],
  ...["c_attn", "query_key_value", "qkv_proj"],
  ...USUAL_FEED_FORWARD,
];

const ia3Rules: OptionRules<Ia3Options & { seed?: number }> = {
  targets: "any",
  feedForward: "any",
  layers: "any",
  // Accepted for all schemes; nothing is random here.
  seed: "any",
};

const options: Readonly<Record<keyof Ia3Options, AdapterOption>> = {
  targets: {
    doc: "matrices: ends of their names, a regular expression for the whole name, or all-linear",
    holds: "names",
    shown: "keys, values and the matrix that ends the MLP",
  },
  feedForward: {
    doc: "those whose inputs are scaled in place of their outputs, named the same way",
    holds: "names",
    shown: "the matrix that ends the MLP",
  },
  layers: { doc: "layers, counted from 0; all if not given", holds: "layers" },
};

/**
 * Creates an IA3 adapter: vectors of ones, so that it changes nothing yet. A vector for the last matrix of the MLP scales the input, all others
 * scale the output. Source: Liu et al., arXiv 2205.05638.
 *
 * @param model The base model.
 * @throws {RangeError} when no matrix has such a name, or for an invalid pattern.
 *
 * @example The first layer of the bundled model
 * ```ts
 * import { ia3Adapter, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const { plan } = ia3Adapter(source, { layers: [0, 0] });
 * assertEquals(plan.vectors, [
 *   { matrix: "blk.0.attn_k.weight", scales: "output" },
 *   { matrix: "blk.0.attn_v.weight", scales: "output" },
 *   { matrix: "blk.0.ffn_down.weight", scales: "input" },
 * ]);
 * ```
 */
export function ia3Adapter(
  { config }: { readonly config: ModelConfig },
  options: Ia3Options = {},
): Adapter & { readonly plan: Ia3Plan } {
  assertOptions("make an IA3 adapter", options, ia3Rules);
  const { targets = USUAL_TARGETS, feedForward = USUAL_FEED_FORWARD, layers } = options;
  const isTarget = targetsOf(targets);
  const isFeedForward = targetsOf(feedForward);
  const vectors = weightsOf(config).filter(isLinear).filter(isTarget).filter(({ layer }) =>
    !layers || layer !== undefined && layer >= layers[0] && layer <= layers[1]
  ).map((weight): Ia3Vector => ({
    matrix: weight.name,
    scales: isFeedForward(weight) ? "input" : "output",
  }));
  if (vectors.length === 0) {
    const names = weightsOf(config).filter(isLinear).map((it) => modulePath(it).split(".").at(-1)!);
    throw new RangeError(
      `Cannot make an IA3 adapter for ${architectureOf(config).name}: no matrix has a name like ${
        JSON.stringify(targets)
      }${layers ? ` in layers ${layers.join(" to ")}` : ""}; it has ${
        [...new Set(names)].join(", ")
      }`,
    );
  }
  const plan: Ia3Plan = { vectors };
  ia3.tensors(config, plan);
  return { scheme: "ia3", plan, seed: 0 };
}

function isLinear({ role }: Weight): boolean {
  return role === "matrix" || role === "head";
}

/** The name of a matrix's vector. */
export function ia3Name(matrix: string): string {
  return `${matrix}.ia3`;
}

/**
 * The matrices of a plan, each with its vector.
 *
 * @throws {RangeError} for a matrix that the model does not have.
 */
function placed(
  config: ModelConfig,
  { vectors }: Ia3Plan,
): (Ia3Vector & { readonly weight: Weight; readonly length: number })[] {
  const weights = new Map(weightsOf(config).map((weight) => [weight.name, weight]));
  return vectors.map((one) => {
    const weight = weights.get(one.matrix);
    if (!weight || !isLinear(weight)) {
      throw new RangeError(
        `Cannot add IA3 to "${one.matrix}": ${
          weight ? "it is not a linear layer" : "the model has no such matrix"
        }`,
      );
    }
    const length = one.scales === "input" ? weight.columns : weight.rows;
    if (length % 4 !== 0) {
      throw new RangeError(
        `Cannot add IA3 to "${one.matrix}": its ${one.scales} has ${length} elements, expected a multiple of 4`,
      );
    }
    return { ...one, weight, length };
  });
}

const PEFT_KEYS: KeyTable = {
  ...keysOf(
    "target_modules exclude_modules feedforward_modules",
    harmless("which modules have a vector, and where, is seen in the tensors"),
  ),
  fan_in_fan_out: harmless("vectors are stored the same way for all modules"),
  init_ia3_weights: harmless("how it was initialised"),
};

const SUFFIX = "ia3_l";

const peft: PeftForm<Ia3Plan> = {
  type: "IA3",
  keys: PEFT_KEYS,
  plan({ config, shapeOf }) {
    const vectors = weightsOf(config).filter(isLinear).flatMap((weight): Ia3Vector[] => {
      const shape = shapeOf(weight.name, SUFFIX);
      if (!shape) return [];
      // Vectors that scale inputs are stored as rows, and those that scale outputs as columns.
      const scales = shape[0] === 1 && weight.columns > 1 ? "input" : "output";
      return [{ matrix: weight.name, scales }];
    });
    return vectors.length === 0 ? undefined : { vectors };
  },
  tensors: (config, plan) =>
    placed(config, plan).map(({ matrix, scales, length }) => ({
      name: ia3Name(matrix),
      matrix,
      suffix: SUFFIX,
      shape: scales === "input" ? [1, length] : [length, 1],
      byOutput: scales === "output",
    })),
  settings(config, plan) {
    const all = weightsOf(config).filter(isLinear);
    const of = placed(config, plan);
    const chosen = of.map(({ weight }) => weight);
    const feed = of.filter(({ scales }) => scales === "input").map(({ weight }) => weight);
    return {
      exclude_modules: null,
      fan_in_fan_out: chosen.every(({ transposed }) => transposed === true),
      ...namesOf(all, chosen, feed),
      init_ia3_weights: true,
    };
  },
};

/** Names of modules for PEFT, which looks for those of the MLP among the others. */
function namesOf(all: readonly Weight[], chosen: readonly Weight[], feed: readonly Weight[]) {
  const [targets, inputs] = [namesFor(all, chosen), namesFor(all, feed)];
  const within = inputs.every((name) => targets.includes(name));
  return {
    target_modules: within ? targets : chosen.map(modulePath),
    feedforward_modules: within ? inputs : feed.map(modulePath),
  };
}

/** The IA3 scheme. */
export const ia3: AdapterScheme<Ia3Plan> = {
  name: "ia3",
  summary: "vectors that scale keys, values and what the MLP's last matrix reads",
  // Its values start at 1, so steps of LoRA's size would hardly change them.
  size: 2,
  options,
  make: (model, settings) => ia3Adapter(model, settings as Ia3Options),
  parse({ vectors, ...rest }) {
    const refuse = (why: string) => new RangeError(`Cannot use an IA3 adapter: ${why}`);
    const unknown = Object.keys(rest);
    if (unknown.length > 0) throw refuse(`it has the unknown key "${unknown[0].slice(0, 60)}"`);
    if (!Array.isArray(vectors) || vectors.length === 0) throw refuse("it names no matrices");
    const seen = new Set<string>();
    for (const one of vectors as readonly unknown[]) {
      const { matrix, scales, ...more } = { ...one as Partial<Ia3Vector> };
      const isSound = typeof matrix === "string" && !seen.has(matrix) &&
        (scales === "input" || scales === "output") && Object.keys(more).length === 0;
      if (!isSound) {
        throw refuse(
          `${JSON.stringify(one)?.slice(0, 100)} is not a matrix and side, or occurs twice`,
        );
      }
      seen.add(matrix);
    }
    return { vectors: vectors as readonly Ia3Vector[] };
  },
  tensors: (config, plan) =>
    placed(config, plan).map(({ matrix, weight: { layer, part }, length }): AdapterTensor => ({
      name: ia3Name(matrix),
      rows: 1,
      columns: length,
      initial: { values: new Float32Array(length).fill(1) },
      layer,
      part,
    })),
  hooks({ vectors }) {
    const beside = new Map(vectors.map((one) => [one.matrix, one.scales]));
    return {
      linear({ context, x, rows, matrix, residual, tensor, product }) {
        const scales = beside.get(matrix.name);
        if (!scales) return undefined;
        const vector = { scales: tensor(ia3Name(matrix.name)), rows };
        return scales === "input"
          ? product(residual, scaleColumns(context, x, vector))
          : scaleColumns(context, product(), { ...vector, residual });
      },
    };
  },
  merge({ vectors }, { values, has }) {
    const changes = new Map<string, MergedRows>();
    for (const { matrix, scales } of vectors) {
      const vector = values(ia3Name(matrix));
      if (scales === "input") {
        changes.set(matrix, (rows) => rows.forEach((_, i) => rows[i] *= vector[i % vector.length]));
        continue;
      }
      changes.set(matrix, (rows, first, count) => {
        const columns = rows.length / count;
        rows.forEach((_, i) => rows[i] *= vector[first + Math.floor(i / columns)]);
      });
      const bias = matrix.replace(/weight$/, "bias");
      if (has(bias)) changes.set(bias, (rows) => rows.forEach((_, i) => rows[i] *= vector[i]));
    }
    return changes;
  },
  mix(config, parts) {
    const sides = new Map<string, Ia3Vector>();
    for (const one of parts.flatMap(({ plan }) => plan.vectors)) {
      const known = sides.get(one.matrix);
      if (known && known.scales !== one.scales) {
        throw new RangeError(
          `Cannot mix adapters: one scales the input of "${one.matrix}", another its output`,
        );
      }
      sides.set(one.matrix, one);
    }
    const plan: Ia3Plan = { vectors: [...sides.values()] };
    const values = placed(config, plan).map(({ matrix, length }) => {
      const sum = new Float32Array(length).fill(1);
      for (const { plan, weight, values } of parts) {
        if (!plan.vectors.some((one) => one.matrix === matrix)) continue;
        values(ia3Name(matrix)).forEach((value, i) => sum[i] += weight * (value - 1));
      }
      return [ia3Name(matrix), sum] as const;
    });
    return { plan, values: new Map(values) };
  },
  peft,
};
