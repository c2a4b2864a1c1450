/**
 * Settings of single modules in GPTQModel's `dynamic`: `{"+:REGEX": {settings}, "-:REGEX": {}}`. The first rule whose expression matches
 * from the start of a module's name holds, those with `-:` before all others; these leave a module unquantised.
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

/** Settings as a module has them: the common ones with those of its rule. */
export type SettingsOfModule = (module: string) => {
  readonly settings: Fields;
  /** Where they come from, for messages: `dynamic "+:.*down_proj"`; undefined for the common ones. */
  readonly rule?: string;
};

/**
 * The settings of each module.
 *
 * @param table The keys that a rule may have
 * @throws {RangeError} naming the rule, for an expression that JavaScript does not read and keys that are not known.
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
 * An expression that a file has for names of modules, to be matched from their start (`lastIndex` 0).
 *
 * @param attempt The beginning of a message
 * @throws {RangeError} for one that JavaScript does not read, or whose search could take forever.
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

/** Whether backtracking ends soon, whatever the name: a file is not trusted. */
function isQuick(source: string): boolean {
  const bare = source.replace(/\\./gsu, "a").replace(/\[[^\]]*\]/g, "a").replace(
    /\(\?[:=!<]?/g,
    "(",
  );
  return source.length <= 1000 && !/\)[*+{]/.test(bare) &&
    bare.replace(/[^*+{]/g, "").length <= MOST_REPETITIONS &&
    bare.replace(/[^?]/g, "").length <= MOST_OPTIONS;
}
