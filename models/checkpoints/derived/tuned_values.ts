/**
 * A fine-tune as a small file that holds only the folded scales, to be applied to the base model they were trained on.
 *
 * It is a safetensors file. For a quantised tensor `NAME` it contains the plane `NAME.scales` (including minima) and, if it was trained,
 * `NAME.codebook`, as this library's folders store them. For a dense tensor it contains the tensor itself. The metadata identifies the base
 * model by its fingerprint.
 *
 * @module
 */

import {
  packedFromSafetensors,
  packedToSafetensors,
  type StoredPlane,
  trainedPlane,
} from "../../../quant/files/packed_safetensors.ts";
import { partOf, secondPart, type TrainedPart } from "../../../quant/layouts/trained_part.ts";
import {
  readSafetensors,
  type SafetensorsTensorData,
  writeSafetensors,
} from "../../../quant/files/safetensors.ts";
import { openFile, writeFileWhole } from "../disk/files.ts";
import { fingerprint, olderFingerprint } from "../fingerprint.ts";
import { type ModelSource, rowsPerPiece, type TensorSource } from "../checkpoint.ts";
import { foldedSource } from "./folded.ts";
import type { FoldCounts, TrainedTensor } from "../stored_values.ts";
import type { FoldWriteOptions } from "../write_options.ts";
import { isQuantised } from "../../../quant/layouts/layout.ts";
import { isOlderFingerprint, OLDER_FINGERPRINT } from "../../../optim/ledger/older_fingerprint.ts";

const FORMAT = "qzo-adapter-1";

/**
 * Writes the scales of `source` after folding in `trained` to `path`, and nothing else of the model.
 *
 * @returns The number of stored values that changed, and of offsets lost to rounding.
 * @throws {RangeError} when offsets do not fit the model, or tuned numbers are outside the range of their stored type (see `beyond`).
 *
 * @example One matrix whose scales grow by a tenth
 * ```ts
 * import { openModelSource, quantizedSource, writeAdapter } from "@qzo/qzo/models";
 * import { assert } from "@std/assert";
 *
 * using source = quantizedSource(await openModelSource("demo/model.gguf"), { format: "Q4_0" });
 * const trained = { form: "relative", span: 32, offsets: new Float32Array(4 * 128).fill(0.1) } as const;
 * const path = await Deno.makeTempFile({ suffix: ".safetensors" });
 * const { changed } = await writeAdapter(source, new Map([["blk.0.attn_q.weight", trained]]), path);
 * assert(changed > 500);
 * await Deno.remove(path);
 * ```
 */
export async function writeAdapter(
  source: ModelSource,
  trained: ReadonlyMap<string, TrainedTensor>,
  path: string,
  { signal, beyond = "refuse" }: Pick<FoldWriteOptions, "signal" | "beyond"> = {},
): Promise<FoldCounts> {
  const folded = foldedSource(source, trained, { beyond });
  // Minima and scales share a plane.
  const planes = new Map([...trained.keys()].map((name) => {
    const { tensor, part } = partOf(name);
    const plane = planeOf(folded.tensors.get(tensor)!, part);
    return [plane.name, { tensor: folded.tensors.get(tensor)!, plane }];
  }));
  const tensors = [...planes.values()].map(({ tensor, plane }): SafetensorsTensorData => {
    const { dtype, shape, name: stored } = plane;
    return {
      name: stored,
      dtype,
      shape,
      bytes: async function* () {
        const step = rowsPerPiece(tensor);
        // Every piece of rows comes with the whole codebook.
        const rows = plane.plane === "codebook" ? Math.min(step, tensor.rows) : tensor.rows;
        for (let first = 0; first < rows; first += step) {
          signal?.throwIfAborted();
          const packed = await tensor.read(first, Math.min(step, rows - first));
          yield packedToSafetensors(tensor.name, packed).find((it) => it.name === stored)!.bytes;
        }
      },
    };
  });
  const metadata = { format: FORMAT, base: await fingerprint(source, { signal }) };
  await writeFileWhole(path, writeSafetensors(tensors, metadata));
  return folded.counts;
}

/**
 * The model with the fine-tune at `path` applied to it. Disposing the result closes the file, but not `base`.
 *
 * @throws {SyntaxError} when the file is not a safetensors file.
 * @throws {RangeError} when it is not a fine-tune, or belongs to another base model.
 * @throws {TypeError} when the base has no tensor of that name, or one of another shape or type.
 */
export async function adaptedSource(base: ModelSource, path: string): Promise<ModelSource> {
  using stack = new DisposableStack();
  const bytes = stack.use(await openFile(path, "adapter"));
  const file = await readSafetensors(bytes);
  if (file.metadata.get("format") !== FORMAT) {
    throw new RangeError(
      `Cannot read "${path}": its format is "${file.metadata.get("format")}", not ${FORMAT}`,
    );
  }
  const made = String(file.metadata.get("base"));
  const own = isOlderFingerprint(made) ? await olderFingerprint(base) : await fingerprint(base);
  if (made !== own) {
    throw new RangeError(
      `Cannot apply "${path}" to "${base.name}": that is not the base this adapter was made with. It was trained on a base with fingerprint ${made}, but this one has ${own}`,
    );
  }
  const notes = isOlderFingerprint(made)
    ? [...base.notes ?? [], `"${path}": ${OLDER_FINGERPRINT}`]
    : base.notes;
  const left = new Set(file.tensors.keys());
  const tensors = new Map(base.tensors);
  for (const tensor of base.tensors.values()) {
    const { name, rows, columns, format, read } = tensor;
    const second = secondPart(format.layout);
    const planes = [planeOf(tensor), ...second === "codebook" ? [planeOf(tensor, second)] : []]
      .filter((plane) => left.delete(plane.name)).map(({ plane }) => plane);
    if (planes.length === 0) continue;
    const stored = { name, format: format.name, rows, columns };
    const trainedRows = (firstRow: number, rows: number) =>
      packedFromSafetensors(bytes, file, stored, { firstRow, rows }, { planes });
    // Dtype and shape are checked now rather than when the model is half loaded.
    await trainedRows(0, 0);
    tensors.set(name, {
      ...tensor,
      stored: undefined,
      patches: undefined,
      read: async (firstRow, rows) => {
        const trained = await trainedRows(firstRow, rows);
        if (!isQuantised(format.layout)) return trained;
        const tuned = Object.fromEntries(planes.map((plane) => [plane, trained[plane]]));
        return { ...await read(firstRow, rows), ...tuned };
      },
    });
  }
  if (left.size > 0) {
    throw new TypeError(`Cannot apply "${path}" to "${base.name}": it has no "${[...left][0]}"`);
  }
  const owned = stack.move();
  return {
    ...base,
    tensors,
    gguf: undefined,
    split: undefined,
    folder: undefined,
    notes,
    [Symbol.dispose]: () => owned.dispose(),
  };
}

function planeOf(
  { name, format, rows, columns }: TensorSource,
  part: TrainedPart = "scales",
): StoredPlane {
  return trainedPlane(name, format.layout, rows, columns, part);
}
