/**
 * Streams tensors from their files to the device.
 *
 * @module
 */

import type { DeviceTensor, Gpu } from "../../kernels/mod.ts";
import { PieceMemory } from "../../quant/piece_memory.ts";
import { isForCaller, piecesOf, type TensorSource } from "../checkpoints/checkpoint.ts";
import { asLoaded, type BaseHash } from "../checkpoints/fingerprint.ts";
import { assertFinite } from "../checkpoints/non_finite_weight.ts";
import { Uploads } from "./uploads.ts";

/**
 * Streams tensors to the device in pieces. Yields the name of each one when it is complete.
 *
 * @param sources Sources of the tensors, by name.
 */
export async function* loadTensors(
  gpu: Gpu,
  sources: ReadonlyMap<string, TensorSource>,
  tensors: Iterable<DeviceTensor>,
  { signal, hash }: {
    /** Aborts between two pieces. */
    readonly signal?: AbortSignal | undefined;
    /** Receives all loaded rows. */
    readonly hash?: Pick<BaseHash, "add" | "end"> | undefined;
  } = {},
): AsyncGenerator<string> {
  const uploads = new Uploads(gpu);
  const memory = new PieceMemory();
  const places = new Map([...tensors].map((tensor) => [sources.get(tensor.name)!, tensor]));
  const pieces = piecesOf(places.keys(), { signal, memory });
  for await (const { tensor: source, firstRow, packed: read, last } of pieces) {
    const tensor = places.get(source)!;
    const look = () => assertFinite(source, read, firstRow);
    const packed = asLoaded(read, tensor.layout);
    tensor.write(gpu, packed, firstRow);
    const bytes = packed.codes.byteLength + packed.scales.byteLength;
    if (hash) await hash.add(tensor.name, packed, { look, memory });
    else {
      look();
      if (packed === read && isForCaller(source)) memory.give(packed.codes);
    }
    await uploads.add(bytes);
    if (!last) continue;
    hash?.end(tensor.name);
    yield tensor.name;
  }
  uploads.submit();
}
