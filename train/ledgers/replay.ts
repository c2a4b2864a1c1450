/**
 * From a ledger back to offsets: on the device, or on the host as the judge.
 *
 * @module
 */

import { assertOptions, type OptionRules } from "../../optim/options.ts";
import {
  type DeviceTensor,
  freezeByMagnitude,
  hasSign,
  OffsetSet,
  offsetWidth,
  replayMoves,
  type ReplayOptions,
  type Trainable,
  trainableOf,
} from "../../kernels/mod.ts";
import {
  fingerprint,
  fingerprintLike,
  olderFingerprint,
} from "../../models/checkpoints/fingerprint.ts";
import { assertNotDisposed, type Model, planModel } from "../../models/inference/model.ts";
import type { ModelSource, TensorSource } from "../../models/checkpoints/checkpoint.ts";
import {
  applyRecord,
  assertLedgerFits,
  blockPlace,
  drawMask,
  isOlderFingerprint,
  type Ledger,
  type LedgerHeader,
  type LedgerTrainable,
  type MaskedTensor,
  maskPeriods,
  NOISE_VERSION,
  type OffsetRule,
  type OffsetTensor,
  stepsToReplay,
  tensorId,
} from "../../optim/mod.ts";
import { readScales } from "../../quant/layouts/decode.ts";
import { offsetBases } from "../../quant/fold/magnitudes.ts";
import { offsetStride } from "../../quant/fold/fold_offsets.ts";
import { partOf } from "../../quant/layouts/trained_part.ts";

/** Which steps to replay. */
export interface ReplayLedgerOptions extends ReplayOptions {
  /** Number of steps from the beginning. Default: all. */
  readonly steps?: number;
}

/** How long the event loop stands still at most, about. */
const SERVE_MILLISECONDS = 50;

/** Refuses a ledger that this version's noise would replay differently. */
function assertNoise(header: LedgerHeader): void {
  if (header.noiseVersion !== NOISE_VERSION) {
    throw new RangeError(
      `Cannot replay a ledger whose noise has version ${header.noiseVersion}: this library makes version ${NOISE_VERSION}`,
    );
  }
}

/** What a ledger's trainables are on this model: the counts in a file are not believed. */
function trainablesOf(
  header: LedgerHeader,
  tensors: ReadonlyMap<string, DeviceTensor>,
): Trainable[] {
  return header.trainables.map(({ name, form, span, share, gain }) => {
    const { tensor: owner, part } = partOf(name);
    const tensor = tensors.get(owner);
    if (!tensor) throw new RangeError(`Cannot replay: the model has no tensor "${owner}"`);
    const shape = trainableOf(tensor, tensorId(name), form, span, part);
    return {
      ...shape,
      ...(share === undefined ? {} : { share }),
      ...(gain === undefined ? {} : { gain }),
    };
  });
}

const replayRules: OptionRules<ReplayLedgerOptions> = {
  steps: "any",
  signal: "any",
  onProgress: "any",
};

/**
 * The offsets of a ledger on the device, allocated. Several may exist over one model. What an update rule keeps is with them, to go
 * on training from; who does not frees it with their `freeMoments`.
 *
 * @throws {RangeError} When the ledger belongs to another model, or does not fit its tensors
 */
export async function replayLedger(
  model: Model,
  ledger: Ledger,
  options: ReplayLedgerOptions = {},
): Promise<OffsetSet> {
  assertOptions("replay a ledger", options, replayRules);
  assertNotDisposed(model, "replay a ledger");
  const { header, head, records } = ledger;
  const { magnitude } = head.plan;
  const count = stepsToReplay(ledger, options.steps);
  assertNoise(header);
  const base = await fingerprintLike(header.model, model);
  assertLedgerFits(header, base, header.trainables);
  assertLedgerFits(header, base, trainablesOf(header, model.tensors));
  const offsets = new OffsetSet(header.trainables, model.gpu.maxBinding).allocate(model.gpu);
  try {
    const rule = { ...header, update: head.update, plan: head.plan };
    for (const { from, to, draws } of maskPeriods(magnitude, 0, count)) {
      if (draws) await freezeByMagnitude(model.gpu, magnitude!, offsets, model.tensors);
      const steps = Array.from({ length: to - from }, (_, i) => records.record(from + i));
      await replayMoves(model.gpu, rule, offsets, model.tensors, steps, {
        ...options,
        onProgress: (done) => options.onProgress?.(from + done),
      });
    }
    return offsets;
  } catch (error) {
    offsets[Symbol.dispose]();
    throw error;
  }
}

/** How a tensor's offsets move: only scales have a sign to keep. */
function ruleOf({ header, head: { update, plan } }: Ledger, trainable: LedgerTrainable) {
  return {
    update,
    plan,
    distribution: header.distribution,
    form: trainable.form,
    projection: hasSign(trainable) ? header.projection : "none" as const,
  };
}

function tensorOf(source: ModelSource, name: string): TensorSource {
  const tensor = source.tensors.get(name);
  if (!tensor) throw new RangeError(`Cannot replay: the model has no tensor "${name}"`);
  return tensor;
}

/** What each offset of a tensor, or of a part of it, tunes. */
async function basesOf(
  source: ModelSource,
  { name, span }: LedgerTrainable,
): Promise<Float32Array> {
  const { tensor: owner, part } = partOf(name);
  const tensor = tensorOf(source, owner);
  return offsetBases(await tensor.read(0, tensor.rows), span, { part });
}

/** The stored scales of a tensor in the order of its offsets, `[group][stride]`. */
async function scalesInOffsetOrder(
  source: ModelSource,
  { name, rows, columns, span, count }: LedgerTrainable,
): Promise<Float32Array> {
  const scales = readScales(await tensorOf(source, name).read(0, rows));
  const groups = Math.ceil(columns / span);
  const stride = offsetStride(rows);
  // Rows that only pad have no sign to keep.
  const out = new Float32Array(count).fill(Infinity);
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) out[g * stride + row] = scales[row * groups + g];
  }
  return out;
}

/**
 * The offsets of a ledger by tensor, computed on the host: the same bits as on any device.
 *
 * @param source The base model, as it was loaded for training
 * @throws {RangeError} When the ledger belongs to another model, or does not fit its tensors
 */
export async function replayOnHost(
  source: ModelSource,
  ledger: Ledger,
  options: ReplayLedgerOptions = {},
): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  assertOptions("replay a ledger", options, replayRules);
  const { header, records, head: { plan: { magnitude } } } = ledger;
  const count = stepsToReplay(ledger, options.steps);
  assertNoise(header);
  const id = isOlderFingerprint(header.model)
    ? await olderFingerprint(source)
    : await fingerprint(source, options);
  assertLedgerFits(header, id, header.trainables);
  const { tensors } = planModel(source, { adapterClass: "software", maxBinding: Infinity });
  assertLedgerFits(header, id, trainablesOf(header, tensors));
  const out = new Map<string, Float32Array<ArrayBuffer>>();
  const replayed: Replayed[] = [];
  for (const [index, trainable] of header.trainables.entries()) {
    const { name, form } = trainable;
    const rule = ruleOf(ledger, trainable);
    const offsets = new Float32Array(trainable.count);
    const state = Array.from(
      { length: rule.update?.stateSize ?? 0 },
      () => new Float32Array(trainable.count),
    );
    const base = rule.projection === "keep-sign" && rule.form === "absolute"
      ? await scalesInOffsetOrder(source, trainable)
      : undefined;
    const tensor = {
      ...{ id: trainable.id, place: blockPlace(name, index), width: offsetWidth(trainable) },
      ...{ share: trainable.share, gain: trainable.gain, offsets, state },
      ...(base ? { base } : {}),
    };
    const bases = magnitude ? await basesOf(source, trainable) : offsets;
    replayed.push({ rule, tensor, masked: { name, form, bases, offsets } });
    out.set(name, offsets);
  }
  let served = performance.now();
  for (const { from, to, draws } of maskPeriods(magnitude, 0, count)) {
    if (draws) drawMask(magnitude!, replayed.map(({ masked }) => masked));
    for (const { rule, tensor } of replayed) {
      for (let step = from; step < to; step++) {
        // Signals are served between steps: a long ledger takes minutes.
        if (performance.now() - served > SERVE_MILLISECONDS) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          served = performance.now();
        }
        options.signal?.throwIfAborted();
        applyRecord(rule, records.record(step), tensor);
      }
    }
  }
  return out;
}

/** A tensor that is replayed on the host. */
interface Replayed {
  readonly rule: OffsetRule;
  readonly tensor: OffsetTensor;
  readonly masked: MaskedTensor;
}
