/**
 * Folders quantised with compressed-tensors (llm-compressor, vLLM), formats "pack-quantized" and "int-quantized".
 *
 * @module
 */

import {
  codesPerWord,
  compressedLayout,
  type CompressedShape,
  compressedToPacked,
} from "../../../quant/packings/compressed_tensors.ts";
import { gptqColumnOrder } from "../../../quant/packings/gptq.ts";
import { groupsPerRow } from "../../../quant/layouts/layout.ts";
import { shown } from "../../config/config_keys.ts";
import { isSame, schemeByModule, type Targeted } from "./module_targets.ts";
import type { TensorSource } from "../checkpoint.ts";
import {
  bytesOf,
  checkShapeRecord,
  FLOATS,
  formatOfLayout,
  halvesOf,
  linearLayers,
  oneOf,
  planeOf,
  type Settings,
  wholeTensor,
  wordsOf,
} from "./stored_planes.ts";
import type { QuantizationMethod, StoredTensors, WantedTensor } from "./stored_tensors.ts";
import { storedFloats } from "../stored_values.ts";

const FORMATS = ["pack-quantized", "int-quantized"] as const;

/** Quantisation scheme of a group of modules. */
interface Scheme {
  readonly form: typeof FORMATS[number];
  readonly bits: CompressedShape["bits"];
  readonly group: number;
  readonly symmetric: boolean;
  /** Whether the columns of a group need not be adjacent. */
  readonly scattered: boolean;
}

/**
 * `quant_method` "compressed-tensors": weights of 2, 3, 4 (packed) or 8 bits, per row or in groups of 32, 64, 128, with columns in any order.
 * Activations are not quantised here, so their settings are ignored. The scheme of a module is that of the group of `config_groups` that targets it.
 */
export const compressedTensors: QuantizationMethod = (settings, tensors, what) => {
  const schemeOf = schemesOf(settings, what);
  return linearLayers(
    tensors,
    [".weight_scale"],
    (wanted) => openLinear(tensors, schemeOf(wanted.stored), wanted),
  );
};

function schemesOf(settings: Settings, what: string): (module: string) => Scheme {
  const groups = Object.entries(fieldsOf(settings.config_groups, "config_groups", what));
  const schemes = groups.map(([name, entry]): Targeted<Scheme> => {
    const group = fieldsOf(entry, `config_groups.${name}`, what);
    const weights = fieldsOf(group.weights, `config_groups.${name}.weights`, what);
    const form = group.format ?? settings.format;
    oneOf({ type: "int", ...weights }, ["type"], ["int"], what);
    const strategy = oneOf(
      { strategy: Number(weights.group_size) > 0 ? "group" : "channel", ...weights },
      ["strategy"],
      ["group", "channel"],
      what,
    );
    const scheme: Scheme = {
      form: oneOf({ format: form }, ["format"], FORMATS, what),
      bits: oneOf(
        weights,
        ["num_bits"],
        form === "int-quantized" ? [8] as const : [2, 3, 4, 8] as const,
        what,
      ),
      group: strategy === "channel" ? -1 : oneOf(weights, ["group_size"], [32, 64, 128], what),
      symmetric: oneOf({ symmetric: true, ...weights }, ["symmetric"], [true, false], what),
      scattered: ["group", "dynamic", true].includes(weights.actorder as string | boolean),
    };
    return { group: name, targets: group.targets, scheme };
  });
  const [first, ...others] = schemes;
  if (!first) {
    throw new RangeError(`Cannot read "${what}": quantization setting config_groups has no groups`);
  }
  // A single scheme applies to everything that is quantised, whichever classes its targets name.
  return others.every(({ scheme }) => isSame(scheme, first.scheme))
    ? () => first.scheme
    : schemeByModule(schemes, what);
}

function fieldsOf(value: unknown, name: string, what: string): Settings {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RangeError(
      `Cannot read "${what}": quantization setting ${name} is ${shown(value)}, expected an object`,
    );
  }
  return value as Settings;
}

async function openLinear(
  tensors: StoredTensors,
  { form, bits, group, symmetric, scattered }: Scheme,
  wanted: WantedTensor,
): Promise<TensorSource> {
  const { stored, rows, columns } = wanted;
  const shape = { bits, group, symmetric, rows, columns, name: stored };
  const layout = compressedLayout(shape);
  const format = formatOfLayout(layout, stored);
  const groups = groupsPerRow(layout, columns);
  const isPacked = form === "pack-quantized";
  const each = codesPerWord(bits);
  const plane = (suffix: string, lines: number, width: number) =>
    planeOf(tensors, `${stored}.${suffix}`, [isPacked ? "I32" : "I8"], [lines, width]);
  if (isPacked) await checkShapeRecord(tensors, wanted, "weight_shape");
  const codes = isPacked
    ? plane("weight_packed", rows, Math.ceil(columns / each))
    : plane("weight", rows, columns);
  const scale = planeOf(tensors, `${stored}.weight_scale`, FLOATS, [rows, groups]);
  const zero = symmetric
    ? undefined
    : plane("weight_zero_point", isPacked ? Math.ceil(rows / each) : rows, groups);
  if (scattered && groups > 1 && !tensors.has(`${stored}.weight_g_idx`)) {
    throw new RangeError(
      `Cannot load tensor "${stored}.weight_g_idx": it is missing, but actorder is "group", so the groups of columns are not known`,
    );
  }
  const columnOrder = await orderOf(tensors, stored, group, columns);
  const integers = async (from: typeof codes) =>
    isPacked ? await wordsOf(from) : new Int8Array((await bytesOf(from)).buffer);
  const values = storedFloats(scale, (row, g) => row * groups + g);
  return wholeTensor(
    wanted,
    { format, columnOrder, stored: { scales: values } },
    async () =>
      compressedToPacked({
        codes: await integers(codes),
        scales: await halvesOf(scale),
        zeros: zero && await integers(zero),
      }, { ...shape, order: columnOrder }),
  );
}

// With `actorder` "group", the columns of a group need not be adjacent. -1 means that columns are in order.
async function orderOf(
  tensors: StoredTensors,
  stored: string,
  group: number,
  columns: number,
): Promise<TensorSource["columnOrder"]> {
  const name = `${stored}.weight_g_idx`;
  if (!tensors.has(name)) return undefined;
  const gIdx = await wordsOf(planeOf(tensors, name, ["I32"], [columns]));
  return gIdx.includes(-1) ? undefined : gptqColumnOrder(gIdx, group, columns, stored);
}
