/**
 * Which of several schemes a module has by the `targets` of compressed-tensors: its name, an expression for names (`re:...`), or its class. A
 * name counts before an expression, that before a class.
 *
 * @module
 */

import { shown } from "../../config/config_keys.ts";
import { moduleExpression } from "./module_rules.ts";

/** A scheme and what has it. */
export interface Targeted<Scheme> {
  /** Its name, for messages. */
  readonly group: string;
  /** Names, expressions, classes. */
  readonly targets: unknown;
  /** What they have. */
  readonly scheme: Scheme;
}

/** Of linear layers. */
const CLASS = "Linear";

/**
 * The scheme of each module.
 *
 * @throws {RangeError} for targets that are no texts or no expressions; of what is returned, for a module that no group targets, or that
 * groups with other schemes target in the same way.
 */
export function schemeByModule<Scheme>(
  groups: readonly Targeted<Scheme>[],
  what: string,
): (module: string) => Scheme {
  const all = groups.flatMap(({ group, targets, scheme }) => {
    const attempt = `Cannot read "${what}": quantization setting config_groups.${group}.targets`;
    if (!Array.isArray(targets) || targets.some((it) => typeof it !== "string")) {
      throw new RangeError(`${attempt} is ${shown(targets)}, expected names`);
    }
    return targets.map((target: string) => ({
      group,
      scheme,
      target,
      expression: target.startsWith("re:")
        ? moduleExpression(target.slice(3), `${attempt} has ${shown(target)}`)
        : undefined,
    }));
  });
  return (module) => {
    const byName = all.filter(({ target }) => target === module);
    const byExpression = all.filter(({ expression }) => {
      if (expression) expression.lastIndex = 0;
      return expression?.test(module);
    });
    const found = [byName, byExpression, all.filter(({ target }) => target === CLASS)]
      .find((some) => some.length > 0);
    const [first, ...others] = found ?? [];
    if (!first) {
      throw new RangeError(
        `Cannot load tensor "${module}": it is quantised, and none of the config_groups of "${what}" targets it`,
      );
    }
    const other = others.find(({ scheme }) => !isSame(scheme, first.scheme));
    if (other) {
      throw new RangeError(
        `Cannot load tensor "${module}": config_groups.${first.group} and config_groups.${other.group} of "${what}" both target it, by ${
          shown(first.target)
        } and ${shown(other.target)}`,
      );
    }
    return first.scheme;
  };
}

/** Whether two schemes say the same. */
export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
