/**
 * Finds the peak of a learning rate in the description of the rules that apply it.
 *
 * @module
 */
import type { JsonValue } from "../json.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";

/** The description of a rule. */
interface Described {
  readonly parameters: Readonly<Record<string, JsonValue>>;
}

/**
 * The peak of the learning rate, wherever it is applied and whatever its schedule. 1 if there is no learning rate. Undefined for a custom schedule.
 */
export function peakLearningRate(
  { transformation, update }: {
    /** The scalar rules. */
    readonly transformation: Described;
    /** The update rule. */
    readonly update?: Described | undefined;
  },
): number | undefined {
  const described = update?.parameters.learningRate ?? scaling(transformation.parameters);
  if (described === undefined) return 1;
  const { value, peak = value, factor = 1 } = Object(described);
  return schedule(described) && Number(factor) * Number(peak);
}

/** Parses the description of a schedule. Undefined if it is not a schedule of this library. */
export function schedule(described: JsonValue | undefined): Schedule | undefined {
  try {
    return described === undefined ? undefined : parseSchedule(described);
  } catch {
    return undefined;
  }
}

/** The parameters of `scaleBySchedule` in the description of a rule, also if it is nested in others. */
export function scaling(described: JsonValue | undefined): JsonValue | undefined {
  if (typeof described !== "object" || described === null) return undefined;
  const fields = described as { readonly [key: string]: JsonValue };
  if (fields.name === "scaleBySchedule") return fields.parameters;
  for (const inner of Object.values(fields)) {
    const found = scaling(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}
