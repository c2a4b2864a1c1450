/**
 * A fine-tune in a process of its own, to be killed: `train_child.ts <ledger> <kind>`. Says "ready" when
 * it is about to create the ledger, and "begun" after the first step.
 *
 * @module
 */
import { type OffsetSet, openGpu } from "../../kernels/mod.ts";
import {
  ia3Adapter,
  loraAdapter,
  type Model,
  prefixAdapter,
  startedAdapter,
} from "../../models/mod.ts";
import { adam, normaliseByRms, type Optimiser, optimiser, spsa } from "../../optim/mod.ts";
import { finetune, type FinetuneOptions, LedgerFile } from "../../train/mod.ts";
import { loadTiny, tinyExamples, tinyHeader, tinyOffsets } from "../train/tiny_model.ts";

/** Steps of the whole fine-tune. */
export const childSteps = 75;

/** What the child trains: scales alone, LoRA beside them in a group of its own, or an adapter alone. */
export type ChildKind = "scales" | "scales and lora" | AdapterKind;

/** Adapters that are trained alone. */
export type AdapterKind = "lora" | "ia3" | "prefix";

/** All kinds. */
export const childKinds: readonly ChildKind[] = [
  "scales",
  "scales and lora",
  "lora",
  "ia3",
  "prefix",
];

/** Whether an adapter alone is trained. */
export function isAdapterKind(kind: ChildKind): kind is AdapterKind {
  return kind !== "scales" && kind !== "scales and lora";
}

/** The model of a kind, of which the base is the caller's to free. */
export async function childModel(base: Model, kind: ChildKind): Promise<Model> {
  if (kind === "scales") return base;
  if (kind === "ia3") return base.withAdapter(ia3Adapter(base));
  if (kind === "prefix") {
    return base.withAdapter(await startedAdapter(base, prefixAdapter(base, { tokens: 3 })));
  }
  return base.withAdapter(loraAdapter(base, { rank: 4, seed: 3 }));
}

/** What is trained of it, at zero. */
export function childOffsets(model: Model, kind: ChildKind, optimiser: Optimiser): OffsetSet {
  const kinds = isAdapterKind(kind)
    ? [kind]
    : kind === "scales"
    ? ["scales"] as const
    : ["scales", "lora"] as const;
  return tinyOffsets(model, optimiser, { exclude: [], kinds });
}

/** What is trained, and how: the same in the child and where it is resumed. */
export function childOptions(
  model: Model,
  kind: ChildKind,
): Omit<FinetuneOptions, "offsets"> & { readonly optimiser: Optimiser } {
  return {
    model,
    // With a scalar of state in each record, and state per offset that only a replay brings back.
    optimiser: optimiser({
      name: "killed",
      estimator: spsa({ epsilon: 0.02 }),
      transformations: [normaliseByRms()],
      update: adam({ learningRate: 0.02 }),
      form: "relative",
      projection: "keep-sign",
      ...kind === "scales and lora"
        ? { groups: { lora: { epsilon: 0.05, learningRate: 0.01 } } }
        : {},
    }),
    objective: "classification",
    train: tinyExamples(64),
    batchSize: 16,
    steps: childSteps,
    seed: 11,
    // Nothing is held out: it only keeps chunks short, so that the ledger grows often.
    evaluateEvery: 3,
  };
}

if (import.meta.main) {
  using gpu = await openGpu();
  using base = await loadTiny(gpu);
  const kind = Deno.args[1] as ChildKind;
  const model = await childModel(base, kind);
  const options = childOptions(model, kind);
  using offsets = childOffsets(model, kind, options.optimiser);
  console.log("ready");
  using ledger = await LedgerFile.create(
    Deno.args[0],
    tinyHeader(model, options.optimiser, offsets, options.seed),
  );
  for await (const event of finetune({ ...options, offsets, ledger })) {
    if (event.type === "step" && event.step === 1) console.log("begun");
  }
}
