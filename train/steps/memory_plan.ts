/**
 * Computes the memory of a fine-tune by purpose, from shapes alone. Nothing is loaded, and no device is needed.
 *
 * @module
 */

import { assertOptions } from "../../optim/options.ts";
import {
  type AdapterClass,
  type BatchShape,
  type MemoryByPart,
  OffsetSet,
  StepState,
  type Storage,
} from "../../kernels/mod.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import { formatByName } from "../../quant/formats/formats.ts";
import { chooseFormat, type PlanOptions } from "../../quant/formats/choose_format.ts";
import { weightsOf } from "../../models/architectures.ts";
import type { ModelConfig } from "../../models/model_config.ts";
import { recordEvaluation } from "../../models/inference/evaluator.ts";
import type { Adapter } from "../../models/adapters/scheme.ts";
import { planModel, withAdapterPlanned } from "../../models/inference/model.ts";
import { type Selection, selectTrainables } from "../selection.ts";
import type { ModelSource, TensorSource } from "../../models/checkpoints/checkpoint.ts";
import { formatSubject } from "../../models/checkpoints/tensor_kind.ts";
import { type Checkpoints, recordStep } from "./record_step.ts";
import { stagingFor } from "./trainer.ts";

/** Options of the computation. */
export interface MemoryPlanOptions {
  /** The optimiser, which determines branches, form and state. */
  readonly optimiser: Optimiser;
  /** What to train. Default: all scales. */
  readonly selection?: Selection;
  /** The adapter. Default: none. */
  readonly adapter?: Adapter | undefined;
  /** Capacities of a batch. */
  readonly shape: BatchShape;
  /** Whether held-out examples are evaluated, so that an evaluator for batches of this shape stays allocated during training. Default false. */
  readonly evaluates?: boolean;
  /** Class of the adapter. Default `"hardware"`; on software adapters, bindings of 128 MiB produce more pieces but not more bytes. */
  readonly adapterClass?: AdapterClass;
  /** The most bytes that one binding can cover. Default 2 GiB - 256. */
  readonly maxBinding?: number;
  /** The most bytes of activations before branches are split over several passes. Default 1 GiB. */
  readonly activationBytes?: number;
  /** What exact gradients store from the forward pass. Default: everything if it fits `activationBytes`, otherwise the input of each block. */
  readonly checkpoints?: Checkpoints | undefined;
  /** Longest sequence in tokens. */
  readonly maxPositions?: number;
  /** The most steps queued before their records are drained. Default 1024. */
  readonly capacity?: number;
}

/** Bytes by purpose, and in total. */
export interface MemoryPlan extends MemoryByPart {
  /** Sum of all purposes. */
  readonly total: number;
  /** Number of trained scalars. */
  readonly trainableScalars: number;
  /** What exact gradients store from the forward pass. Undefined for other optimisers. */
  readonly checkpoints?: Checkpoints;
}

/**
 * The bytes that training `source` takes on a device. They equal a run's own accounting, except for readbacks. The best state of a run takes no
 * device memory, because it is replayed from the ledger or kept in the host's memory.
 *
 * @example The bundled model, without a device
 * ```ts
 * import { openModelSource } from "@qzo/qzo/models";
 * import { qzoPlus } from "@qzo/qzo/optim";
 * import { planMemory } from "@qzo/qzo/train";
 * import { assert } from "@std/assert";
 *
 * using source = await openModelSource("demo/model.gguf");
 * const shape = { rows: 256, lossRows: 16, candidates: 16, examples: 8 };
 * const selection = { kinds: ["norms"] } as const;
 * const { weights, total } = planMemory(source, { optimiser: qzoPlus(), selection, shape });
 * assert(weights > 0 && total > weights);
 * ```
 */
export function planMemory(
  source: Pick<ModelSource, "config" | "tensors">,
  options: MemoryPlanOptions,
): MemoryPlan {
  assertOptions("plan memory", options, {
    optimiser: "any",
    selection: "any",
    adapter: "any",
    shape: "any",
    evaluates: "any",
    adapterClass: "any",
    maxBinding: "any",
    activationBytes: "any",
    checkpoints: "any",
    maxPositions: "any",
    capacity: "any",
  });
  const { optimiser, shape, adapterClass = "hardware", maxBinding = 2 ** 31 - 256 } = options;
  const base = planModel(source, { adapterClass, maxBinding }, options.maxPositions);
  const model = options.adapter ? withAdapterPlanned(base, options.adapter, maxBinding) : base;
  const offsets = new OffsetSet(
    selectTrainables(model, optimiser, options.selection),
    maxBinding,
  );
  const state = new StepState(optimiser, options.capacity ?? 1024);
  const { graph, storages, layout, checkpoints } = recordStep(
    model,
    optimiser,
    offsets,
    state,
    shape,
    {
      ...options,
      maxBinding,
    },
  );
  const bytes: Record<keyof MemoryByPart, number> = {
    weights: 0,
    offsets: 0,
    activations: 0,
    optimiser: 0,
    scratch: Math.max(256, graph.parameterBytes),
  };
  const all: Storage[] = [
    // Tensors of the base that an adapter replaces stay in memory too.
    ...[...new Set([...base.tensors.values(), ...model.tensors.values()])].flatMap((t) =>
      t.storages
    ),
    ...model.constants.values(),
    ...model.columnOrders.storages,
    ...offsets.arenas,
    ...offsets.tables,
    ...offsets.moments(optimiser.update).flat(),
    ...(optimiser.estimator.exact ? offsets.gradients.storages : []),
    ...state.storages,
    stagingFor(layout.bytes),
    ...storages,
    ...graph.storages().storages,
  ];
  if (options.evaluates) {
    const { graph: evaluation, input, losses, scores } = recordEvaluation(model, shape, offsets);
    all.push(input, losses, scores, ...evaluation.storages().storages);
    bytes.scratch += Math.max(256, evaluation.parameterBytes);
  }
  for (const storage of all) bytes[storage.part] += storage.bytes;
  return {
    ...bytes,
    total: Object.values(bytes).reduce((a, b) => a + b, 0),
    trainableScalars: offsets.scalars,
    ...(checkpoints === undefined ? {} : { checkpoints }),
  };
}

/** A model that has only a shape, for computing the memory of a model that has not been downloaded. */
export function modelOfShape(
  config: ModelConfig,
  format: string,
  options: PlanOptions = {},
): Pick<ModelSource, "config" | "tensors"> {
  const tensors = new Map<string, TensorSource>();
  for (const weight of weightsOf(config)) {
    const { name, rows, columns, role } = weight;
    tensors.set(name, {
      name,
      role,
      rows,
      columns,
      format: formatByName(chooseFormat(formatSubject(weight), format, options)),
      read: () => Promise.reject(new TypeError(`Cannot read "${name}": the model is only a shape`)),
    });
  }
  return { config, tensors };
}
