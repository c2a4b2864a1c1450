/**
 * Prefix tuning: keys and values in each layer that every token attends to.
 *
 * @module
 */

import { assertOptions, type OptionRules } from "../../optim/options.ts";
import type { ModelConfig } from "../model_config.ts";
import { drawnTokens } from "./initial_values.ts";
import type {
  Adapter,
  AdapterOption,
  AdapterPlan,
  AdapterScheme,
  AdapterTensor,
} from "./scheme.ts";
import { asStoredHalves, storedHalves } from "./stored_halves.ts";

/** The plan of a prefix adapter. */
export type PrefixPlan = AdapterPlan & {
  /** Number of keys, and of values, in each layer. */
  readonly tokens: number;
  /** Whether the positions of real tokens start after the prefix. */
  readonly shift: boolean;
  /** Initial values, `[layers][2][tokens][keyValueHeads * headDimension]`, keys first, as f16 in base64. Default: drawn from N(0, 1). */
  readonly values?: string;
};

/** Options of {@linkcode prefixAdapter}. */
export interface PrefixOptions {
  /** Number of keys, and of values, in each layer. Default 5. */
  readonly tokens?: number | undefined;
  /**
   * Initial values: what the model computes for random tokens of the vocabulary (`"activations"`, as in MeZO), or numbers drawn from N(0, 1)
   * (`"random"`, as in PEFT). Default `"activations"`.
   */
  readonly init?: "activations" | "random" | undefined;
  /** Whether the positions of real tokens start after the prefix, as in PEFT, or at 0, as in MeZO. Default true. */
  readonly shiftPositions?: boolean | undefined;
  /** Seed of the initial values. Default 0. */
  readonly seed?: number | undefined;
}

const MOST_TOKENS = 65536;
const tokens = { min: 1, max: MOST_TOKENS, whole: true };
const inits = ["activations", "random"] as const;

const prefixRules: OptionRules<PrefixOptions> = {
  tokens,
  init: { of: inits },
  shiftPositions: { flag: true },
  seed: { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true },
};

const options: Readonly<Record<keyof Omit<PrefixOptions, "seed">, AdapterOption>> = {
  tokens: { doc: "number of keys and values in front of each layer's own", ...tokens, default: 5 },
  init: {
    doc:
      "initial values: activations (of tokens drawn from the vocabulary), or random (from N(0, 1))",
    of: inits,
    default: "activations",
  },
  shiftPositions: {
    doc:
      "true: positions of real tokens start after the prefix, as in PEFT; false: at 0, as in MeZO",
    flag: true,
    default: true,
  },
};

/** The names of a layer's keys and values. */
export function prefixNames(layer: number): { readonly keys: string; readonly values: string } {
  return { keys: `blk.${layer}.prefix_keys`, values: `blk.${layer}.prefix_values` };
}

/**
 * Creates a prefix adapter. Its keys are used unchanged: they are neither rotated nor normalised. In a layer with a window, the prefix leaves
 * the window like any other earlier tokens.
 *
 * Sources: Li and Liang, arXiv 2101.00190; MeZO, arXiv 2305.17333, for the initial values and for positions that are not shifted.
 *
 * @param model The base model.
 * @returns An adapter to be completed by {@linkcode startedAdapter}. If `init` is `"random"`, it is already complete.
 * @throws {RangeError} for numbers out of range.
 *
 * @example A prefix started from the bundled model's activations
 * ```ts
 * import { openGpu } from "@qzo/qzo/kernels";
 * import { loadModel, openModelSource, prefixAdapter, startedAdapter } from "@qzo/qzo/models";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using base = await loadModel(gpu, source);
 * using model = base.withAdapter(await startedAdapter(base, prefixAdapter(base, { tokens: 3 })));
 * assertEquals(model.tensors.get("blk.0.prefix_keys")?.rows, 3);
 * ```
 */
export function prefixAdapter(
  { config }: { readonly config: ModelConfig },
  options: PrefixOptions = {},
): Adapter & { readonly plan: PrefixPlan } {
  assertOptions("make a prefix adapter", options, prefixRules);
  const { tokens = 5, init = "activations", shiftPositions = true, seed = 0 } = options;
  const plan: PrefixPlan = { tokens, shift: shiftPositions };
  const adapter = { scheme: "prefix", plan, seed };
  if (init === "random") return adapter;
  const drawn = drawnTokens(tokens, config.vocabulary, seed);
  return { ...adapter, start: { tokens: drawn, of: "keysAndValues" } };
}

/** The prefix tuning scheme. */
export const prefix: AdapterScheme<PrefixPlan> = {
  name: "prefix",
  summary: "keys and values in each layer, which every token attends to",
  // Keys and values have a magnitude of about 1.
  size: 10,
  options,
  make: (model, settings) => prefixAdapter(model, settings as PrefixOptions),
  parse({ tokens, shift, values, ...rest }) {
    const refuse = (why: string) => new RangeError(`Cannot use a prefix adapter: ${why}`);
    const unknown = Object.keys(rest);
    if (unknown.length > 0) throw refuse(`it has the unknown key "${unknown[0].slice(0, 60)}"`);
    if (!(Number.isInteger(tokens) && tokens as number >= 1 && tokens as number <= MOST_TOKENS)) {
      throw refuse(`its number of tokens is ${JSON.stringify(tokens)?.slice(0, 60)}`);
    }
    if (typeof shift !== "boolean") throw refuse("it does not say whether positions are shifted");
    if (values !== undefined && typeof values !== "string") {
      throw refuse("its values are not a string");
    }
    return { tokens: tokens as number, shift, ...values === undefined ? {} : { values } };
  },
  tensors({ layers, keyValueHeads, headDimension }, { tokens, values }) {
    const columns = keyValueHeads * headDimension;
    const size = tokens * columns;
    const stored = values === undefined ? undefined : storedHalves(values, 2 * layers * size);
    if (values !== undefined && !stored) {
      throw new RangeError(
        `Cannot use a prefix adapter: its values are not ${layers} x 2 x ${tokens} x ${columns}`,
      );
    }
    return Array.from({ length: 2 * layers }, (_, i): AdapterTensor => {
      const layer = Math.floor(i / 2);
      const { keys, values } = prefixNames(layer);
      return {
        name: i % 2 === 0 ? keys : values,
        rows: tokens,
        columns,
        initial: stored ? { values: stored.slice(i * size, (i + 1) * size) } : { normal: 1 },
        layer,
        part: "attention",
      };
    });
  },
  hooks: ({ tokens, shift }) => ({
    lead: { tokens: 0, positions: shift ? tokens : 0 },
    sharedKeys: prefixNames,
  }),
  started(plan, { keys, values }) {
    const all = keys.flatMap((own, layer) => [own, values[layer]]);
    const joined = new Float32Array(all.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const own of all) {
      joined.set(own, at);
      at += own.length;
    }
    return { ...plan, values: asStoredHalves(joined, "the model's keys and values") };
  },
};
