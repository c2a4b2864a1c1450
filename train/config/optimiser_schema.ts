/**
 * The section `optimiser` of a configuration. Its keys are the options that named optimisers declare, with their names, limits, defaults and
 * descriptions.
 *
 * @module
 */
import {
  type DeclaredOption,
  type ExtraOptions,
  namedOptimisers,
  type NamedOptions,
  type NumberRule,
  type OptimiserName,
  optimiserNames,
  type OptionsOf,
  type OptionTable,
} from "../../optim/mod.ts";
import { choice, custom, type Field, number, section, snakeCase } from "./field.ts";

/** How the learning rate changes over the steps. */
export interface ScheduleConfig {
  /** Shape of the curve. */
  readonly kind: "constant" | "linear" | "cosine";
  /** Number of steps of linear warm-up. */
  readonly warmup: number;
  /** Learning rate at the last step. */
  readonly end: number;
}

/** Options that a configuration can add to the rule of any optimiser. */
export const PartOptions = {
  rejectSpikes: {
    doc: "skip the update if a step's loss is this many standard deviations above the running mean",
    min: 0,
    above: true,
    max: 1000,
  },
  clipQuantile: {
    doc: "clip the derivative at this quantile of its magnitudes so far",
    min: 0.01,
    max: 0.9999,
  },
  accumulate: {
    doc: "number of steps, each with its own batch, along the same directions before each move",
    whole: true,
    min: 1,
    max: 65536,
  },
  tangents: {
    doc:
      "true to take derivatives along directions exactly, by forward-mode differentiation, instead of from differences of losses",
    flag: true,
  },
  teacher: {
    doc:
      "number of batches whose exact gradients, before the first step, say how large the noise is in each tensor",
    whole: true,
    min: 1,
    max: 1024,
  },
  batchPerDirection: {
    doc: "number of steps, each with its own batch and directions, before each move",
    whole: true,
    min: 1,
    max: 512,
  },
} as const;
/** Configured values of {@linkcode PartOptions}. */
export type PartOptions = OptionsOf<typeof PartOptions>;

/** A named optimiser and its options. Undefined options have the optimiser's own defaults. */
export interface OptimiserConfig
  extends ExtraOptions, Omit<NamedOptions, "learningRate">, PartOptions {
  /** Name of the optimiser. */
  readonly name: OptimiserName;
  /** Peak learning rate. */
  readonly learningRate?: number;
  /** How the learning rate changes over the steps. */
  readonly schedule: ScheduleConfig;
}

/** The section as read, before the default schedule is determined, which depends on the optimiser. */
interface ReadOptimiser extends Omit<OptimiserConfig, "schedule"> {
  readonly schedule: Omit<ScheduleConfig, "kind"> & { readonly kind?: ScheduleConfig["kind"] };
}

const all = optimiserNames.map((name) => namedOptimisers[name]);

/** The options of an optimiser that configurations can set, its own and the shared ones. */
function optionsOf(name: OptimiserName): OptionTable {
  const { shared, options } = namedOptimisers[name];
  const both: OptionTable = { ...shared, ...options };
  return Object.fromEntries(Object.entries(both).filter(([, { file }]) => file !== false));
}

/** The intersection of two rules. */
function narrower(one: NumberRule, other: NumberRule): Required<NumberRule> {
  return {
    min: Math.max(one.min ?? -Infinity, other.min ?? -Infinity),
    max: Math.min(one.max ?? Infinity, other.max ?? Infinity),
    above: (one.above ?? false) || (other.above ?? false),
    below: (one.below ?? false) || (other.below ?? false),
    whole: (one.whole ?? false) || (other.whole ?? false),
    infinite: (one.infinite ?? false) && (other.infinite ?? true),
  };
}

/** The key of an option that belongs to one optimiser, or has the same meaning in several. */
function fieldOf(option: DeclaredOption, doc: string = option.doc): Field<unknown> {
  if ("of" in option) return choice(doc, option.of);
  if ("flag" in option) {
    return custom(
      doc,
      "true or false",
      (value) => typeof value === "boolean" ? value : undefined,
      ["true", "false"],
    );
  }
  return number(doc, narrower(option, option.file || {}));
}

/** Names of optimisers grouped by a property, largest group first. */
function saidBy<Said>(
  of: ReadonlyMap<OptimiserName, DeclaredOption>,
  say: (option: DeclaredOption) => Said,
): (readonly [Said, readonly OptimiserName[]])[] {
  const groups = new Map<Said, OptimiserName[]>();
  for (const [name, option] of of) {
    const said = say(option);
    groups.set(said, [...groups.get(said) ?? [], name]);
  }
  return [...groups].toSorted(([, a], [, b]) => b.length - a.length);
}

/** An option that accepts what any of the given ones accepts. The value is checked again when the optimiser is known. */
function widest(options: readonly DeclaredOption[]): DeclaredOption {
  return options.reduce((one, other) => {
    if ("of" in one && "of" in other) return { ...one, of: [...new Set([...one.of, ...other.of])] };
    if ("of" in one || "of" in other || "flag" in one || "flag" in other) return one;
    return {
      ...one,
      min: Math.min(one.min ?? -Infinity, other.min ?? -Infinity),
      max: Math.max(one.max ?? Infinity, other.max ?? Infinity),
    };
  });
}

/** The field of an option that only some optimisers have. */
function combined(key: string): Field<unknown> {
  const found = new Map(optimiserNames.flatMap((name) => {
    const options = optionsOf(name);
    return Object.hasOwn(options, key) ? [[name, options[key]] as const] : [];
  }));
  const [[first, takers], ...others] = saidBy(found, ({ doc }) => doc);
  const doc = [[first, takers] as const, ...others]
    .map(([said, names]) => `${said} (${names.join(", ")})`).join("; ");
  const [[usual], ...unusual] = saidBy(
    found,
    ({ default: value, shown }) => shown ?? (value === undefined ? undefined : String(value)),
  );
  const shownDefault = [usual, ...unusual.map(([said, names]) => `${names.join(", ")}: ${said}`)]
    .join("; ");
  return { ...fieldOf(widest([...found.values()]), doc), shownDefault };
}

/** The options that only some optimisers have, as spelled in TypeScript. */
export const ownKeys: readonly (keyof ExtraOptions)[] = [
  ...new Set(all.flatMap(({ options }) => Object.keys(options))),
].filter((key) => optimiserNames.some((name) => Object.hasOwn(optionsOf(name), key))) as (
  keyof ExtraOptions
)[];

/** The field of an option that all optimisers have. */
function sharedField(key: Exclude<keyof NamedOptions, "groups">): Field<unknown> {
  const option = widest(all.map(({ shared }) => shared[key]));
  return fieldOf(option, `${option.doc}; the optimiser's own if not given`);
}

const falling = optimiserNames.filter((name) => namedOptimisers[name].schedule === "linear");

const schedule = section<ReadOptimiser["schedule"]>("The learning rate over the steps", {
  kind: {
    ...choice(
      "shape of the schedule; linear reaches `end` at the last step",
      ["constant", "linear", "cosine"],
    ),
    shownDefault: `constant; ${falling.join(", ")}: linear`,
  },
  warmup: number(
    "steps of linear warm-up",
    { min: 0, max: Number.MAX_SAFE_INTEGER, whole: true },
    0,
  ),
  end: number("learning rate at the last step", { min: 0, max: 1000 }, 0),
});

const fieldsByName: Readonly<Record<string, Field<unknown>>> = {
  name: choice("the optimiser", optimiserNames, "qzoNormalised"),
  epsilon: sharedField("epsilon"),
  learningRate: sharedField("learningRate"),
  schedule,
  ...Object.fromEntries(ownKeys.map((key) => [key, combined(key)])),
  queries: sharedField("queries"),
  distribution: sharedField("distribution"),
  form: sharedField("form"),
  projection: sharedField("projection"),
  ...Object.fromEntries(Object.entries(PartOptions).map(([key, option]) => [key, fieldOf(option)])),
};

const fields = section<ReadOptimiser>(
  "How to learn",
  fieldsByName as { readonly [Name in keyof ReadOptimiser]-?: Field<ReadOptimiser[Name]> },
);

/** The section `optimiser`. Values must be accepted by the named optimiser. Without `schedule`, the optimiser's own schedule is used. */
export const optimiserSection: Field<OptimiserConfig> = {
  ...fields,
  read(value, place) {
    const { schedule, ...read } = fields.read(value, place);
    const given = (value ?? {}) as Readonly<Record<string, unknown>>;
    for (const [name, option] of Object.entries(optionsOf(read.name))) {
      const key = snakeCase(name);
      fieldOf(option).read(given[key], { ...place, path: [...place.path, key] });
    }
    const { kind = namedOptimisers[read.name].schedule ?? "constant" } = schedule;
    return { ...read, schedule: { ...schedule, kind } };
  },
};

/** Keys of the section, as spelled in files, whose values are chosen for one optimiser and have another meaning for others. */
export const parameterKeys: ReadonlySet<string> = new Set(
  Object.keys(fieldsByName)
    .filter((key) => key !== "name" && !Object.hasOwn(PartOptions, key))
    .map(snakeCase),
);
