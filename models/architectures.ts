/**
 * Looks up the architecture of a configuration in the table of `architectures/mod.ts`.
 *
 * @module
 */

import type { Architecture, Sight, Weight } from "./architecture.ts";
import type { ModelConfig } from "./model_config.ts";
import * as table from "./architectures/mod.ts";

/** All architectures. */
export const ARCHITECTURES: readonly Architecture[] = Object.values(table);

/** The architecture of a configuration. @throws {RangeError} when it is unknown. */
export function architectureOf(config: Pick<ModelConfig, "architecture">): Architecture {
  const found = ARCHITECTURES.find(({ name }) => name === config.architecture);
  if (!found) {
    throw new RangeError(
      `Cannot build a model: architecture "${config.architecture}" is not known; expected one of ${
        ARCHITECTURES.map(({ name }) => name).join(", ")
      }`,
    );
  }
  return found;
}

/** Every weight of a model, in the order of the forward pass. @throws {RangeError} when its architecture is unknown. */
export function weightsOf(config: ModelConfig): readonly Weight[] {
  return architectureOf(config).weights(config);
}

/** Which tokens of its sequence a token of a model attends to. @throws {RangeError} when the architecture is unknown. */
export function sightOf(config: Pick<ModelConfig, "architecture">): Sight {
  return architectureOf(config).sees ?? "earlier";
}
