/**
 * Names in configurations as people write them: of tasks and of formats.
 *
 * @module
 */
import { formatNameOf } from "../quant/mod.ts";
import { builtInTasks } from "../tasks/registry.ts";
import { type Place, refusal, sourceOf } from "./config_field.ts";

/** Names of tasks that need no template. */
export const taskNames: readonly string[] = [
  ...builtInTasks.map(({ name }) => name),
  "language-modelling",
];

/** A name of a task: of the known ones in their spelling; with a template it may be any. */
export function readTaskName(value: unknown, place: Place): string | undefined {
  if (typeof value !== "string") return undefined;
  if (value === "") throw new RangeError(refusal(place, value, "text"));
  return taskNames.find((name) => name === value.toLowerCase()) ?? value;
}

/** The exact name of a format. @throws {RangeError} For none, with what to take */
export function readFormatName(value: unknown, place: Place): string | undefined {
  if (typeof value !== "string") return undefined;
  try {
    return formatNameOf(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const key = `${place.path.join(".")} in ${sourceOf(place)}`;
    throw new RangeError(`Cannot use ${key}: ${error.message.replace(/^Cannot/, "cannot")}`);
  }
}
