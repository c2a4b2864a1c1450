/**
 * Settings of individual modules in GPTQModel's `dynamic`: `{"+:REGEX": {settings}, "-:REGEX": {}}`. The first rule whose expression matches from the
 * start of a module's name applies. Rules with `-:`, which leave a module unquantised, take precedence.
 *
 * @module
 */

import {
  checkKeys,
  type Fields,
  isEmpty,
  isObject,
  type KeyTable,
  shown,
} from "../../config/config_keys.ts";

/** The settings of a module: the common settings, overridden by those of its rule. */
export type SettingsOfModule = (module: string) => {
  readonly settings: Fields;
  /** The rule for messages, such as `dynamic "+:.*down_proj"`. Undefined if only the common settings apply. */
  readonly rule?: string;
};

/**
 * Returns a function that gives the settings of a module.
 *
 * @param table The keys that a rule may contain.
 * @throws {RangeError} when an expression is not valid in JavaScript, or a key is unknown. The message names the rule.
 */
export function settingsByModule(
  settings: Fields,
  table: KeyTable,
  what: string,
): SettingsOfModule {
  const { dynamic } = settings;
  if (isEmpty(dynamic)) return () => ({ settings });
  if (!isObject(dynamic)) {
    throw new RangeError(
      `Cannot read "${what}": quantization setting dynamic is ${shown(dynamic)}, not an object`,
    );
  }
  const rules = Object.entries(dynamic).map(([rule, values]) => {
    const named = `dynamic ${shown(rule)}`;
    const own = isEmpty(values) ? {} : values;
    if (!isObject(own)) {
      throw new RangeError(`Cannot read "${what}": ${named} is ${shown(values)}, not an object`);
    }
    checkKeys(own, table, { what: `"${what}"`, path: named });
    return { named, own, leaves: rule.startsWith("-"), expression: expressionOf(rule, what) };
  });
  const ordered = [...rules.filter((it) => it.leaves), ...rules.filter((it) => !it.leaves)];
  return (module) => {
    const found = ordered.find(({ expression }) => {
      expression.lastIndex = 0;
      return expression.test(module);
    });
    if (!found || found.leaves) return { settings };
    return { settings: { ...settings, ...found.own }, rule: found.named };
  };
}

function expressionOf(rule: string, what: string): RegExp {
  return moduleExpression(
    rule.replace(/^[+-]:/, ""),
    `Cannot read "${what}": quantization setting dynamic has the rule ${shown(rule)}`,
  );
}

/**
 * A regular expression for module names from a file, which must match from the start of a name (`lastIndex` 0).
 *
 * @param attempt The beginning of the error message.
 * @throws {RangeError} when the expression is not valid in JavaScript, or its search could take forever.
 */
export function moduleExpression(source: string, attempt: string): RegExp {
  let expression: RegExp;
  try {
    expression = new RegExp(source, "uy");
  } catch (cause) {
    throw new RangeError(`${attempt}, which is not a supported regular expression`, { cause });
  }
  if (!isQuick(source)) {
    throw new RangeError(
      `${attempt}, whose search could take forever: groups must not be repeated, and at most ${MOST_REPETITIONS} parts may be`,
    );
  }
  return expression;
}

const MOST_REPETITIONS = 6;
const MOST_OPTIONS = 16;

/** Whether backtracking is bounded for every name, because files are not trusted. */
function isQuick(source: string): boolean {
  const bare = source.replace(/\\./gsu, "a").replace(/\[[^\]]*\]/g, "a").replace(
    /\(\?[:=!<]?/g,
    "(",
  );
  return source.length <= 1000 && !/\)[*+{]/.test(bare) &&
    bare.replace(/[^*+{]/g, "").length <= MOST_REPETITIONS &&
    bare.replace(/[^?]/g, "").length <= MOST_OPTIONS;
}
