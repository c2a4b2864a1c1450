/**
 * A fingerprint of a run's data, to check that it is resumed and evaluated with the same examples.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Example } from "../../models/batch.ts";
import type { JsonValue, LedgerHeader } from "../../optim/mod.ts";
import type { LeftOver } from "../../tasks/order.ts";
import type { TrainConfig } from "../config/schema.ts";
import { describeTask, type TaskExamples } from "./task_examples.ts";

/** How examples become batches, besides the seed. */
export interface DataOrder {
  /** Which examples are in the smaller batch of an epoch. Default `"random"`. */
  readonly leftOver?: LeftOver | undefined;
  /** When the masked tokens of a text are chosen. Default `"once"`. */
  readonly masks?: Masks | undefined;
}

type Fields = Readonly<Record<string, JsonValue>>;

/**
 * What batches depend on besides the seed, and what the run is evaluated on: counts and SHA-256 of training, validation (as far as it is
 * evaluated during training) and test examples. Older ledgers have those of the training examples only.
 *
 * @param order How examples become batches. For runs from before it was recorded: `"longest"`, with masks chosen once.
 */
export function dataOfRun(
  config: TrainConfig,
  { objective, train, validation, test }: TaskExamples,
  { leftOver = "random", masks = "once" }: DataOrder = {},
): JsonValue {
  const judged = validation.examples.slice(0, config.evaluateLimit);
  return {
    task: describeTask(config),
    objective,
    batchSize: config.batchSize,
    ...fingerprint(train.examples),
    validation: fingerprint(judged),
    ...(test ? { test: fingerprint(test.examples) } : {}),
    ...(leftOver === "random" ? { leftOver } : {}),
    ...(masks === "each epoch" ? { masks } : {}),
  };
}

/** When the masked tokens of a text are chosen: for each epoch, or once, as in runs from before 2026-12. */
export type Masks = "each epoch" | "once";

/** When masked tokens are chosen in new runs: `"once"`, unless the examples are windows of a text with masked tokens. */
export function masksOfExamples({ task, train }: Pick<TaskExamples, "task" | "train">): Masks {
  return task === undefined && train.examples.some(({ masked }) => masked) ? "each epoch" : "once";
}

/** When the masked tokens of a run are chosen, according to its ledger's header. */
export function masksOf({ data }: Pick<LedgerHeader, "data">): Masks {
  return isFields(data) && data.masks === "each epoch" ? "each epoch" : "once";
}

/** Which examples are in the smaller batch of an epoch, according to a ledger's header. */
export function leftOverOf({ data }: Pick<LedgerHeader, "data">): LeftOver {
  return isFields(data) && data.leftOver === "random" ? "random" : "longest";
}

/** How a run's examples become batches, according to its ledger's header. */
export function orderOf(header: Pick<LedgerHeader, "data">): DataOrder {
  return { leftOver: leftOverOf(header), masks: masksOf(header) };
}

function fingerprint(examples: readonly Example[]): Fields {
  const hash = createHash("sha256");
  for (const example of examples) hash.update(JSON.stringify(example));
  return { examples: examples.length, sha256: hash.digest("hex") };
}

/** The sets of a run's data, with the keys that determine them. */
const sets = [
  {
    words: "training",
    key: "train",
    of: (data: Fields): JsonValue | undefined => ({
      examples: data.examples ?? null,
      sha256: data.sha256 ?? null,
    }),
    why: "steps and batches depend on them",
    also: "data.train_limit",
  },
  {
    words: "validation",
    key: "validation",
    of: ({ validation }: Fields): JsonValue | undefined => validation,
    why: "the measurements before and after must be of the same examples",
    also: "data.validation_limit, evaluate_limit",
  },
  {
    words: "test",
    key: "test",
    of: ({ test }: Fields): JsonValue | undefined => test,
    why: "the run is judged by them",
    also: "data.test_limit",
  },
] as const;

/**
 * Rejects data other than those a run was started with. Sets that the ledger does not record are not compared.
 *
 * @throws {RangeError} naming the file and what to do.
 */
export function assertSameData(
  then: JsonValue,
  now: JsonValue,
  { path, config }: { readonly path: string; readonly config: TrainConfig },
): void {
  if (!isFields(then) || !isFields(now)) return;
  for (const key of ["task", "objective", "batchSize"]) {
    if (then[key] !== undefined && then[key] !== now[key]) {
      throw new RangeError(
        `Cannot resume "${path}": it was started with data ${key} ${
          JSON.stringify(then[key])
        }, not ${JSON.stringify(now[key])}`,
      );
    }
  }
  for (const { words, key, of, why, also } of sets) {
    const [before, after] = [of(then), of(now)];
    if (!isFields(before) || !differ(before, after)) continue;
    const file = config.data[key];
    const named = file === undefined ? `the ${words} file` : `data.${key} "${file}"`;
    const count = isFields(after) ? after.examples : 0;
    throw new RangeError(
      `Cannot resume "${path}": its ${words} examples have changed since it was started (${before.examples} then, ${count} now), and ${why}. Restore ${named} and the settings it was read with (task, data.encoding, max_length, ${also}), or start a new run with --output`,
    );
  }
}

/**
 * A note if a set of examples is not the one that a run was evaluated on. Undefined if it is the same, or was not recorded.
 */
export function otherDataNote(
  then: JsonValue,
  examples: readonly Example[],
  { split, config }: {
    readonly split: "validation" | "test";
    readonly config: TrainConfig;
  },
): string | undefined {
  if (!isFields(then)) return undefined;
  const before = then[split];
  const judged = split === "validation" ? examples.slice(0, config.evaluateLimit) : examples;
  if (!isFields(before) || !differ(before, fingerprint(judged))) return undefined;
  return `the ${split} examples are not those that the run was evaluated on (${before.examples} then), so its figures and these are for different examples`;
}

function differ(before: Fields, after: JsonValue | undefined): boolean {
  return !isFields(after) || before.examples !== after.examples || before.sha256 !== after.sha256;
}

function isFields(value: JsonValue | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
