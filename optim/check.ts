/**
 * Checks of arguments, shared by the parts of an optimiser.
 *
 * @module
 */

/**
 * Returns `value` if it is finite and above zero.
 *
 * @param what What is being made, for the message.
 * @throws {RangeError} for any other value.
 */
export function positive(what: string, name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(
    `Cannot make ${what}: ${name} must be a finite number above 0, not ${value}`,
  );
}

/**
 * Returns `value` if it is finite and not negative.
 *
 * @param what What is being made, for the message.
 * @throws {RangeError} for any other value.
 */
export function notNegative(what: string, name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value;
  throw new RangeError(
    `Cannot make ${what}: ${name} must be a finite number of at least 0, not ${value}`,
  );
}

/**
 * Returns `value` if it is an integer in `[minimum, maximum]`.
 *
 * @param what What is being made, for the message.
 * @throws {RangeError} for any other value.
 */
export function integerWithin(
  what: string,
  name: string,
  value: number,
  minimum: number,
  maximum: number,
): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw new RangeError(
    `Cannot make ${what}: ${name} must be an integer from ${minimum} to ${maximum}, not ${value}`,
  );
}
