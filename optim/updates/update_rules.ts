/**
 * Update rules by name, as stored in the headers of ledgers.
 *
 * @module
 */
import { adam, adamw, type AdamwOptions } from "./adam.ts";
import { momentum } from "./momentum.ts";
import { parseSchedule } from "../transformations/schedule.ts";
import { signOfElement } from "./sign_of_element.ts";
import type { UpdateRule } from "./update_rule.ts";

/** Functions that create a rule from its parameters, with the learning rate as a schedule. */
const makers: Readonly<Record<string, (options: AdamwOptions) => UpdateRule>> = {
  momentum,
  adam,
  adamw,
  signOfElement,
};

/**
 * Parses the result of `describeUpdateRule` for a rule of this library.
 *
 * @throws {RangeError | TypeError} when it has another form. Custom rules and schedules can be used for training, but not with a ledger.
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
