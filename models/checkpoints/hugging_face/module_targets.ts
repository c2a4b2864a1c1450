/**
 * Chooses the scheme of a module by the `targets` of compressed-tensors: names, expressions for names (`re:...`) and classes. A name takes precedence
 * over an expression, and an expression over a class.
 *
 * @module
 */

import { shown } from "../../config/config_keys.ts";
import { moduleExpression } from "./module_rules.ts";

/** A scheme and its targets. */
export interface Targeted<Scheme> {
  /** Name of the group, for messages. */
  readonly group: string;
  /** Names, expressions and classes. */
  readonly targets: unknown;
  /** The scheme of these targets. */
  readonly scheme: Scheme;
}

/** Class of linear layers. */
const CLASS = "Linear";

/**
 * Returns a function that gives the scheme of a module.
 *
 * @throws {RangeError} when targets are not strings or contain an invalid expression. The returned function throws it for a module that no group
 * targets, or that groups with different schemes target in the same way.
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

/** Whether two schemes are equal. */
export function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
