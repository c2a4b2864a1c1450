/**
 * Writes a language-modelling case of bench/finetune.ts as plain arrays, for an implementation that shares no code with this library: integer codes
 * and f32 scales from the library's own quantiser, dense tensors, windows of tokens, and the order in which the library uses them.
 *
 * @module
 */

import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { type Example, openModelSource, quantizedSource } from "../../mod.ts";
import type { Tokenizer } from "../../models/mod.ts";
import { fillNoise, masterSeed, stepSeed, tensorId } from "../../optim/mod.ts";
import { decode, type PackedTensor, readScales } from "../../quant/mod.ts";
import { codeAt } from "../../quant/layouts/decode.ts";
import { groupColumns } from "../../quant/layouts/layout.ts";
import { trainingOrder } from "../../train/steps/step_order.ts";
import { DATA, type Split, type TextCase, TEXTS, windows } from "../finetune.ts";

const HELP = `Writes a case of "deno task bench finetune" for qzo_torch.py.

Usage: deno run -A bench/reference/export_case.ts FOLDER [options]

  --case NAME      stories (default), whole (stories cut one by one) or reviews
  --format NAME    of the matrices: any with codes, a scale per group and no zero points (default int4_g32)
  --seeds N        batches of seeds 0 to N-1 (default 3)
  --steps N        batches of how many steps (default 320)
  --noise          the library's noise of these seeds and steps too, for qzo_torch.py --given-noise

Example: deno run -A bench/reference/export_case.ts /tmp/stories`;

interface Case extends TextCase {
  readonly model: string;
  readonly batchSize: number;
}

const CASES: Readonly<Record<string, Case>> = {
  stories: { ...TEXTS.stories, model: "tinystories-656k", batchSize: 8 },
  whole: { ...TEXTS.whole, model: "tinystories-656k", batchSize: 8 },
  reviews: { ...TEXTS.reviews, model: "reviews-4m", batchSize: 4 },
};

function caseOf(name: string): Case {
  if (Object.hasOwn(CASES, name)) return CASES[name];
  throw new RangeError(
    `Cannot export case "${name}": expected one of ${Object.keys(CASES).join(", ")}`,
  );
}

/** Position of an array, for the manifest. Arrays are little endian and row-major. */
export interface StoredArray {
  readonly file: string;
  readonly type: "i8" | "i32" | "f32";
  readonly shape: readonly number[];
}

type Elements = Int8Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** Writes one array of a case. */
export async function store(
  folder: string,
  name: string,
  elements: Elements,
  shape: readonly number[],
): Promise<StoredArray> {
  const file = `${name}.bin`;
  if (elements.length !== shape.reduce((a, b) => a * b)) {
    throw new TypeError(`Cannot write "${file}": ${elements.length} elements as ${shape}`);
  }
  await Deno.writeFile(join(folder, file), new Uint8Array(elements.buffer));
  const type = elements instanceof Int8Array
    ? "i8"
    : elements instanceof Int32Array
    ? "i32"
    : "f32";
  return { file, type, shape };
}

/** Codes minus their centre, so that a weight is `code * scale`. */
function centredCodes(t: PackedTensor): Int8Array<ArrayBuffer> {
  if (t.layout.kind !== "scalar" || t.layout.second !== "none" || t.layout.bits === 8) {
    throw new TypeError(
      `Cannot export ${JSON.stringify(t.layout)}: not codes of up to 4 bits around a fixed centre`,
    );
  }
  const { center } = t.layout;
  return Int8Array.from(
    { length: t.rows * t.columns },
    (_, i) => codeAt(t, Math.floor(i / t.columns), i % t.columns) - center,
  );
}

/** Checks the export: throws unless `codes * scales` equals what the library reads from the tensor. */
function assertSame(
  t: PackedTensor,
  codes: Int8Array,
  scales: Float32Array,
  name: string,
): void {
  const group = groupColumns(t.layout, t.columns);
  const groups = Math.ceil(t.columns / group);
  decode(t).forEach((value, i) => {
    const row = Math.floor(i / t.columns);
    const exported = codes[i] * scales[row * groups + Math.floor(i % t.columns / group)];
    if (exported !== value) {
      throw new RangeError(`Cannot export "${name}": element ${i} is ${value}, not ${exported}`);
    }
  });
}

/** The properties of a tensor that determine its noise. */
interface NoiseShape {
  readonly name: string;
  readonly rows: number;
  /** Number of groups per row, or of columns. */
  readonly width: number;
}

/** The library's noise for a run, row-major. Elements are doubled to make them integers. */
function noiseOf(tensors: readonly NoiseShape[], seed: number, steps: number, dense: boolean) {
  const size = tensors.reduce((sum, { rows, width }) => sum + rows * width, 0);
  const out = new Int8Array(steps * size);
  let at = 0;
  for (let step = 0; step < steps; step++) {
    for (const { name, rows, width } of tensors) {
      // Scales are stored as [group][row], with rows padded to a multiple of 4.
      const stride = dense ? width : Math.ceil(rows / 4) * 4;
      const z = new Float32Array(dense ? rows * width : stride * width);
      fillNoise("normal", stepSeed(masterSeed(seed), step, 0), tensorId(name), 0, z);
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < width; i++) {
          out[at++] = 2 * (dense ? z[row * stride + i] : z[i * stride + row]);
        }
      }
    }
  }
  return out;
}

/** The windows of a case. */
export async function windowsOfCase(name: string, tokenizer: Tokenizer): Promise<Split> {
  return await windows(caseOf(name), tokenizer);
}

/** Exports the codes and scales of a packed tensor, or the numbers of a dense one. */
export async function exportTensor(
  folder: string,
  name: string,
  packed: PackedTensor,
): Promise<Readonly<Record<"dense", StoredArray> | Record<"codes" | "scales", StoredArray>>> {
  const { rows, columns } = packed;
  if (packed.layout.kind === "dense") {
    return { dense: await store(folder, name, decode(packed), [rows, columns]) };
  }
  const codes = centredCodes(packed);
  const scales = readScales(packed);
  assertSame(packed, codes, scales, name);
  return {
    codes: await store(folder, `${name}.codes`, codes, [rows, columns]),
    scales: await store(folder, `${name}.scales`, scales, [rows, scales.length / rows]),
  };
}

/** Writes the folder that `HELP` describes. */
export async function main(argv: string[]): Promise<void> {
  const args = parseArgs(argv, {
    string: ["case", "format", "seeds", "steps"],
    boolean: ["help", "noise"],
    default: { case: "stories", format: "int4_g32", seeds: "3", steps: "320" },
  });
  const [folder] = args._.map(String);
  if (args.help || folder === undefined) return console.log(HELP);
  const c = caseOf(args.case);
  if (!await Deno.stat(DATA).then(() => true, () => false)) {
    return console.log(`Skipped, because the real models and data are not in ${DATA}`);
  }
  await Deno.mkdir(folder, { recursive: true });
  using original = await openModelSource(join(DATA, "models", c.model));
  const source = quantizedSource(original, { format: args.format });

  const tensors = [];
  const shapes: { scales: NoiseShape; elements: NoiseShape }[] = [];
  for (const [name, tensor] of source.tensors) {
    const { rows, columns } = tensor;
    const packed = await tensor.read(0, rows);
    const unrounded = decode(await original.tensors.get(name)!.read(0, rows));
    const stored = await exportTensor(folder, name, packed);
    if ("dense" in stored) {
      tensors.push({ name, ...stored });
      continue;
    }
    shapes.push({
      scales: { name, rows, width: stored.scales.shape[1] },
      elements: { name, rows, width: columns },
    });
    tensors.push({
      name,
      ...stored,
      original: await store(folder, `${name}.original`, unrounded, [rows, columns]),
    });
  }

  const { train, heldOut } = await windowsOfCase(args.case, source.tokenizer!);
  const storeTokens = (name: string, examples: readonly Example[]) =>
    store(folder, name, Int32Array.from(examples.flatMap((e) => e.candidates[0])), [
      examples.length,
      c.length,
    ]);
  const batches: Record<string, number[][]> = {};
  for (let seed = 0; seed < Number(args.seeds); seed++) {
    const order = trainingOrder(train, { batchSize: c.batchSize, seed });
    batches[seed] = Array.from({ length: Number(args.steps) }, (_, step) => order.batch(step));
  }
  const noise: Record<string, Record<string, StoredArray>> = { qzo: {}, mezo: {} };
  for (let seed = 0; args.noise && seed < Number(args.seeds); seed++) {
    for (const [method, key] of [["qzo", "scales"], ["mezo", "elements"]] as const) {
      const values = noiseOf(
        shapes.map((s) => s[key]),
        seed,
        Number(args.steps),
        method === "mezo",
      );
      const shape = [values.length];
      noise[method][seed] = await store(folder, `noise.${method}.${seed}`, values, shape);
    }
  }
  const manifest = {
    case: args.case,
    model: c.model,
    format: args.format,
    config: source.config,
    tensors,
    train: await storeTokens("train", train),
    heldOut: await storeTokens("held_out", heldOut),
    batches,
    ...(args.noise ? { noise } : {}),
  };
  await Deno.writeTextFile(join(folder, "manifest.json"), JSON.stringify(manifest));
  const scales = tensors.reduce(
    (sum, t) => sum + ("dense" in t ? 0 : t.scales.shape.reduce((a, b) => a * b)),
    0,
  );
  console.log(
    `${folder}: ${tensors.length} tensors, ${scales} scales, ${train.length} training and ${heldOut.length} ` +
      `held-out windows of ${c.length} tokens, batches of ${args.seeds} seeds, ${args.steps} steps each`,
  );
}

if (import.meta.main) await main(Deno.args);
