/**
 * Reads the values that offsets tune, and applies preparations to offsets. Frozen offsets hold a special value that noise and update skip.
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

/**
 * Reads the scales (in a dense tensor, the elements) or another part of a tensor, piece by piece. Returns the value that each offset tunes; NaN
 * for padding.
 *
 * @example The scales of two rows
 * ```ts
 * import { basesOf, DeviceTensor, openGpu, trainableOf } from "@qzo/qzo/kernels";
 * import { tensorId } from "@qzo/qzo/optim";
 * import { quantize } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const packed = quantize(new Float32Array(64).fill(-128), 2, 32, "Q8_0");
 * using gpu = await openGpu();
 * using tensor = new DeviceTensor("w", packed.layout, 2, 32, gpu.maxBinding);
 * tensor.write(gpu, packed);
 * const trained = trainableOf(tensor, tensorId("w"), "relative", 32);
 * assertEquals(await basesOf(gpu, new Map([["w", tensor]]), trained), Float32Array.of(1, 1, NaN, NaN));
 * ```
 */
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
    // Nothing else is read.
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
 * Checks that offsets were created for an optimiser that needs a fact about each tensor (a share of its mask, a gain, a layer).
 *
 * @throws {TypeError} when they were created without the fact, or with that of another optimiser.
 *
 * @example An optimiser that needs gains
 * ```ts
 * import { assertTrainables, DeviceTensor, OffsetSet, trainableOf } from "@qzo/qzo/kernels";
 * import { qzoPlus, tensorId } from "@qzo/qzo/optim";
 * import { assertThrows } from "@std/assert";
 *
 * const norm = new DeviceTensor("output_norm.weight", { kind: "dense", type: "f32" }, 1, 64, 2 ** 27);
 * const offsets = new OffsetSet([trainableOf(norm, tensorId(norm.name), "relative", 1)], 2 ** 27);
 * assertThrows(() => assertTrainables(qzoPlus({ gainPower: 0.5 }), offsets), TypeError, "offsetsFor");
 * ```
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
 * Changes the offsets on the device by a preparation, given the values they tune. Call it before each step for which the preparation is due (see
 * {@linkcode dueBefore}). `finetune`, `finetuneByFunction` and replay do this.
 *
 * @param tensors The base model's tensors.
 *
 * @example The mask of one matrix
 * ```ts
 * import { DeviceTensor, OffsetSet, openGpu, prepareOffsets, trainableOf } from "@qzo/qzo/kernels";
 * import { dueBefore, preparationsOf, sparseMezo, tensorId } from "@qzo/qzo/optim";
 * import { quantize } from "@qzo/qzo/quant";
 *
 * const packed = quantize(Float32Array.from({ length: 4 * 32 }, (_, i) => i), 4, 32, "Q8_0");
 * using gpu = await openGpu();
 * using tensor = new DeviceTensor("w", packed.layout, 4, 32, gpu.maxBinding);
 * tensor.write(gpu, packed);
 * const trainables = [trainableOf(tensor, tensorId("w"), "relative", 32)];
 * using offsets = new OffsetSet(trainables, gpu.maxBinding).allocate(gpu);
 * const [mask] = dueBefore(preparationsOf(sparseMezo().plan), 0, 0);
 * await prepareOffsets(gpu, mask, offsets, new Map([["w", tensor]]));
 * ```
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
