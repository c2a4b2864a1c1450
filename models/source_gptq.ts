/**
 * Folders quantised with GPTQ or AWQ: linear layers as `NAME.qweight`, `.qzeros`, `.scales` and, for GPTQ, `.g_idx`. Modules
 * that were left alone are dense as ever.
 *
 * The files are input-major, so a tensor is read whole and turned into rows.
 *
 * @module
 */

import { awqToPacked } from "../quant/awq.ts";
import { gptqColumnOrder, gptqToPacked } from "../quant/gptq.ts";
import { groupsPerRow, type PackedTensor } from "../quant/layout.ts";
import { transposedLayout, type TransposedShape } from "../quant/transposed.ts";
import type { TensorSource } from "./source.ts";
import {
  FLOATS,
  formatOfLayout,
  halvesOf,
  linearLayers,
  oneOf,
  planeOf,
  wholeTensor,
  wordsOf,
} from "./stored_planes.ts";
import type {
  QuantizationMethod,
  QuantizedTensors,
  StoredTensors,
  WantedTensor,
} from "./stored_tensors.ts";
import { storedFloats } from "./stored_values.ts";

type Words = Int32Array<ArrayBuffer>;

/** `quant_method` "gptq": 2, 3, 4 or 8 bits in groups of 32, 64, 128 or per row, with columns in any order (`desc_act`). */
export const gptqTensors: QuantizationMethod = (settings, tensors, what) => {
  const bits = oneOf(settings, ["bits"], [2, 3, 4, 8], what);
  const group = oneOf(settings, ["group_size"], [32, 64, 128, -1], what);
  const form = settings.checkpoint_format ?? "gptq";
  if (form !== "gptq" && form !== "gptq_v2" || settings.is_marlin_format === true) {
    const found = form === "gptq" || form === "gptq_v2" ? "marlin" : form;
    throw new RangeError(
      `Cannot read "${what}": checkpoint_format ${
        JSON.stringify(found)
      } is not supported, known are "gptq", "gptq_v2"`,
    );
  }
  const version = form === "gptq" ? "v1" : "v2";
  return layersOf(tensors, {
    bits,
    group,
    reorders: true,
    codesShape: (rows, columns) => [columns * bits / 32, rows],
    unpack: (planes, shape) => gptqToPacked(planes, { ...shape, version }),
  });
};

/** `quant_method` "awq", version GEMM: 4 bits in groups of 32, 64, 128 or per row. */
export const awqTensors: QuantizationMethod = (settings, tensors, what) => {
  const bits = oneOf(settings, ["bits", "w_bit"], [4], what);
  const group = oneOf(settings, ["group_size", "q_group_size"], [32, 64, 128, -1], what);
  const version = settings.version ?? "gemm";
  if (typeof version !== "string" || version.toLowerCase() !== "gemm") {
    throw new RangeError(
      `Cannot read "${what}": version ${
        JSON.stringify(version)
      } of AWQ is not supported, only "gemm"`,
    );
  }
  return layersOf(tensors, {
    bits,
    group,
    reorders: false,
    codesShape: (rows, columns) => [columns, rows * bits / 32],
    unpack: awqToPacked,
  });
};

interface Dialect {
  /** Whether columns may be in any order. */
  readonly reorders: boolean;
  readonly bits: TransposedShape["bits"];
  readonly group: number;
  readonly codesShape: (rows: number, columns: number) => number[];
  readonly unpack: (
    planes: { qweight: Words; qzeros: Words; scales: Uint16Array; gIdx?: Words | undefined },
    shape: TransposedShape,
  ) => PackedTensor;
}

function layersOf(tensors: StoredTensors, dialect: Dialect): QuantizedTensors {
  const planes = [".qweight", ".qzeros", ".scales"];
  return linearLayers(tensors, planes, (wanted) => openLinear(tensors, dialect, wanted));
}

async function openLinear(
  tensors: StoredTensors,
  { bits, group, reorders, codesShape, unpack }: Dialect,
  wanted: WantedTensor,
): Promise<TensorSource> {
  const { stored, rows, columns } = wanted;
  const shape = { bits, group, rows, columns, name: stored };
  const layout = transposedLayout(shape);
  const format = formatOfLayout(layout, stored);
  const groups = groupsPerRow(layout, columns);
  const words = (suffix: string, expected: readonly number[]) =>
    planeOf(tensors, `${stored}.${suffix}`, ["I32"], expected);
  const qweight = words("qweight", codesShape(rows, columns));
  const qzeros = words("qzeros", [groups, rows * bits / 32]);
  const scales = planeOf(tensors, `${stored}.scales`, FLOATS, [groups, rows]);
  let gIdx: Words | undefined;
  let columnOrder: TensorSource["columnOrder"];
  if (reorders && tensors.has(`${stored}.g_idx`)) {
    gIdx = await wordsOf(words("g_idx", [columns]));
    columnOrder = gptqColumnOrder(gIdx, group, columns, stored);
  }
  const values = storedFloats(scales, (row, g) => g * rows + row);
  return wholeTensor(
    wanted,
    { format, columnOrder, stored: { scales: values } },
    async () =>
      unpack({
        qweight: await wordsOf(qweight),
        qzeros: await wordsOf(qzeros),
        scales: await halvesOf(scales),
        gIdx: columnOrder && gIdx,
      }, shape),
  );
}
