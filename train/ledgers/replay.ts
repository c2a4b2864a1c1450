/**
 * Replays a ledger to offsets, on the device or, as a reference, on the host.
 *
 * @module
 */

import { replacedSource } from "../../models/checkpoints/derived/replaced.ts";
import { assertOptions, type OptionRules } from "../../optim/options.ts";
import {
  type DeviceTensor,
  hasSign,
  OffsetSet,
  prepareOffsets,
  replayMoves,
  type ReplayOptions,
  trainableOf,
} from "../../kernels/mod.ts";
import {
  fingerprint,
  fingerprintLike,
  olderFingerprint,
} from "../../models/checkpoints/fingerprint.ts";
import { adapterValues, type FittedAdapter } from "../../models/adapters/adapted.ts";
import type { Adapter } from "../../models/adapters/scheme.ts";
import {
  assertNotDisposed,
  type Model,
  planModel,
  withAdapterPlanned,
} from "../../models/inference/model.ts";
import type { ModelSource, TensorSource } from "../../models/checkpoints/checkpoint.ts";
import {
  applyRecord,
  assertLedgerFits,
  blockPlace,
  type Ledger,
  type LedgerHeader,
  type MaskedTensor,
  NOISE_VERSION,
  type OffsetRule,
  type OffsetTensor,
  preparationsOf,
  replaySteps,
  stepsToReplay,
  tensorId,
  type Trainable,
} from "../../optim/mod.ts";
import { readScales } from "../../quant/layouts/decode.ts";
import { offsetBases } from "../../quant/fold/magnitudes.ts";
import { offsetStride } from "../../quant/fold/fold_offsets.ts";
import { partOf } from "../../quant/layouts/trained_part.ts";
import { isOlderFingerprint } from "../../optim/ledger/older_fingerprint.ts";
import { foundFacts } from "../../optim/preparations/preparation.ts";
import { noisePlace } from "../../optim/trainable.ts";

import { adapterOfLedger, assertAdapterFits } from "./ledger_adapter.ts";

/** Which steps to replay. */
export interface ReplayLedgerOptions extends ReplayOptions {
  /** Number of steps from the beginning. Default: all. */
  readonly steps?: number;
  /** For replay on the host: the adapter with the values of its file, if the ledger started from a file. */
  readonly adapter?: Adapter | undefined;
}

/** Approximate limit for blocking the event loop. */
const SERVE_MILLISECONDS = 50;

/** Rejects a ledger that this version's noise would replay differently. */
function assertNoise(header: LedgerHeader): void {
  if (header.noiseVersion !== NOISE_VERSION) {
    throw new RangeError(
      `Cannot replay a ledger whose noise has version ${header.noiseVersion}: this library has version ${NOISE_VERSION}`,
    );
  }
}

/** The trainables of a ledger for this model. Counts in the file are not trusted. */
export function trainablesOf(
  header: LedgerHeader,
  tensors: ReadonlyMap<string, DeviceTensor>,
): Trainable[] {
  return header.trainables.map((one) => {
    const { name, form, span, layer, part: half } = one;
    const { tensor: owner, part } = partOf(name);
    const tensor = tensors.get(owner);
    if (!tensor) throw new RangeError(`Cannot replay: the model has no tensor "${owner}"`);
    const shape = trainableOf(tensor, tensorId(name), form, span, part);
    const group = one.group && { group: one.group };
    const exact = one.exact && { exact: one.exact };
    return { ...shape, ...foundFacts(one), ...group, ...exact, layer, part: half };
  });
}

const replayRules: OptionRules<ReplayLedgerOptions> = {
  steps: "any",
  signal: "any",
  onProgress: "any",
  adapter: "any",
};

/**
 * Replays a ledger to offsets on the device, allocated. A model can have several sets of offsets. The state of an update rule is kept with them,
 * for continuing the training; otherwise free it with `freeMoments`.
 *
 * @throws {RangeError} when the ledger belongs to another model, or does not fit its tensors.
 *
 * @example One step, replayed
 * ```ts
 * import { LedgerFile, loadModel, openGpu, openLedger, openModelSource, planOffsets, quantizedSource, qzo, replayLedger } from "@qzo/qzo";
 * import { assert } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * const optimiser = qzo();
 * const folder = await Deno.makeTempDir();
 * {
 *   const offsets = planOffsets(model, optimiser, gpu.maxBinding);
 *   using ledger = await LedgerFile.create(`${folder}/run.ledger`, { model, optimiser, offsets });
 *   await ledger.append([{ coefficients: [2 ** -20], state: [] }]);
 * }
 * using tuned = await replayLedger(model, await openLedger(`${folder}/run.ledger`));
 * assert((await tuned.read()).get("blk.0.attn_q.weight")!.some((offset) => offset !== 0));
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function replayLedger(
  model: Model,
  ledger: Ledger,
  options: ReplayLedgerOptions = {},
): Promise<OffsetSet> {
  assertOptions("replay a ledger", options, replayRules);
  assertNotDisposed(model, "replay a ledger");
  const { header, head: { law, plan, update }, records } = ledger;
  const count = stepsToReplay(ledger, options.steps);
  assertNoise(header);
  assertAdapterFits(header, model);
  const base = await fingerprintLike(header.model, model);
  assertLedgerFits(header, base, header.trainables);
  assertLedgerFits(header, base, trainablesOf(header, model.tensors));
  const offsets = new OffsetSet(header.trainables, model.gpu.maxBinding).allocate(model.gpu);
  try {
    const rule = { law, plan, update, projection: header.projection };
    let done = 0;
    await replaySteps(plan, records, {
      prepare: (preparation) => prepareOffsets(model.gpu, preparation, offsets, model.tensors),
      async move(steps) {
        const before = done;
        await replayMoves(model.gpu, rule, offsets, model.tensors, steps, {
          ...options,
          onProgress: (more) => options.onProgress?.(done = before + more),
        });
      },
    }, count);
    return offsets;
  } catch (error) {
    offsets[Symbol.dispose]();
    throw error;
  }
}

/** How a tensor's offsets move. Only scales have a sign to keep. */
function ruleOf({ header, head: { law, update, plan } }: Ledger, trainable: Trainable) {
  return {
    update,
    plan,
    law,
    form: trainable.form,
    projection: hasSign(trainable) ? header.projection : "none" as const,
  };
}

function tensorOf(source: ModelSource, name: string): TensorSource {
  const tensor = source.tensors.get(name);
  if (!tensor) throw new RangeError(`Cannot replay: the model has no tensor "${name}"`);
  return tensor;
}

/** The value that each offset of a tensor, or of a part of it, tunes. */
async function basesOf(
  source: ModelSource,
  { name, span }: Trainable,
  fitted: FittedAdapter | undefined,
): Promise<Float32Array> {
  const { tensor: owner, part } = partOf(name);
  const adapted = fitted?.tensors.get(owner);
  if (fitted && adapted) return offsetBases(adapterValues(fitted.adapter, adapted), span, { part });
  const tensor = tensorOf(source, owner);
  return offsetBases(await tensor.read(0, tensor.rows), span, { part });
}

/** The stored scales of a tensor in the order of its offsets, `[group][stride]`. */
async function scalesInOffsetOrder(
  source: ModelSource,
  { name, rows, columns, span, count }: Trainable,
): Promise<Float32Array> {
  const scales = readScales(await tensorOf(source, name).read(0, rows));
  const groups = Math.ceil(columns / span);
  const stride = offsetStride(rows);
  // Padding rows have no sign to keep.
  const out = new Float32Array(count).fill(Infinity);
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) out[g * stride + row] = scales[row * groups + g];
  }
  return out;
}

/**
 * Replays a ledger on the host and returns the offsets by tensor, with the same bits as on any device.
 *
 * @param source The base model, as it was loaded for training.
 * @throws {RangeError} when the ledger belongs to another model, or does not fit its tensors.
 *
 * @example The same bits as on the device
 * ```ts
 * import { LedgerFile, loadModel, openGpu, openLedger, openModelSource, planOffsets, quantizedSource, qzo, replayLedger, replayOnHost } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * using model = await loadModel(gpu, source);
 * const optimiser = qzo();
 * const folder = await Deno.makeTempDir();
 * {
 *   const offsets = planOffsets(model, optimiser, gpu.maxBinding);
 *   using ledger = await LedgerFile.create(`${folder}/run.ledger`, { model, optimiser, offsets });
 *   await ledger.append([{ coefficients: [2 ** -20], state: [] }]);
 * }
 * const ledger = await openLedger(`${folder}/run.ledger`);
 * using tuned = await replayLedger(model, ledger);
 * assertEquals(await replayOnHost(source, ledger), await tuned.read());
 * await Deno.remove(folder, { recursive: true });
 * ```
 */
export async function replayOnHost(
  source: ModelSource,
  ledger: Ledger,
  options: ReplayLedgerOptions = {},
): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  assertOptions("replay a ledger", options, replayRules);
  const { header, records, head: { plan: directions } } = ledger;
  const count = stepsToReplay(ledger, options.steps);
  assertNoise(header);
  const id = isOlderFingerprint(header.model)
    ? await olderFingerprint(source)
    : await fingerprint(source, options);
  assertLedgerFits(header, id, header.trainables);
  const adapter = adapterOfLedger(ledger, options.adapter);
  const base = planModel(source, { adapterClass: "software", maxBinding: Infinity });
  const plan = adapter ? withAdapterPlanned(base, adapter, Infinity) : base;
  const beside = adapter ? replacedSource(source, adapter) : source;
  assertLedgerFits(header, id, trainablesOf(header, plan.tensors));
  const out = new Map<string, Float32Array<ArrayBuffer>>();
  const replayed: Replayed[] = [];
  const changes = preparationsOf(directions).some(({ looks }) => looks === "offsets");
  for (const [index, trainable] of header.trainables.entries()) {
    const rule = ruleOf(ledger, trainable);
    const offsets = new Float32Array(trainable.count);
    const state = Array.from(
      { length: rule.update?.stateSize ?? 0 },
      () => new Float32Array(trainable.count),
    );
    const base = rule.projection === "keep-sign" && rule.form === "absolute"
      ? await scalesInOffsetOrder(beside, trainable)
      : undefined;
    const tensor = {
      ...noisePlace(trainable),
      ...{ place: blockPlace(trainable, index), offsets, state },
      ...(base ? { base } : {}),
    };
    const bases = changes ? await basesOf(beside, trainable, plan.adapter) : offsets;
    replayed.push({ rule, tensor, masked: { ...trainable, bases, offsets } });
    out.set(trainable.name, offsets);
  }
  let served = performance.now();
  await replaySteps(directions, records, {
    prepare: (preparation) => preparation.change(replayed.map(({ masked }) => masked)),
    async move(steps) {
      for (const { rule, tensor } of replayed) {
        for (const step of steps) {
          // A long ledger takes minutes, so signals are handled between steps.
          if (performance.now() - served > SERVE_MILLISECONDS) {
            await new Promise((resolve) => setTimeout(resolve, 0));
            served = performance.now();
          }
          options.signal?.throwIfAborted();
          applyRecord(rule, step, tensor);
        }
      }
    },
  }, count);
  return out;
}

/** A tensor that is replayed on the host. */
interface Replayed {
  readonly rule: OffsetRule;
  readonly tensor: OffsetTensor;
  readonly masked: MaskedTensor;
}
