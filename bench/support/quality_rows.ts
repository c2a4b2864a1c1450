/**
 * The measurements of `deno task bench quality`: formats, methods, and their order.
 *
 * @module
 */
import type { ModelSource } from "../../mod.ts";
import { architectureOf } from "../../models/architectures.ts";
import { QUANTIZE_METHODS } from "../../models/inference/calibration/methods.ts";
import {
  bitsPerWeight,
  chooseFormat,
  type Format,
  formatByName,
  FORMATS,
} from "../../quant/mod.ts";
import { sameLayout } from "../../quant/layouts/planes.ts";

/** A model quantised to a format by a method. */
export interface Row {
  readonly model: string;
  readonly format: string;
  readonly method: string;
}

/** Name of a row: `model format method`. */
export function rowName({ model, format, method }: Row): string {
  return `${model} ${format} ${method}`;
}

/** This library's own formats. Those with the layout of a GGUF type (int4_g32 of Q4_0, int8_g32 of Q8_0) are measured under that name. */
const OWN = [
  ...["int2_g32", "int2_g128", "int2z_g128", "int3_g32", "int3_g128", "int3z_g128"],
  ...["int4_g32", "int4_g128", "int4z_g128", "int4m_g32", "int8_g32", "int8_g128"],
  ...["nf4_g64", "fp4_g64", "codebook1x8", "codebook2x8", "codebook3x8", "codebook4x8"],
];

/** Formats that others are compared with. They are measured, and tuned with QZO, before the rest. */
export const COMPARED: readonly string[] = [
  ...["Q4_0", "Q4_K", "int4_g128", "int3_g128", "int2_g32", "nf4_g64", "codebook2x8"],
];

/** Maximum bits per weight. Above it, a model is too small for its codebooks. */
const MOST_BITS = 9;

/** All formats to measure, each with a different layout. */
export function qualityFormats(): Format[] {
  const quantised = FORMATS.filter(({ gguf, layout }) => gguf && layout.kind !== "dense");
  const distinct: Format[] = [];
  for (const format of [...quantised, ...OWN.map(formatByName)]) {
    if (!distinct.some(({ layout }) => sameLayout(layout, format.layout))) distinct.push(format);
  }
  return distinct;
}

/** Bits per weight of all quantised matrices, including scales and codebooks. Undefined if less than half of the matrices get this format. */
export function bitsOfModel({ config }: ModelSource, format: Format): number | undefined {
  let [bits, weights, held] = [0, 0, 0];
  const matrices = architectureOf(config).weights(config).filter(({ role }) => role === "matrix");
  for (const { name, rows, columns } of matrices) {
    const chosen = formatByName(chooseFormat({ name, kind: "matrix", columns }, format.name));
    if (chosen.layout.kind === "dense") continue;
    bits += bitsPerWeight(chosen, rows, columns) * rows * columns;
    weights += rows * columns;
    if (chosen.name === format.name) held++;
  }
  return 2 * held >= matrices.length ? bits / weights : undefined;
}

/** The rows of a model: every format that it can have, with every method for it. */
export function rowsOf(model: string, source: ModelSource): Row[] {
  return qualityFormats()
    .filter((format) => (bitsOfModel(source, format) ?? Infinity) <= MOST_BITS)
    .flatMap((format) =>
      QUANTIZE_METHODS.filter(({ applies }) => applies(format))
        .map(({ name: method }) => ({ model, format: format.name, method }))
    );
}

/**
 * The rank of a row. Lower ranks are measured first, and tuning comes between 1 and 2. Rank 0 has the compared methods for the compared formats, rank
 * 1 the other methods for them, because tuning uses the best one. Ranks 2 and 3 are the same for the other formats.
 */
export function rankOf({ format, method }: Row): number {
  const compared = ["rtn", "gptq", "codebook"].includes(method);
  return (COMPARED.includes(format) ? 0 : 2) + (compared ? 0 : 1);
}
