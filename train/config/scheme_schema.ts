/**
 * Tuning schemes: a word for what is trained, and the sections of schemes that have their own settings.
 *
 * @module
 */
import type { AdapterOption, AdapterSettings } from "../../models/adapters/scheme.ts";
import {
  adapterScheme,
  type AdapterSchemeName,
  adapterSchemeNames,
} from "../../models/adapters/schemes.ts";
import type { LayerRange, Selection, TrainableKind } from "../selection.ts";
import {
  choice,
  custom,
  type Field,
  number,
  type Place,
  refusal,
  section,
  showValue,
} from "./field.ts";
import { assertGroupsTrained, type GroupsConfig } from "./group_schema.ts";
import { readLayers } from "./names.ts";

/** What a scheme trains unless `trainables` says otherwise. */
interface SchemeSelection extends Pick<Selection, "include" | "exclude"> {
  /** Kinds of parameters. */
  readonly kinds: readonly TrainableKind[];
}

/** Names of schemes that train parameters of the base model. */
export type BaseSchemeName = "full" | "head" | "norms" | "biases";

/** What these schemes train. To add one, add a line here. */
const ofBase: Readonly<Record<BaseSchemeName, SchemeSelection>> = {
  full: { kinds: ["scales"] },
  head: { kinds: ["scales", "dense"], include: ["output.*"], exclude: [] },
  norms: { kinds: ["norms"] },
  biases: { kinds: ["biases"] },
};

/** Names of schemes that train an adapter in some layers and parameters of the base model in others. */
export type MixedSchemeName = "scales+lora";

/** What these schemes train, and in which layers. To add one, add a line here. */
const mixed: Readonly<
  Record<MixedSchemeName, {
    readonly adapter: AdapterSchemeName;
    readonly layers: Readonly<Partial<Record<TrainableKind, LayerRange>>>;
  }>
> = {
  // As QZO with ZO-LoRA (arXiv 2505.13430).
  "scales+lora": { adapter: "lora", layers: { lora: "first-half", scales: "second-half" } },
};

/** Names of all schemes: of the base model, of adapters, and of both. */
export type SchemeName = BaseSchemeName | AdapterSchemeName | MixedSchemeName;

/** All names. */
export const schemeNames: readonly SchemeName[] = [
  ...Object.keys(ofBase) as BaseSchemeName[],
  ...adapterSchemeNames,
  ...Object.keys(mixed) as MixedSchemeName[],
];

/** What a scheme trains unless `trainables` says otherwise. */
export function schemeSelection(name: SchemeName): SchemeSelection {
  if (isMixed(name)) return { kinds: Object.keys(mixed[name].layers) as TrainableKind[] };
  const adapter = adapterSchemeNames.find((known) => known === name);
  return adapter ? { kinds: [adapter] } : ofBase[name as BaseSchemeName];
}

function isMixed(name: SchemeName): name is MixedSchemeName {
  return Object.hasOwn(mixed, name);
}

/** The adapter that a scheme adds to the base model, or undefined. */
export function adapterOfScheme(name: SchemeName): AdapterSchemeName | undefined {
  return isMixed(name) ? mixed[name].adapter : adapterSchemeNames.find((known) => known === name);
}

/** The groups, with the layers that a scheme gives to kinds whose layers are not set. */
function schemeGroups(name: SchemeName, groups: GroupsConfig): GroupsConfig {
  if (!isMixed(name)) return groups;
  return {
    ...groups,
    ...Object.fromEntries(
      Object.entries(mixed[name].layers).map(([kind, layers]) => {
        const own = groups[kind as TrainableKind];
        return [kind, { ...own, layers: own?.layers ?? layers }];
      }),
    ),
  };
}

/** Settings of adapters by the name of their scheme. Only the configured scheme is present. */
export type AdapterSections = { readonly [Name in AdapterSchemeName]?: AdapterSettings };

const largestNumber = Number.MAX_SAFE_INTEGER;

function readNames(value: unknown): string | readonly string[] | undefined {
  if (typeof value === "string") return value === "" ? undefined : value;
  return Array.isArray(value) && value.length > 0 && value.length <= 1000 &&
      value.every((one) => typeof one === "string" && one !== "")
    ? value
    : undefined;
}

function readPatterns(value: unknown): Readonly<Record<string, number>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  return entries.every(([, one]) => typeof one === "number")
    ? Object.fromEntries(entries)
    : undefined;
}

/**
 * Reads the first and last layer.
 *
 * @throws {RangeError} when it is not a range.
 */
function readRange(value: unknown, place: Place): readonly [number, number] | undefined {
  const layers = readLayers(value, place);
  if (layers === undefined || typeof layers === "object") return layers;
  throw new RangeError(refusal(place, value, "a range of layers such as 0-7"));
}

const HELD = {
  text: (doc: string) =>
    custom(
      doc,
      "a text",
      (value) => typeof value === "string" && value !== "" ? value : undefined,
    ),
  names: (doc: string) => custom(doc, "a list of names, or a text", readNames),
  layers: (doc: string) => custom(doc, "layers, 0-7 or 3", readRange),
  patterns: (doc: string) => custom(doc, "a section of pattern: number", readPatterns),
} as const;

/** The key of an option. */
function fieldOf(option: AdapterOption): Field<unknown> {
  const { doc } = option;
  if ("holds" in option) {
    const { shown } = option;
    return { ...HELD[option.holds](doc), ...shown === undefined ? {} : { shownDefault: shown } };
  }
  if ("of" in option) return choice(doc, option.of, option.default ?? option.of[0]);
  if ("flag" in option) {
    const flag = custom(
      doc,
      "true or false",
      (value) => typeof value === "boolean" ? value : undefined,
      ["true", "false"],
    );
    return { ...flag, shownDefault: String(option.default ?? false) };
  }
  const bounds = { ...option, min: option.min ?? -largestNumber, max: option.max ?? largestNumber };
  return option.default === undefined ? number(doc, bounds) : number(doc, bounds, option.default);
}

/** The sections of adapter schemes, by name. */
export const adapterSections: {
  readonly [Name in AdapterSchemeName]: Field<AdapterSettings | undefined>;
} = Object.fromEntries(adapterSchemeNames.map((name) => {
  const { options, summary } = adapterScheme(name);
  const fields = Object.fromEntries(
    Object.entries(options).map(([key, option]) => [key, fieldOf(option)]),
  );
  return [name, section<AdapterSettings>(summary, fields as never)];
})) as never;

/** The key `scheme`. */
export const schemeField: Field<SchemeName> = choice(
  "what is trained: full (all scales), head (the output matrix), norms, biases, an adapter (which has its own section), or scales+lora (LoRA in the first half of the layers and scales in the second)",
  schemeNames,
  "full",
);

/** The settings that follow from the scheme. */
interface Schemed {
  readonly scheme: SchemeName;
  readonly adapter?: string;
  readonly trainables: SchemeSelection;
  readonly groups: GroupsConfig;
}

/**
 * The configuration, completed with what follows from its scheme.
 *
 * @param given The configuration as read.
 * @throws {RangeError} for the section of another scheme, or for kinds that exclude what the scheme adds.
 */
export function withScheme<Config extends Schemed>(
  config: Config,
  given: Readonly<Record<string, unknown>>,
  { file, sources }: Place,
): Config {
  const { scheme, trainables } = config;
  const { adapter } = config;
  const beside = adapterOfScheme(scheme);
  if (adapter !== undefined && beside === undefined) {
    throw new RangeError(
      `Cannot use adapter ${showValue(adapter)} in ${
        sources?.get("adapter") ?? file
      }: scheme is ${scheme}; set scheme to one of ${adapterSchemeNames.join(", ")}`,
    );
  }
  // What an adapter consists of is in its file.
  const others = adapterSchemeNames.filter((name) => name !== beside || adapter !== undefined);
  const foreign = others.find((name) => given[name] !== undefined && given[name] !== null);
  if (foreign !== undefined) {
    throw new RangeError(
      `Cannot use ${foreign} in ${sources?.get(foreign) ?? file}: ${
        foreign === beside
          ? "the adapter to start from already defines it; leave out one of the two"
          : `scheme is ${scheme}; set scheme: ${foreign}, or leave it out`
      }`,
    );
  }
  const said = { ...given.trainables as Readonly<Record<string, unknown>> | undefined };
  const { kinds, include, exclude } = schemeSelection(scheme);
  const chosen = said.kinds === undefined || said.kinds === null ? kinds : trainables.kinds;
  if (beside !== undefined && !chosen.includes(beside)) {
    throw new RangeError(
      `Cannot use trainables.kinds ${
        chosen.join(", ")
      } in ${file}: scheme is ${scheme}, so what it adds would not be trained; add ${beside}`,
    );
  }
  const groups = schemeGroups(scheme, config.groups);
  assertGroupsTrained(config.groups, chosen, { file, sources, path: [] });
  return {
    ...config,
    groups,
    ...Object.fromEntries(others.map((name) => [name, undefined])),
    trainables: {
      ...trainables,
      kinds: chosen,
      include: trainables.include ?? include,
      exclude: trainables.exclude ?? exclude,
    },
  };
}
