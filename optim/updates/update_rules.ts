/**
 * Update rules by name, as ledgers' headers hold them.
 *
 * @module
 */
import { adam, adamw, type AdamwOptions } from "./adam.ts";
import { momentum } from "./momentum.ts";
import { parseSchedule } from "../transformations/schedule.ts";
import { signOfElement } from "./sign_of_element.ts";
import type { UpdateRule } from "./update_rule.ts";

/** Makers take what a rule's parameters are, the learning rate as a schedule. */
const makers: Readonly<Record<string, (options: AdamwOptions) => UpdateRule>> = {
  momentum,
  adam,
  adamw,
  signOfElement,
};

/**
 * Reads what `describeUpdateRule` wrote of a rule of this library.
 *
 * @throws RangeError or TypeError when it is not that: a rule or a schedule of one's own can train, but not have a ledger.
 */
export function parseUpdateRule(value: unknown): UpdateRule {
  const { name, parameters } = Object(value) as Readonly<Record<string, unknown>>;
  const known = typeof name === "string" && Object.hasOwn(makers, name);
  if (!known || typeof parameters !== "object" || parameters === null) {
    throw new RangeError(
      `Cannot read an update rule: ${JSON.stringify(name)} is not one of ${
        Object.keys(makers).join(", ")
      } with its parameters`,
    );
  }
  const given = parameters as Readonly<Record<string, unknown>>;
  const rule = makers[name]({ ...given, learningRate: parseSchedule(given.learningRate) });
  if (JSON.stringify(rule.parameters) === JSON.stringify(given)) return rule;
  throw new RangeError(
    `Cannot read an update rule: ${name} cannot be made from ${JSON.stringify(given)}`,
  );
}
