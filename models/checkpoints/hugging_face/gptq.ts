/**
 * Folders quantised with GPTQ or AWQ: linear layers are stored as `NAME.qweight`, `.qzeros`, `.scales` and, for GPTQ, `.g_idx`. Modules that were not
 * quantised are stored as dense tensors.
 *
 * The files are input-major, so a tensor is read as a whole and transposed into rows.
 *
 * @module
 */

import { awqToPacked } from "../../../quant/packings/awq.ts";
import { gptqColumnOrder, gptqToPacked } from "../../../quant/packings/gptq.ts";
import { groupsPerRow, type PackedTensor } from "../../../quant/layouts/layout.ts";
import { transposedLayout, type TransposedShape } from "../../../quant/packings/transposed.ts";
import { type Fields, shown } from "../../config/config_keys.ts";
import { type GptqVersion, shownVersion } from "./gptq_zeros.ts";
import { settingsByModule } from "./module_rules.ts";
import { DYNAMIC_KEYS } from "./quantization_keys.ts";
import type { TensorSource } from "../checkpoint.ts";
import {
  FLOATS,
  formatOfLayout,
  halvesOf,
  linearLayers,
  oneOf,
  type Plane,
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
import { storedFloats } from "../stored_values.ts";

type Words = Int32Array<ArrayBuffer>;

const BITS = [2, 3, 4, 8] as const;
const GROUPS = [32, 64, 128, -1] as const;

/**
 * `quant_method` "gptq": 2, 3, 4 or 8 bits in groups of 32, 64, 128 or per row, with columns in any order (`desc_act`). `dynamic` may change this for
 * single modules. The convention for zero points of symmetric tensors is taken from their values, whatever `checkpoint_format` says.
 */
export const gptqTensors: QuantizationMethod = (settings, tensors, what) => {
  const version = versionOf(settings, what);
  const of = settingsByModule(settings, DYNAMIC_KEYS, what);
  const told = { v1: 0, v2: 0, asymmetric: 0 };
  const layers = layersOf(tensors, (stored) => {
    const { settings: own, rule } = of(stored);
    const where = rule === undefined ? what : `${what}": "${rule}`;
    const bits = oneOf(own, ["bits"], BITS, where);
    const symmetric = own.sym === undefined || own.sym === true;
    return {
      bits,
      group: oneOf(own, ["group_size"], GROUPS, where),
      order: own.desc_act === true ? "given" : "any",
      codesShape: (rows, columns) => [columns * bits / 32, rows],
      unpacker: async (qzeros) => {
        const shown = symmetric
          ? shownVersion(await wordsOf(qzeros), {
            bits,
            tensor: stored,
            declared: own.sym === true,
          })
          : undefined;
        if (shown !== undefined && shown !== version) told[shown]++;
        if (shown === undefined && own.sym === true) told.asymmetric++;
        return (planes, shape) => gptqToPacked(planes, { ...shape, version: shown ?? version });
      },
    };
  });
  oneOf(settings, ["bits"], BITS, what);
  oneOf(settings, ["group_size"], GROUPS, what);
  return { ...layers, notes: () => notesOf(told, version, what) };
};

/** `quant_method` "awq", version GEMM: 4 bits in groups of 32, 64, 128 or per row. `dynamic` may change this for single modules. */
export const awqTensors: QuantizationMethod = (settings, tensors, what) => {
  for (const key of ["version", "format", "checkpoint_format"]) {
    const version = settings[key] ?? "gemm";
    if (typeof version === "string" && version.toLowerCase() === "gemm") continue;
    throw new RangeError(
      `Cannot read "${what}": ${key} ${shown(version)} of AWQ is not supported, only "gemm"`,
    );
  }
  const of = settingsByModule(settings, DYNAMIC_KEYS, what);
  const shape = (own: Fields, where: string) => ({
    bits: oneOf(own, ["bits", "w_bit"], [4] as const, where),
    group: oneOf(own, ["group_size", "q_group_size"], GROUPS, where),
  });
  shape(settings, what);
  return layersOf(tensors, (stored) => {
    const { settings: own, rule } = of(stored);
    const { bits, group } = shape(own, rule === undefined ? what : `${what}": "${rule}`);
    return {
      bits,
      group,
      order: "none",
      codesShape: (rows, columns) => [columns, rows * bits / 32],
      unpacker: () => Promise.resolve(awqToPacked),
    };
  });
};

function versionOf(settings: Fields, what: string): GptqVersion {
  const found = [settings.checkpoint_format, settings.format, settings.version].filter((form) =>
    form !== undefined && form !== null
  );
  if (settings.is_marlin_format === true) found.push("marlin");
  const other = found.find((form) => form !== "gptq" && form !== "gptq_v2");
  if (other !== undefined) {
    throw new RangeError(
      `Cannot read "${what}": checkpoint_format ${
        shown(other)
      } is not supported; expected one of "gptq", "gptq_v2"`,
    );
  }
  if (found.some((form) => form !== found[0])) {
    throw new RangeError(
      `Cannot read "${what}": checkpoint_format "${found[0]}" and format "${
        found[1]
      }" contradict each other`,
    );
  }
  return found[0] === "gptq_v2" ? "v2" : "v1";
}

function notesOf(
  { v1, v2, asymmetric }: { v1: number; v2: number; asymmetric: number },
  version: GptqVersion,
  what: string,
): string[] {
  const other = v1 + v2;
  const says = version === "v1" ? "gptq" : "gptq_v2";
  const notes: string[] = [];
  if (other > 0) {
    notes.push(
      `"${what}": checkpoint_format is "${says}", but the zero points of ${other} symmetric tensors are stored as in "${
        v1 > 0 ? "gptq" : "gptq_v2"
      }": they are read as stored`,
    );
  }
  if (asymmetric > 0) {
    notes.push(
      `"${what}": sym is true, but ${asymmetric} tensors have zero points other than the middle: they are read as stored, according to checkpoint_format "${says}"`,
    );
  }
  return notes;
}

type Unpack = (
  planes: { qweight: Words; qzeros: Words; scales: Uint16Array; gIdx?: Words | undefined },
  shape: TransposedShape,
) => PackedTensor;

/** How one module is stored. */
interface Dialect {
  readonly bits: TransposedShape["bits"];
  readonly group: number;
  /** Order of columns: any, as given by a plane that may be absent; given by a plane that must exist; or as stored. */
  readonly order: "any" | "given" | "none";
  readonly codesShape: (rows: number, columns: number) => number[];
  /** Reads the stored zero points and returns the function that unpacks the planes. */
  readonly unpacker: (qzeros: Plane) => Promise<Unpack>;
}

function layersOf(
  tensors: StoredTensors,
  dialect: (stored: string) => Dialect,
): QuantizedTensors {
  const planes = [".qweight", ".qzeros", ".scales"];
  return linearLayers(
    tensors,
    planes,
    (wanted) => openLinear(tensors, dialect(wanted.stored), wanted),
  );
}

async function openLinear(
  tensors: StoredTensors,
  { bits, group, order, codesShape, unpacker }: Dialect,
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
  const hasOrder = tensors.has(`${stored}.g_idx`);
  if (order === "given" && groups > 1 && !hasOrder) {
    throw new RangeError(
      `Cannot load tensor "${stored}.g_idx": it is missing, but desc_act is true, so the groups of columns are not known`,
    );
  }
  if (order !== "none" && hasOrder) {
    gIdx = await wordsOf(words("g_idx", [columns]));
    columnOrder = gptqColumnOrder(gIdx, group, columns, stored);
  }
  const unpack = await unpacker(qzeros);
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
