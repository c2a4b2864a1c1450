/**
 * Small Llama folders whose linear layers are quantised by a method, and what must hold of every method's: they decode as written
 * (checked by the caller), and go back into their own files with scale bytes changed and nothing else.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  type ModelSource,
  openModelSource,
  type TrainedTensor,
  writeModel,
} from "../../models/mod.ts";
import { foldedSource } from "../../models/checkpoints/derived/folded.ts";
import {
  offsetCount,
  type PackedTensor,
  partName,
  readScales,
  type SafetensorsDtype,
  type SafetensorsTensorData,
  writeSafetensors,
} from "../../quant/mod.ts";
import { readSeconds } from "../../quant/layouts/decode.ts";
import { groupColumns } from "../../quant/layouts/layout.ts";
import { secondPart } from "../../quant/layouts/trained_part.ts";
import { huggingFaceName, type LlamaShape } from "../reference/llama.ts";
import { randomLlama, randomNumbers } from "../support/random_llama.ts";
import { huggingFaceConfig, tensorShape } from "./small_model.ts";

/** 128 and 160 columns: groups of 32 are whole everywhere, of 64 and 128 partial or wider than a row somewhere. */
export const folderShape: LlamaShape = {
  hidden: 128,
  layers: 1,
  feedForward: 160,
  heads: 4,
  kvHeads: 2,
  vocabulary: 290,
  epsilon: 1e-5,
  ropeBase: 10000,
  rope: "neox",
};

/** The same with 256 columns in down_proj, for methods whose groups must be whole. */
export const wholeGroups: LlamaShape = { ...folderShape, feedForward: 256 };

/** The stored tensors of one linear layer, and what they decode to. */
export interface StoredLinear {
  readonly tensors: readonly SafetensorsTensorData[];
  readonly weights: Float32Array;
}

/** One tensor to write. */
export function tensorData(
  name: string,
  dtype: SafetensorsDtype,
  shape: readonly number[],
  data: { readonly buffer: ArrayBuffer },
): SafetensorsTensorData {
  return { name, dtype, shape, bytes: new Uint8Array(data.buffer) };
}

/** The Hugging Face name of a tensor. */
export const storedName: (name: string) => string = huggingFaceName;

/** Whether a tensor is a linear layer of a block. */
export const isLinear = (stored: string): boolean => /layers\..*_proj\.weight$/.test(stored);

/** A random model with every linear layer of a block, and what `also` names, but not what `dense` names, stored by `linear`. */
export function quantisedTensors(
  shape: LlamaShape,
  linear: (module: string, rows: number, columns: number, seed: number) => StoredLinear,
  dense: RegExp = /^$/,
  also: RegExp = /^$/,
): { tensors: SafetensorsTensorData[]; weights: Record<string, Float32Array> } {
  const tensors: SafetensorsTensorData[] = [];
  const weights: Record<string, Float32Array> = {};
  for (const [name, values] of Object.entries(randomLlama(shape))) {
    const dimensions = tensorShape(shape, name, values.length);
    if (!(isLinear(name) || also.test(name)) || dense.test(name)) {
      weights[name] = values;
      tensors.push(tensorData(name, "F32", dimensions, values));
      continue;
    }
    const [rows, columns] = dimensions;
    const stored = linear(name.slice(0, -".weight".length), rows, columns, tensors.length);
    weights[name] = stored.weights;
    tensors.push(...stored.tensors);
  }
  return { tensors, weights };
}

/** Writes `config.json` and `model.safetensors`. */
export async function writeFolder(
  folder: string,
  shape: LlamaShape,
  tensors: readonly SafetensorsTensorData[],
  config: Record<string, unknown>,
): Promise<void> {
  const json = { ...huggingFaceConfig(shape, false), ...config };
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(json));
  const stream = ReadableStream.from(writeSafetensors(tensors));
  await Deno.writeFile(join(folder, "model.safetensors"), stream);
}

/** A temporary folder for the time of `body`. */
export async function withTemp(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A folder with files for the time of a test. */
export async function withFiles(
  files: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  await withTemp(async (folder) => {
    for (const [name, content] of Object.entries(files)) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(join(folder, name), bytes);
    }
    await body(folder);
  });
}

/** Which parts of a tensor are trained: its scales, or what it has besides them. */
export type TrainedParts = readonly ("scales" | "second")[];

/**
 * Random relative offsets of all quantised tensors, one per group (of single columns: per 32) or entry of a codebook, up to half of
 * `amplitude` either way.
 */
export function randomOffsets(
  source: ModelSource,
  amplitude = 1,
  parts: TrainedParts = ["scales"],
): Map<string, TrainedTensor> {
  const next = randomNumbers(11);
  const trained = new Map<string, TrainedTensor>();
  for (const [name, { format: { layout }, rows, columns }] of source.tensors) {
    if (layout.kind === "dense") continue;
    for (const which of parts) {
      const part = which === "scales" ? which : secondPart(layout)!;
      const span = layout.kind === "column" ? 32 : groupColumns(layout, columns);
      const offsets = new Float32Array(offsetCount(layout, rows, columns, span, part));
      for (let i = 0; i < offsets.length; i++) {
        offsets[i] = next() < 0.2 ? 0 : amplitude * (next() - 0.5);
      }
      trained.set(partName(name, part), {
        form: "relative",
        span: part === "codebook" ? 1 : span,
        offsets,
      });
    }
  }
  return trained;
}

/**
 * Checks that the folder is written back byte for byte when nothing is trained, and that trained offsets change bytes of the
 * tensors that `scales` names only, and come back as the folded values, rounded at most by `tolerance`. `parts` says what is trained.
 */
export async function checkWrittenBack(
  folder: string,
  scales: RegExp,
  { tolerance = 0, amplitude = 1, files = ["model.safetensors"], parts = ["scales"] }: {
    readonly tolerance?: number;
    readonly amplitude?: number;
    readonly files?: readonly string[];
    readonly parts?: TrainedParts;
  } = {},
): Promise<void> {
  using source = await openModelSource(folder);
  await withTemp(async (out) => {
    const same = join(out, "same");
    await writeModel(source, same);
    assertEquals(await contents(same), await contents(folder));

    const trained = randomOffsets(source, amplitude, parts);
    assert(trained.size > 0);
    const folded = foldedSource(source, trained);
    const path = join(out, "tuned");
    await writeModel(folded, path);
    assert(folded.counts.changed > 0);
    const [before, after] = [await contents(folder), await contents(path)];
    for (const name of files) {
      assertEquals(otherBytes(after.get(name)!, scales), otherBytes(before.get(name)!, scales));
      after.delete(name);
      before.delete(name);
    }
    assertEquals(after, before);

    using tuned = await openModelSource(path);
    for (const [name, tensor] of tuned.tensors) {
      const found = await tensor.read(0, tensor.rows);
      const expected = await folded.tensors.get(name)!.read(0, tensor.rows);
      assertEquals(found.codes, expected.codes, name);
      if (tolerance === 0) assertEquals(found, expected, name);
      for (const values of [readScales, readSeconds, entriesOf]) {
        const wanted = values(expected);
        values(found).forEach((value, i) => {
          const off = Math.abs(value - wanted[i]);
          assert(off <= tolerance * Math.abs(wanted[i]), `${name}: ${value}, not ${wanted[i]}`);
        });
      }
    }
  });
}

/** The entries of a codebook. */
function entriesOf({ layout, codebook }: PackedTensor): Float32Array {
  if (layout.kind !== "codebook") return new Float32Array(0);
  return Float32Array.from(new Float16Array(codebook.buffer));
}

async function contents(folder: string): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile) files.set(name, await Deno.readFile(join(folder, name)));
  }
  return files;
}

/** A safetensors file with the bytes of some tensors blanked, read without the library. */
function otherBytes(bytes: Uint8Array<ArrayBuffer>, blank: RegExp): Uint8Array {
  const copy = bytes.slice();
  const start = 8 + new DataView(bytes.buffer).getUint32(0, true);
  const header: Record<string, { data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, start)),
  );
  let blanked = 0;
  for (const [name, { data_offsets }] of Object.entries(header)) {
    if (!blank.test(name)) continue;
    copy.fill(0, start + data_offsets[0], start + data_offsets[1]);
    blanked++;
  }
  assert(blanked > 0 && blanked < Object.keys(header).length);
  return copy;
}
