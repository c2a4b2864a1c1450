/**
 * A configuration written back: complete, so that a run's folder says all that was run.
 *
 * @module
 */
import { stringify } from "@std/yaml";
import { snakeCase } from "./field.ts";
import { type JsonValue, namedOptimisers, type Optimiser } from "../../optim/mod.ts";
import { adapterOfScheme } from "./scheme_schema.ts";
import { type OptimiserConfig, RESOLVED, type TrainConfig } from "./schema.ts";
import { noiseDirections } from "../../optim/steps/scalar_program.ts";
import { completed } from "../../optim/declared_option.ts";

/**
 * A configuration as YAML that {@linkcode parseTrainConfig} reads back to the same; what is undefined is left out.
 *
 * @param optimiser The one that is used: what it is with all its defaults stands at the end, for people and tables; it is not read back.
 *
 * @example Write a configuration and read it
 * ```ts
 * import { configToYaml, parseTrainConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const config = parseTrainConfig("model: a.gguf\ntrainables: {layers: 0-3}", "a.yaml");
 * assertEquals(parseTrainConfig(configToYaml(config), "b.yaml"), config);
 * ```
 */
export function configToYaml(
  config: TrainConfig,
  optimiser?: Optimiser,
): string {
  const { layers } = config.trainables;
  const plain = {
    ...config,
    ...adapterSettings(config),
    groups: Object.fromEntries(
      Object.entries(config.groups).map(([kind, group]) => {
        const { layers } = group;
        return [kind, { ...group, layers: typeof layers === "object" ? layers.join("-") : layers }];
      }),
    ),
    trainables: {
      ...config.trainables,
      layers: typeof layers === "object" ? layers.join("-") : layers,
    },
  };
  const own = stringify(section(plain), { lineWidth: 100 });
  if (optimiser === undefined) return own;
  return `${own}# What was used, defaults included: made from the keys above, never read.\n${
    stringify({ [RESOLVED]: { optimiser: resolved(config, optimiser) } }, { lineWidth: 100 })
  }`;
}

/** The section of the configured adapter, its layers in the file's spelling. */
function adapterSettings(config: TrainConfig): Partial<Record<string, unknown>> {
  const scheme = adapterOfScheme(config.scheme);
  const settings = scheme && config[scheme];
  if (scheme === undefined || settings === undefined) return {};
  const { layers } = settings;
  return {
    [scheme]: { ...settings, ...Array.isArray(layers) ? { layers: layers.join("-") } : {} },
  };
}

/** The optimiser as it was used: what configurations have keys for, then all that a ledger keeps of it. */
function resolved(config: TrainConfig, optimiser: Optimiser): Record<string, unknown> {
  const { name, estimator, form, projection, distribution, span = "block" } = optimiser;
  const described = optimiser.describe();
  const { schedule, value, peak = value, factor = 1, ...shape } = scheduleIn(described) ?? {};
  const epsilon = valueIn(estimator.parameters, "epsilon");
  const rate = schedule === undefined ? {} : {
    learning_rate: Number(peak) * Number(factor),
    schedule: { kind: schedule, ...shape },
  };
  return {
    name,
    ...(epsilon === undefined ? {} : { epsilon }),
    ...rate,
    ...ownOptions(config.optimiser),
    ...{ queries: Math.max(1, noiseDirections(estimator)), form, projection, distribution, span },
    parts: described,
  };
}

/** The options of the optimiser's own, given or by default, in the file's spelling. */
function ownOptions(given: OptimiserConfig): Record<string, unknown> {
  const { options } = namedOptimisers[given.name];
  const used: Readonly<Record<string, unknown>> = completed(options, given);
  return Object.fromEntries(
    Object.entries(used).flatMap(([name, value]) =>
      value === undefined ? [] : [[snakeCase(name), value]]
    ),
  );
}

type Fields = { readonly [key: string]: JsonValue };

function scheduleIn(described: JsonValue): Fields | undefined {
  const rule = fieldsOf(fieldsOf(described)?.update);
  return fieldsOf(fieldsOf(rule?.parameters)?.learningRate) ??
    partIn(described, "scaleBySchedule");
}

/** The parameters of the part of that name, within others too. */
function partIn(described: JsonValue | undefined, name: string): Fields | undefined {
  if (typeof described !== "object" || described === null) return undefined;
  const fields = described as Fields;
  if (fields.name === name) return fieldsOf(fields.parameters);
  for (const inner of Object.values(fields)) {
    const found = partIn(inner, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The value of a key, within others too. */
function valueIn(fields: Fields, key: string): JsonValue | undefined {
  if (Object.hasOwn(fields, key)) return fields[key];
  for (const inner of Object.values(fields)) {
    const found = valueIn(fieldsOf(inner) ?? {}, key);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fieldsOf(value: JsonValue | undefined): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Fields
    : undefined;
}

/** What is inside of these are the user's own keys. */
const OWN_KEYS = /^labels$|Pattern$/;

/** Keys in the file's spelling, but for the user's own. */
function section(values: object): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const nested = typeof value === "object" && !Array.isArray(value) && !OWN_KEYS.test(name);
    const written = nested ? section(value) : value;
    if (nested && Object.keys(written).length === 0) continue;
    out[snakeCase(name)] = written;
  }
  return out;
}
