/**
 * Named optimisers: their options, declared once, and the composition that follows from them.
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

/** Options that all named optimisers accept. Defaults depend on the optimiser where the description says so. */
export const NamedOptions = {
  epsilon: {
    doc: "size of the perturbation along a direction, in units of the offset",
    // A derivative is a loss divided by epsilon, and some rules square it. Within these limits, f32 can represent both.
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
  /** Form, epsilon and learning rate of parts of what is trained; see {@linkcode OptimiserOptions.groups}. */
  readonly groups?: Readonly<Record<string, GroupOptions>> | undefined;
};

/** No options besides the shared ones. */
export type NoOptions = Readonly<Record<never, DeclaredOption>>;

/** A named optimiser: a function that creates it, and facts that are known without creating it. */
export interface NamedOptimiser<Own extends OptionTable = NoOptions> {
  /**
   * Creates the optimiser.
   *
   * @throws {RangeError} for an unknown option, or a value out of range.
   * @throws {TypeError} for a value of another type.
   */
  (options?: NamedOptions & OptionsOf<Own>): Optimiser;
  /** Name in configurations and on the command line. */
  readonly name: string;
  /** Description of what it does, as a phrase. */
  readonly summary: string;
  /** Publication, such as `arXiv 2505.13430`. Absent for this library's own. */
  readonly source?: string;
  /** Its own options. */
  readonly options: Own;
  /** The shared options, with its own defaults and limits. */
  readonly shared: {
    readonly [Name in keyof typeof NamedOptions]: (typeof NamedOptions)[Name] extends
      { readonly of: unknown } ? DeclaredChoice : DeclaredNumber;
  };
  /** The default schedule of its learning rate, if the length of a run is known. If absent, the rate is constant. */
  readonly schedule?: "linear";
  /**
   * The number of steps up to which its default learning rate is used unchanged. In longer runs it is multiplied by {@linkcode longRunShare}. Absent if the
   * default does not depend on the length of a run.
   */
  readonly fullRateSteps?: number;
  /** Epsilon and learning rate for training an adapter's tensors, which start near zero. */
  readonly adapter: AdapterDefaults;
}

/** Defaults for the offsets of adapters. */
export interface AdapterDefaults {
  /** Size of the perturbation along a direction. */
  readonly epsilon: number;
  /** Peak learning rate. */
  readonly learningRate: number;
  /** Factor of epsilon for schemes whose effect is a product of what is trained, such as LoRA. Default 1. */
  readonly product?: number;
}

/** The declaration from which {@linkcode named} creates an optimiser. */
export interface NamedDeclaration<Own extends OptionTable> {
  /** Name in configurations and on the command line. */
  readonly name: string;
  /** Description of what it does, as a phrase. */
  readonly summary: string;
  /** Publication. */
  readonly source?: string;
  /** Defaults that differ from those declared with shared options. */
  readonly defaults: NamedOptions & OptionsOf<Own>;
  /** Limits of shared options that are narrower than usual. */
  readonly limits?: Readonly<Partial<Record<keyof NamedOptions, NumberRule>>>;
  /** The default schedule of its learning rate, if the length of a run is known. */
  readonly schedule?: "linear";
  /** The number of steps up to which its default learning rate is used unchanged. */
  readonly fullRateSteps?: number;
  /** Defaults for training an adapter. Default: ten times its own epsilon and a hundred times its own learning rate, as for MeZO. */
  readonly adapter?: AdapterDefaults;
  /** Its own options. Default: none. */
  readonly options?: Own;
  /** Creates its components. `given` contains no defaults, for values that depend on other options. */
  make(
    options: Completed<typeof NamedOptions> & Completed<Own>,
    given: NamedOptions & OptionsOf<Own>,
  ): Composition;
}

/** The components of an optimiser. Law, form and projection follow from its options unless they are given here. */
export type Composition =
  & Omit<OptimiserOptions, "name" | "distribution" | "form" | "projection">
  & Partial<Pick<OptimiserOptions, "distribution" | "form" | "projection">>;

/**
 * Creates a named optimiser from its declaration.
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
  const { name, summary, source, schedule, fullRateSteps, defaults, limits = {}, make } =
    declaration;
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
    ...(fullRateSteps === undefined ? {} : { fullRateSteps }),
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
