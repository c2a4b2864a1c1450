/**
 * Writes a model as a folder in this library's own form: safetensors in which packed tensors keep their formats.
 *
 * @module
 */

import { join } from "@std/path";
import { formatByName } from "../../../quant/formats/formats.ts";
import { decode } from "../../../quant/layouts/decode.ts";
import { packedToSafetensors, storedPlanes } from "../../../quant/files/packed_safetensors.ts";
import { planSafetensors, type SafetensorsTensorData } from "../../../quant/files/safetensors.ts";
import { quantize } from "../../../quant/quantisers/round_to_nearest.ts";
import type { Weight } from "../../architecture.ts";
import { architectureOf, weightsOf } from "../../architectures.ts";
import { type PlacedBytes, writeFileWhole } from "../disk/files.ts";
import { makeFolderOf } from "../disk/places.ts";
import { headsToReorder, reorderHeads } from "../head_order.ts";
import { type ModelSource, rowsPerPiece, type TensorSource } from "../checkpoint.ts";
import type { WriteOptions } from "../write_options.ts";
import { transposedBytes } from "./transposed.ts";
import { writeFolderWhole } from "../disk/write_together.ts";
import { templateFile } from "./source_tokenizer.ts";
import { isQuantised } from "../../../quant/layouts/layout.ts";

/** Contents of a folder. */
export interface OwnFolder {
  /** Tensors, whose bytes are read when they are written. */
  readonly tensors: readonly FolderTensor[];
  /** Contents of `config.json`. */
  readonly config: unknown;
  /** Contents of other files, by name. */
  readonly files: ReadonlyMap<string, string>;
  /** Information for the user, one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Plans a folder without reading a tensor.
 *
 * @throws {RangeError} when such a folder cannot express the model: columns in a different order, or divisors of rotary frequencies that no
 * `rope_scaling` produces.
 */
export function ownFolder(source: ModelSource): OwnFolder {
  const { tokenizerFiles } = source;
  const weights = new Map(weightsOf(source.config).map((weight) => [weight.name, weight]));
  const tensors = [...source.tensors.values()].map((tensor) =>
    storedTensor(tensor, weights.get(tensor.name))
  );
  const formats = Object.fromEntries(
    tensors.filter(({ tensor }) => isQuantised(tensor.format.layout))
      .map(({ name, tensor }) => [name, tensor.format.name]),
  );
  const files = new Map<string, string>();
  if (tokenizerFiles) {
    const { json, config: settings, chatTemplate, otherTemplates, specialTokens, addedTokens } =
      tokenizerFiles;
    files.set("tokenizer.json", asJson(json));
    if (settings !== undefined) files.set("tokenizer_config.json", asJson(settings));
    if (specialTokens !== undefined) files.set("special_tokens_map.json", asJson(specialTokens));
    if (addedTokens !== undefined) files.set("added_tokens.json", asJson(addedTokens));
    const ends = source.tokenizer?.ends ?? [];
    if (ends.length > 0) files.set("generation_config.json", asJson({ eos_token_id: [...ends] }));
    if (chatTemplate !== undefined) files.set("chat_template.jinja", chatTemplate);
    for (const [name, text] of otherTemplates ?? []) files.set(templateFile(name), text);
  }
  return {
    tensors,
    config: huggingFaceConfig(source, formats),
    files,
    notes: tokenizerFiles
      ? tokenizerFiles.mergeOrder === undefined ? [] : [
        "Some tokens of the file have equal scores, and of these the leftmost in a text is merged first. A folder cannot represent that, so some words may be tokenised differently there.",
      ]
      : [
        `The folder has no tokenizer, because "${source.name}" has none: put a tokenizer.json into it before using it with text.`,
      ],
  };
}

/** Writes a planned folder as a whole. In an existing folder, `config.json` is replaced last, because a folder that has one is a complete model. */
export async function writeOwnFolder(
  plan: OwnFolder,
  folder: string,
  options: WriteOptions = {},
): Promise<void> {
  await writeFolderWhole(folder, "config.json", async (folder) => {
    await writeFileWhole(join(folder, "model.safetensors"), weightsFile(plan.tensors, options));
    for (const [name, text] of plan.files) {
      await makeFolderOf(join(folder, name));
      await writeFileWhole(join(folder, name), [new TextEncoder().encode(text)]);
    }
    const config = new TextEncoder().encode(asJson(plan.config));
    await writeFileWhole(join(folder, "config.json"), [config]);
  });
}

function asJson(value: unknown): string {
  return JSON.stringify(value, null, 2) + "\n";
}

/** A tensor in the form in which this library's folders store it. */
export interface FolderTensor {
  readonly tensor: TensorSource;
  /** Name in the folder. */
  readonly name: string;
  /** Name, dtype and shape of the planes. */
  readonly planes: readonly Omit<SafetensorsTensorData, "bytes">[];
  /** Bytes of the planes, by name. The pieces of a plane are in order. */
  readonly pieces: () => AsyncIterable<{ readonly name: string; readonly bytes: Uint8Array }>;
}

/** The bytes of `model.safetensors`, tensor by tensor. The planes of a tensor are not adjacent in the file. */
async function* weightsFile(
  tensors: readonly FolderTensor[],
  { onProgress, signal }: WriteOptions,
): AsyncGenerator<PlacedBytes> {
  const { header, places } = planSafetensors(tensors.flatMap((it) => it.planes), { format: "pt" });
  yield { offset: 0, bytes: header };
  for (const [i, { tensor, planes, pieces }] of tensors.entries()) {
    signal?.throwIfAborted();
    const written = new Map(planes.map(({ name }) => [name, 0]));
    for await (const { name, bytes } of pieces()) {
      const before = written.get(name)!;
      yield { offset: places.get(name)!.offset + before, bytes };
      written.set(name, before + bytes.length);
    }
    for (const [name, length] of written) {
      const { byteLength } = places.get(name)!;
      if (length !== byteLength) {
        throw new TypeError(
          `Cannot write tensor "${name}": ${length} bytes, its shape needs ${byteLength}`,
        );
      }
    }
    onProgress?.({ tensor: tensor.name, done: i + 1, total: tensors.length });
  }
}

function storedTensor(tensor: TensorSource, weight: Weight | undefined): FolderTensor {
  const { format, rows, columns, columnOrder } = tensor;
  if (columnOrder) {
    throw new RangeError(
      `Cannot write tensor "${tensor.name}": its columns are reordered, which only a copy of its original folder can represent`,
    );
  }
  if (!weight) {
    throw new RangeError(
      `Cannot write tensor "${tensor.name}" into a folder: the architecture has no name for it`,
    );
  }
  const name = weight.huggingFace;
  if (weight.fromOne) return storedFromOne(tensor, name);
  const heads = headsToReorder(weight, false);
  const dense = !isQuantised(format.layout);
  const transposed = dense && weight.transposed === true;
  const step = dense && heads === 0 && !transposed ? rowsPerPiece(tensor) : rows;
  const planes = storedPlanes(name, format.layout, rows, columns);
  const shape = rows === 1 ? [columns] : transposed ? [columns, rows] : [rows, columns];
  return {
    tensor,
    name,
    planes: dense ? planes.map((it) => ({ ...it, shape })) : planes,
    pieces: async function* () {
      for (let first = 0; first < rows; first += step) {
        const packed = await tensor.read(first, Math.min(step, rows - first));
        const ordered = heads > 0 ? reorderHeads(packed, heads, false) : packed;
        for (const plane of packedToSafetensors(name, ordered)) {
          const width = plane.dtype === "F32" ? 4 : 2;
          yield transposed
            ? { ...plane, bytes: transposedBytes(plane.bytes, rows, columns, width) }
            : plane;
        }
      }
    },
  };
}

/** A gain as its distance from 1, in F32, which is lossless for gains from 1/2 up. */
function storedFromOne(tensor: TensorSource, name: string): FolderTensor {
  const { rows, columns } = tensor;
  const layout = formatByName("F32").layout;
  return {
    tensor,
    name,
    planes: storedPlanes(name, layout, rows, columns).map((it) => ({ ...it, shape: [columns] })),
    pieces: async function* () {
      const gains = decode(await tensor.read(0, rows));
      yield* packedToSafetensors(name, quantize(gains.map((it) => it - 1), rows, columns, "F32"));
    },
  };
}

function huggingFaceConfig(
  { config, ropeFactors, tokenizer }: ModelSource,
  formats: Record<string, string>,
): unknown {
  return {
    ...architectureOf(config).huggingFace.write(config, ropeFactors),
    // Without these, transformers uses the defaults of its class.
    bos_token_id: tokenizer?.bos ?? null,
    eos_token_id: tokenizer?.eos ?? null,
    ...(Object.keys(formats).length > 0
      ? { quantization_config: { quant_method: "qzo", formats } }
      : {}),
  };
}
