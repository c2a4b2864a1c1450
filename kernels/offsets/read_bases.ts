/**
 * Offsets that are not trained: they hold a value that noise and update leave alone.
 *
 * @module
 */

import { turnsOf } from "../../optim/directions/structures.ts";
import { trainedGroup } from "../../optim/group.ts";
import type { Optimiser } from "../../optim/optimiser.ts";
import {
  factNames,
  type MaskedTensor,
  type OffsetsPreparation,
  wrongFact,
} from "../../optim/preparations/preparation.ts";
import { preparationsOf } from "../../optim/preparations/preparations.ts";
import { offsetBases } from "../../quant/fold/magnitudes.ts";
import { isQuantised, planeWords } from "../../quant/layouts/layout.ts";
import { partOf } from "../../quant/layouts/trained_part.ts";
import type { Gpu } from "../device/gpu.ts";
import type { OffsetSet, Trainable } from "./offset_set.ts";
import type { DeviceTensor } from "../device/tensor.ts";

/** Reads scales (dense: elements) or another part of a tensor back, piece by piece, and says what each offset tunes: NaN where it only pads. */
export async function basesOf(
  gpu: Gpu,
  tensors: ReadonlyMap<string, DeviceTensor>,
  { name: trained, span, count }: Trainable,
): Promise<Float32Array> {
  const { tensor, part } = partOf(trained);
  const { layout, columns, rows, pieces, name, codebook } = tensors.get(tensor)!;
  const out = new Float32Array(count).fill(NaN);
  for (const piece of part === "codebook" ? pieces.slice(0, 1) : pieces) {
    const words = planeWords(layout, piece.rows, columns);
    const scales = isQuantised(layout) ? "scales" : "codes";
    const plane = part === "codebook" ? "codebook" : scales;
    const storage = plane === "codebook" ? codebook : piece[plane];
    if (!storage) throw new TypeError(`Cannot read the scales of "${name}": it has none`);
    const [bytes] = await gpu.read([{ buffer: storage.buffer, bytes: words[plane] * 4 }]);
    // Nothing else is looked at.
    const packed = {
      layout,
      columns,
      rows: piece.rows,
      codes: new Uint32Array(words.codes),
      scales: new Uint32Array(words.scales),
      codebook: new Uint32Array(words.codebook),
      [plane]: new Uint32Array(bytes),
    };
    offsetBases(packed, span, { firstRow: piece.firstRow, totalRows: rows, part })
      .forEach((base, i) => {
        if (!Number.isNaN(base)) out[i] = base;
      });
  }
  return out;
}

/**
 * Throws a TypeError where an optimiser wants to know something of each tensor (a share of its mask, a gain, a layer) and offsets were made without,
 * or with what was found for another.
 */
export function assertTrainables(
  { name, plan, groups, estimator }: Optimiser,
  { trainables }: OffsetSet,
): void {
  const refuse = (why: string) => new TypeError(`Cannot train with ${name}: ${why}`);
  const wrong = wrongFact(preparationsOf(plan), trainables);
  if (wrong?.missing) {
    throw refuse(
      `"${wrong.tensor.name}" has no ${factNames[wrong.fact]}; create its offsets with offsetsFor`,
    );
  }
  if (wrong) {
    throw refuse(
      `"${wrong.tensor.name}" has a ${factNames[wrong.fact]} that belongs to another optimiser`,
    );
  }
  const stranger = trainables.find(({ group }) =>
    group && JSON.stringify(trainedGroup({ groups }, group.name)) !== JSON.stringify(group)
  );
  if (stranger) {
    throw refuse(
      `"${stranger.name}" is in a group "${
        stranger.group!.name
      }" that belongs to another optimiser`,
    );
  }
  const isHybrid = estimator.exactBlocks !== undefined;
  const exact = trainables.filter((one) => one.exact);
  if (!isHybrid && exact.length > 0) {
    throw refuse(`"${exact[0].name}" is one that a hybrid optimiser takes the gradient of`);
  }
  if (isHybrid && (exact.length === 0 || exact.length === trainables.length)) {
    throw refuse(
      exact.length === 0
        ? "nothing that is trained is in the blocks whose gradient is exact; select more, or use an optimiser that only looks along noise"
        : "all that is trained is in the blocks whose gradient is exact; select what is below too, or use foAdam",
    );
  }
  const by = turnsOf(plan)?.by ?? "tensor";
  if (by !== "tensor" && trainables.every((one) => one[by] === undefined)) {
    throw refuse(`tensors take turns by ${by}, but none of them has a ${by}`);
  }
}

/**
 * Changes offsets on the device as a preparation does, by what they tune: to be called before each step that it is due before (see
 * {@linkcode dueBefore}); `finetune`, `finetuneByFunction` and replay do so.
 *
 * @param tensors The base
 */
export async function prepareOffsets(
  gpu: Gpu,
  preparation: OffsetsPreparation,
  offsets: OffsetSet,
  tensors: ReadonlyMap<string, DeviceTensor>,
): Promise<void> {
  const values = await offsets.read(gpu);
  const changed: MaskedTensor[] = [];
  for (const one of offsets.trainables) {
    const bases = await basesOf(gpu, tensors, one);
    changed.push({ ...one, bases, offsets: values.get(one.name)! });
  }
  preparation.change(changed);
  offsets.write(gpu, values);
}
