/**
 * A configuration written back: complete, so that a run's folder says all that was run.
 *
 * @module
 */
import { stringify } from "@std/yaml";
import { snakeCase } from "./config_field.ts";
import type { TrainConfig } from "./config_schema.ts";

/**
 * A configuration as YAML that {@linkcode parseTrainConfig} reads back to the same; what is undefined is left out.
 *
 * @example There and back
 * ```ts
 * import { configToYaml, parseTrainConfig } from "@qzo/qzo/train";
 * import { assertEquals } from "@std/assert";
 *
 * const config = parseTrainConfig("model: a.gguf\ntrainables: {layers: 0-3}", "a.yaml");
 * assertEquals(parseTrainConfig(configToYaml(config), "b.yaml"), config);
 * ```
 */
export function configToYaml(config: TrainConfig): string {
  const { layers } = config.trainables;
  const plain = {
    ...config,
    trainables: {
      ...config.trainables,
      layers: typeof layers === "object" ? layers.join("-") : layers,
    },
  };
  return stringify(section(plain), { lineWidth: 100 });
}

/** Keys in the file's spelling; the labels' keys are the user's own. */
function section(values: object): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const nested = typeof value === "object" && !Array.isArray(value) && name !== "labels";
    const written = nested ? section(value) : value;
    if (nested && Object.keys(written).length === 0) continue;
    out[snakeCase(name)] = written;
  }
  return out;
}
