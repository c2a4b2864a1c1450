/**
 * LoRA: two narrow matrices next to a matrix W of the base model, `y = W x + scale * B (A x)`.
 *
 * @module
 */

import { lowRank } from "../../kernels/mod.ts";
import { assertOptions, type OptionRules } from "../../optim/options.ts";
import { architectureOf, weightsOf } from "../architectures.ts";
import type { Weight } from "../architecture.ts";
import type { ModelConfig } from "../model_config.ts";
import { loraInPeft } from "./lora_in_peft.ts";
import { mixedLora } from "./lora_mix.ts";
import { type LoraMatrix, loraNames, type LoraPlan } from "./lora_plan.ts";
import { targetsOf, valueByPattern } from "./module_patterns.ts";
import type { Adapter, AdapterOption, AdapterScheme, AdapterTensor, MergedRows } from "./scheme.ts";

/** Options of {@linkcode loraAdapter}. */
export interface LoraOptions {
  /** Rank: the rows of A. Default 8. */
  readonly rank?: number | undefined;
  /** Numerator of the scale, which is alpha / rank. Default 16. */
  readonly alpha?: number | undefined;
  /** Whether the scale is alpha / sqrt(rank), as in rank-stabilised LoRA (arXiv 2312.03732). Default false. */
  readonly rslora?: boolean | undefined;
  /**
   * The matrices: ends of their paths in a folder (`q_proj`) or inside this library (`attn_q`), a regular expression for the whole path, or
   * `all-linear`. Default: PEFT's default for the architecture, usually queries and values.
   */
  readonly targets?: string | readonly string[] | undefined;
  /** First and last layer, inclusive. Default: all. */
  readonly layers?: readonly [number, number] | undefined;
  /** Ranks by regular expression for the end of a matrix's path. The first match counts. */
  readonly rankPattern?: Readonly<Record<string, number>> | undefined;
  /** Values of alpha by regular expression, like `rankPattern`. */
  readonly alphaPattern?: Readonly<Record<string, number>> | undefined;
  /** Seed of A's initial values. Default 0. */
  readonly seed?: number | undefined;
}

/** The modules to which PEFT applies LoRA by default. An architecture has those of one line. */
const USUAL_TARGETS: readonly string[] = [
  ...["q_proj", "v_proj"],
  ...["query", "value"],
  "c_attn",
  "query_key_value",
  "qkv_proj",
];

const LARGEST_RANK = 16384;
const rank = { min: 1, max: LARGEST_RANK, whole: true };
const alpha = { min: 1e-6, max: 1e6 };

const loraRules: OptionRules<LoraOptions> = {
  rank,
  alpha,
  rslora: { flag: true },
  targets: "any",
  layers: "any",
  rankPattern: "any",
  alphaPattern: "any",
  seed: { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true },
};

const options: Readonly<Record<keyof Omit<LoraOptions, "seed">, AdapterOption>> = {
  rank: { doc: "rank: rows of A, columns of B", ...rank, default: 8 },
  alpha: { doc: "the scale is alpha / rank", ...alpha, default: 16 },
  rslora: { doc: "the scale is alpha / sqrt(rank)", flag: true, default: false },
  targets: {
    doc: "matrices: ends of their names, a regular expression for the whole name, or all-linear",
    holds: "names",
    shown: "PEFT's default for the architecture, usually queries and values",
  },
  layers: { doc: "layers, counted from 0; all if not given", holds: "layers" },
  rankPattern: { doc: "ranks by regular expression for the end of a name", holds: "patterns" },
  alphaPattern: { doc: "alphas by regular expression for the end of a name", holds: "patterns" },
};

/**
 * Creates a LoRA adapter. A is uniformly random within ±1/sqrt(inputs), as in PEFT (Kaiming, `a = sqrt(5)`), and B is zero, so that it changes
 * nothing yet. Source: Hu et al., arXiv 2106.09685.
 *
 * @param model The base model.
 * @throws {RangeError} when no matrix has such a name, or for an invalid pattern, rank or alpha.
 *
 * @example Queries and values of the bundled model
 * ```ts
 * import { loraAdapter, openModelSource } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const { plan } = loraAdapter(source, { rank: 4, layers: [0, 0] });
 * assertEquals(plan.matrices, [
 *   { matrix: "blk.0.attn_q.weight", rank: 4, scale: 4 },
 *   { matrix: "blk.0.attn_v.weight", rank: 4, scale: 4 },
 * ]);
 * ```
 */
export function loraAdapter(
  { config }: { readonly config: ModelConfig },
  options: LoraOptions = {},
): Adapter & { readonly plan: LoraPlan } {
  assertOptions("make a LoRA adapter", options, loraRules);
  const { targets = USUAL_TARGETS, layers, rslora = false, seed = 0 } = options;
  const isTarget = targetsOf(targets);
  const rankOf = valueByPattern(options.rankPattern);
  const alphaOf = valueByPattern(options.alphaPattern);
  const matrices = weightsOf(config).filter(isLinear).filter(isTarget).filter(({ layer }) =>
    !layers || layer !== undefined && layer >= layers[0] && layer <= layers[1]
  ).map((weight): LoraMatrix => {
    const own = {
      rank: rankOf(weight) ?? options.rank ?? 8,
      alpha: alphaOf(weight) ?? options.alpha ?? 16,
    };
    assertOptions(`add LoRA to "${weight.name}"`, own, { rank, alpha });
    const scale = own.alpha / (rslora ? Math.sqrt(own.rank) : own.rank);
    return { matrix: weight.name, rank: own.rank, scale };
  });
  if (matrices.length === 0) throw nothingNamed(config, targets, layers);
  lora.tensors(config, { matrices });
  return { scheme: "lora", plan: { matrices }, seed };
}

/** Whether LoRA can be applied to a weight. */
function isLinear({ role }: Weight): boolean {
  return role === "matrix" || role === "head";
}

function nothingNamed(
  config: ModelConfig,
  targets: string | readonly string[],
  layers: readonly [number, number] | undefined,
): RangeError {
  const names = new Set(
    weightsOf(config).filter(isLinear).map(({ huggingFace }) =>
      huggingFace.replace(/\.weight$/, "").split(".").at(-1)!
    ),
  );
  const wanted = targets === USUAL_TARGETS
    ? `any of the usual names (${USUAL_TARGETS.join(", ")})`
    : `a name like ${JSON.stringify(targets)}`;
  return new RangeError(
    `Cannot make a LoRA adapter for ${architectureOf(config).name}: no matrix has ${wanted}${
      layers ? ` in layers ${layers.join(" to ")}` : ""
    }; its matrices are ${[...names].join(", ")}`,
  );
}

/** The LoRA scheme. */
export const lora: AdapterScheme<LoraPlan> = {
  name: "lora",
  summary: "two narrow matrices next to some of the base's matrices, which do not change",
  isProduct: true,
  options,
  make: (model, settings) => loraAdapter(model, settings),
  parse({ matrices, ...rest }) {
    const refuse = (why: string) => new RangeError(`Cannot use a LoRA adapter: ${why}`);
    const unknown = Object.keys(rest);
    if (unknown.length > 0) throw refuse(`it has the unknown key "${unknown[0].slice(0, 60)}"`);
    if (!Array.isArray(matrices) || matrices.length === 0) throw refuse("it names no matrices");
    const seen = new Set<string>();
    for (const one of matrices as readonly unknown[]) {
      const { matrix, rank, scale, bias, ...more } = { ...one as Partial<LoraMatrix> };
      const shown = JSON.stringify(one)?.slice(0, 100);
      const isSound = typeof matrix === "string" && !seen.has(matrix) && Number.isInteger(rank) &&
        rank! >= 1 && rank! <= LARGEST_RANK && Number.isFinite(scale) &&
        (bias === undefined || bias === true) && Object.keys(more).length === 0;
      if (!isSound) throw refuse(`${shown} is not a matrix with rank and scale, or occurs twice`);
      seen.add(matrix);
    }
    return { matrices: matrices as readonly LoraMatrix[] };
  },
  tensors(config, { matrices }) {
    const weights = new Map(weightsOf(config).map((weight) => [weight.name, weight]));
    return matrices.flatMap(({ matrix, rank, bias }): AdapterTensor[] => {
      const weight = weights.get(matrix);
      if (!weight || !isLinear(weight)) {
        throw new RangeError(
          `Cannot add LoRA to "${matrix}": ${
            weight ? "it is not a linear layer" : "the model has no such matrix"
          }`,
        );
      }
      const { rows, columns, layer, part } = weight;
      if (rows % 4 !== 0) {
        throw new RangeError(
          `Cannot add LoRA to "${matrix}": it has ${rows} rows, expected a multiple of 4`,
        );
      }
      const names = loraNames(matrix);
      const place = { layer, part };
      const uniform = 1 / Math.sqrt(columns);
      return [
        { name: names.down, rows: rank, columns, initial: { uniform }, ...place },
        { name: names.up, rows: rank, columns: rows, initial: "zeros", ...place },
        ...bias
          ? [{ name: names.bias, rows: 1, columns: rows, initial: "zeros", ...place } as const]
          : [],
      ];
    });
  },
  merge({ matrices }, { values, has }) {
    const changes = new Map<string, MergedRows>();
    for (const { matrix, rank, scale, bias } of matrices) {
      const names = loraNames(matrix);
      const [down, up] = [values(names.down), values(names.up)];
      const columns = down.length / rank;
      changes.set(matrix, (rows, first, count) => {
        for (let row = 0; row < count; row++) {
          const own = rows.subarray(row * columns, (row + 1) * columns);
          const sums = Float64Array.from(own);
          for (let r = 0; r < rank; r++) {
            const factor = scale * up[r * (up.length / rank) + first + row];
            const narrow = down.subarray(r * columns, (r + 1) * columns);
            for (let i = 0; i < columns; i++) sums[i] += factor * narrow[i];
          }
          own.set(sums);
        }
      });
      if (!bias) continue;
      const owner = matrix.replace(/weight$/, "bias");
      if (!has(owner)) {
        throw new RangeError(
          `Cannot merge LoRA with a bias into "${matrix}": the model has no "${owner}"`,
        );
      }
      const added = values(names.bias);
      changes.set(owner, (rows) => rows.forEach((_, i) => rows[i] += scale * added[i]));
    }
    return changes;
  },
  hooks({ matrices }) {
    const beside = new Map(matrices.map((one) => [one.matrix, one]));
    return {
      linear({ context, x, rows, matrix, residual, tensor, product }) {
        const own = beside.get(matrix.name);
        if (!own) return undefined;
        const { down, up, bias } = loraNames(matrix.name);
        // Recorded first, so that the epilogue of the base's product adds the two.
        return product(lowRank(context, x, {
          down: tensor(down),
          up: tensor(up),
          bias: own.bias && tensor(bias),
          scale: own.scale,
          rows,
          residual,
        }));
      },
    };
  },
  mix: (_config, parts) => mixedLora(parts),
  peft: loraInPeft,
};
