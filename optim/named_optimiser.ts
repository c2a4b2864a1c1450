/**
 * What a named optimiser is: its options, declared once, and the composition that they make.
 *
 * @module
 */
import {
  type Completed,
  completed,
  type DeclaredChoice,
  type DeclaredNumber,
  type DeclaredOption,
  type OptionsOf,
  type OptionTable,
} from "./declared_option.ts";
import type { GroupOptions } from "./group.ts";
import { assertOptions, type NumberRule } from "./options.ts";
import { type Optimiser, optimiser, type OptimiserOptions } from "./optimiser.ts";

/** What all named optimisers take; defaults are each optimiser's own where it says so. */
export const NamedOptions = {
  epsilon: {
    doc: "size of the perturbation along a direction, in units of the offset",
    // A derivative is a loss over this, and some rules square it: f32 holds both.
    min: 1e-18,
    max: 1e18,
    default: 1e-3,
    file: { max: 1 },
  },
  queries: {
    doc: "directions per step",
    whole: true,
    min: 1,
    max: 1024,
    default: 1,
    file: { max: 64 },
  },
  learningRate: {
    doc: "peak learning rate",
    min: 0,
    max: 3e38,
    or: "a schedule",
    default: 1e-6,
    file: { above: true, max: 1000 },
  },
  distribution: {
    doc: "distribution of the directions",
    of: ["normal", "rademacher"],
    default: "normal",
  },
  form: {
    doc: "base + offset, or base * (1 + offset)",
    of: ["absolute", "relative"],
    default: "absolute",
  },
  projection: {
    doc: "constraint on offsets",
    of: ["none", "keep-sign"],
    default: "none",
  },
} as const;
/** Arguments that all named optimisers share. */
export type NamedOptions = OptionsOf<typeof NamedOptions> & {
  /** Form, epsilon and learning rate of parts of what is trained, see {@linkcode OptimiserOptions.groups}. */
  readonly groups?: Readonly<Record<string, GroupOptions>> | undefined;
};

/** No options besides the shared ones. */
export type NoOptions = Readonly<Record<never, DeclaredOption>>;

/** A named optimiser: a function that makes it, and what is known of it without making it. */
export interface NamedOptimiser<Own extends OptionTable = NoOptions> {
  /**
   * Makes it.
   *
   * @throws RangeError for an option that it does not have, or a value that the option cannot have; TypeError for a value of another kind.
   */
  (options?: NamedOptions & OptionsOf<Own>): Optimiser;
  /** What people write to have it. */
  readonly name: string;
  /** What it does, in a phrase. */
  readonly summary: string;
  /** Where it is published, as `arXiv 2505.13430`; absent for this library's own. */
  readonly source?: string;
  /** The options of its own. */
  readonly options: Own;
  /** Those that all have, with its defaults and limits. */
  readonly shared: {
    readonly [Name in keyof typeof NamedOptions]: (typeof NamedOptions)[Name] extends
      { readonly of: unknown } ? DeclaredChoice : DeclaredNumber;
  };
  /** What its learning rate does over a run whose length is known, where nothing else is asked for; constant if absent. */
  readonly schedule?: "linear";
  /** Epsilon and learning rate where an adapter's tensors are trained, which start near zero. */
  readonly adapter: AdapterDefaults;
}

/** Defaults for the offsets of adapters. */
export interface AdapterDefaults {
  /** How far to look. */
  readonly epsilon: number;
  /** The peak learning rate. */
  readonly learningRate: number;
  /** What epsilon is multiplied by where what an adapter does is a product of what is trained, as LoRA's is. Default 1. */
  readonly product?: number;
}

/** How {@linkcode named} makes an optimiser. */
export interface NamedDeclaration<Own extends OptionTable> {
  /** What people write to have it. */
  readonly name: string;
  /** What it does, in a phrase. */
  readonly summary: string;
  /** Where it is published. */
  readonly source?: string;
  /** Defaults that differ from those declared with an option that others have too. */
  readonly defaults: NamedOptions & OptionsOf<Own>;
  /** Limits of shared options that are narrower than those of others. */
  readonly limits?: Readonly<Partial<Record<keyof NamedOptions, NumberRule>>>;
  /** What its learning rate does over a run whose length is known. */
  readonly schedule?: "linear";
  /** Defaults where an adapter is trained; ten times its own epsilon and a hundred times its own learning rate by default, as MeZO's. */
  readonly adapter?: AdapterDefaults;
  /** The options of its own; none by default. */
  readonly options?: Own;
  /** The parts that it is made of; `given` has no defaults, for those that follow from other options. */
  make(
    options: Completed<typeof NamedOptions> & Completed<Own>,
    given: NamedOptions & OptionsOf<Own>,
  ): Composition;
}

/** What an optimiser is composed of; law, form and projection are as its options say unless the composition says otherwise. */
export type Composition =
  & Omit<OptimiserOptions, "name" | "distribution" | "form" | "projection">
  & Partial<Pick<OptimiserOptions, "distribution" | "form" | "projection">>;

/**
 * A named optimiser from its declaration.
 *
 * @example Sign descent with an option
 * ```ts
 * import { named, scaleBySchedule, signDerivative, spsa } from "@qzo/qzo/optim";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const signDescent = named({
 *   name: "signDescent",
 *   summary: "the sign of the derivative, times a factor",
 *   defaults: { learningRate: 1e-3 },
 *   options: { factor: { doc: "what the sign is multiplied by", min: 1, max: 8, default: 2 } },
 *   make: ({ epsilon, queries, learningRate }) => ({
 *     estimator: spsa({ epsilon, queries }),
 *     transformations: [signDerivative(), scaleBySchedule(learningRate)],
 *   }),
 * });
 * assertEquals(signDescent({ factor: 3 }).name, "signDescent");
 * assertThrows(() => signDescent({ factor: 9 }), RangeError, "factor must be a number from 1 to 8");
 * ```
 */
export function named<const Own extends OptionTable>(
  declaration: NamedDeclaration<Own>,
): NamedOptimiser<Own> {
  const { name, summary, source, schedule, defaults, limits = {}, make } = declaration;
  const shared = changed(NamedOptions, defaults, limits) as NamedOptimiser<Own>["shared"];
  const options = changed(declaration.options ?? {}, defaults, limits) as Own;
  const rules: OptionTable = { ...shared, ...options };
  const made = (options: NamedOptions & OptionsOf<Own> = {}): Optimiser => {
    const { groups, ...rest } = Object(options) === options ? options : {} as typeof options;
    const given = (groups === undefined ? options : rest) as NamedOptions & OptionsOf<Own>;
    assertOptions<Readonly<Record<string, unknown>>>(`make ${name}`, given, rules);
    const all = completed(rules, given) as Completed<typeof NamedOptions> & Completed<Own>;
    const { distribution, form, projection } = all;
    return optimiser({ name, distribution, form, projection, ...make(all, given), groups });
  };
  const { epsilon, learningRate } = shared;
  const adapter = declaration.adapter ?? {
    epsilon: 10 * (epsilon as DeclaredNumber).default!,
    learningRate: 100 * (learningRate as DeclaredNumber).default!,
  };
  Object.defineProperty(made, "name", { value: name });
  return Object.assign(made, {
    ...{ summary, options, shared, adapter },
    ...(source === undefined ? {} : { source }),
    ...(schedule === undefined ? {} : { schedule }),
  });
}

/** Options with an optimiser's own defaults and limits. */
function changed(
  table: OptionTable,
  defaults: Readonly<Record<string, unknown>>,
  limits: Readonly<Record<string, NumberRule>>,
): OptionTable {
  return Object.fromEntries(
    Object.entries(table).map(([name, option]) => [name, {
      ...option,
      ...limits[name],
      ...(defaults[name] === undefined ? {} : { default: defaults[name] }),
    }]),
  ) as OptionTable;
}
