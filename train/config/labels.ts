/**
 * What a configuration says that labels are written as.
 *
 * @module
 */
import { assertDistinct } from "../../tasks/distinct_texts.ts";
import { type Place, refusal, sourceOf } from "./field.ts";

const mostLabels = 10_000;

/** Words by label; a list gives those of 0, 1, 2, ... @throws {RangeError | TypeError} For too few, or what is no word */
export function readLabels(
  value: unknown,
  place: Place,
): Readonly<Record<string, string>> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const entries = Array.isArray(value)
    ? value.map((word, index): [string, unknown] => [String(index), word])
    : Object.entries(value);
  if (entries.length < 2 || entries.length > mostLabels) {
    throw new RangeError(refusal(place, value, `2 to ${mostLabels} labels`));
  }
  const spoken = entries.find(([, word]) => typeof word === "boolean" || typeof word === "number");
  if (spoken !== undefined) {
    throw new TypeError(
      refusal(
        place,
        spoken[1],
        `words; put quotes around it: "${spoken[1]}", as it shall be written`,
      ),
    );
  }
  if (!entries.every(isLabelWord)) return undefined;
  assertDistinct(entries, "labels", `use ${place.path.join(".")} in ${sourceOf(place)}`);
  return Object.fromEntries(entries);
}

function isLabelWord(entry: [string, unknown]): entry is [string, string] {
  return typeof entry[1] === "string" && entry[1] !== "";
}
