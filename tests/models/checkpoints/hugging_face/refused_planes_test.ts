import { assert, assertRejects } from "@std/assert";
import { openModelSource } from "../../../../models/mod.ts";
import type { SafetensorsTensorData } from "../../../../quant/mod.ts";
import {
  folderShape,
  quantisedTensors,
  tensorData,
  withTemp,
  writeFolder,
} from "../../quantised_folder.ts";
import { weightsOf } from "../../small_model.ts";
import { hqqLinear } from "../../stored_linears.ts";
import {
  aqlm,
  bitsandbytes,
  compressed,
  FOLDER_CASES,
  type Settings,
} from "../../quantised_folder_cases.ts";
import { sampled } from "../../../support/sampled.ts";

Deno.test("settings that cannot be read are refused by field", async () => {
  const good = { num_bits: 4, group_size: 32, symmetric: true };
  const wrong: [Settings, string][] = [
    [compressed({ ...good, num_bits: 5 }), "num_bits is 5"],
    [compressed({ ...good, type: "float" }), 'type is "float"'],
    [compressed({ ...good, group_size: 16 }), "group_size is 16"],
    [compressed({ ...good, strategy: "tensor" }), 'strategy is "tensor"'],
    [compressed({ ...good, symmetric: 1 }), "symmetric is 1"],
    [compressed(good, "marlin-24"), 'format is "marlin-24"'],
    [compressed(good, "int-quantized"), "num_bits is 4"],
    [{ ...compressed(good), config_groups: undefined }, "config_groups is undefined"],
    [{ ...compressed(good), config_groups: {} }, "config_groups has no group"],
    [{ ...compressed(good), config_groups: { a: { weights: null } } }, "weights is null"],
    [{ ...aqlm, num_codebooks: 1, nbits_per_codebook: 17 }, "nbits_per_codebook is 17"],
    [{ ...aqlm, num_codebooks: 8 }, "num_codebooks is 8"],
    [{ ...aqlm, num_codebooks: 1, in_group_size: 32 }, "in_group_size is 32"],
    [{ ...bitsandbytes, load_in_4bit: false, load_in_8bit: true }, "load_in_4bit is false"],
    [{ ...aqlm, num_codebooks: 1, out_group_size: 2 }, "out_group_size is 2"],
  ];
  const { tensors } = quantisedTensors(folderShape, hqqLinear("8bit_u8", 32));
  await withTemp(async (folder) => {
    for (const [settings, message] of wrong) {
      await writeFolder(folder, folderShape, tensors, { quantization_config: settings });
      await assertRejects(() => openModelSource(folder), RangeError, message);
    }
  });
});

/** What is refused of one plane of one layer, when the folder opens or the tensor is read. */
type Change = (t: SafetensorsTensorData) => SafetensorsTensorData | undefined;
const gone: Change = () => undefined;
const as = (dtype: SafetensorsTensorData["dtype"]): Change => (t) => ({ ...t, dtype });
const flat: Change = (t) => ({ ...t, shape: [t.shape.reduce((a, b) => a * b, 1)] });
const filled = (byte: number): Change => (t) => ({
  ...t,
  bytes: new Uint8Array((t.bytes as Uint8Array).length).fill(byte),
});

const state = (fields: Settings): Change => (t) => {
  const given = JSON.parse(new TextDecoder().decode(t.bytes as Uint8Array));
  const bytes = new TextEncoder().encode(JSON.stringify({ ...given, ...fields }));
  return { ...t, shape: [bytes.length], bytes };
};

const LIES: [string, string, Change, string][] = [
  ["HQQ, 3 bits in groups of 32", "W_q", flat, ""],
  [
    "HQQ, 3 bits in groups of 32",
    "W_q",
    (t) => ({ ...t, shape: [7, 32], bytes: new Uint8Array(896) }),
    "expected",
  ],
  ["HQQ, 3 bits in groups of 32", "scale", gone, "is missing"],
  ["HQQ, 3 bits in groups of 32", "zero", flat, "F16 of shape"],
  ["HQQ, 3 bits in groups of 32", "scale", as("I16"), "I16 of shape"],
  ["HQQ, 3 bits in groups of 32", "axis", filled(1), "axis is 16843009"],
  ["HQQ, 3 bits in groups of 32", "axis", filled(0), "expected 8192 bytes"],
  ["HQQ, 4 bits along axis 0", "group_size", filled(0), "groups of 0 along axis 0"],
  ["HQQ, 4 bits along axis 0", "scale", flat, "F16 of shape"],
  ["HQQ, 3 bits in groups of 32", "axis", gone, "is missing"],
  ["HQQ, 3 bits in groups of 32", "shape", filled(1), "its shape is"],
  ["HQQ, 3 bits in groups of 32", "group_size", filled(0), "groups of 0"],
  ["HQQ, 3 bits in groups of 32", "group_size", filled(255), "groups of -1"],
  ["HQQ, 3 bits in groups of 32", "packing", filled(65), 'packing is "AAAAAAA"'],
  ["HQQ, 3 bits in groups of 32", "quant_scale", filled(1), "quant_scale is set"],
  [
    "compressed-tensors, 4 bits with zero points in groups of 32",
    "weight_packed",
    gone,
    "is missing",
  ],
  [
    "compressed-tensors, 4 bits with zero points in groups of 32",
    "weight_shape",
    filled(0),
    "weight_shape is",
  ],
  [
    "compressed-tensors, 4 bits with zero points in groups of 32",
    "weight_zero_point",
    gone,
    "is missing",
  ],
  [
    "compressed-tensors, 4 bits with zero points in groups of 32",
    "weight_scale",
    as("I16"),
    "I16 of shape",
  ],
  [
    "compressed-tensors, packed 8 bits a row, f32",
    "weight_scale",
    filled(0x7f),
    "does not fit f16",
  ],
  ["torchao, 8 bits a row", "_weight_qdata", as("U8"), "expected one signed byte per code"],
  ["torchao, 8 bits a row", "_weight_qdata", flat, "expected one signed byte per code"],
  ["torchao, 8 bits a row", "_weight_scale", flat, "BF16 of shape"],
  ["torchao, 8 bits a row", "_weight_scale", gone, "is missing"],
  ["torchao, int4 in rows, groups of 32", "_weight_qdata", flat, "int4 in tiles"],
  ["torchao, int4 in rows, groups of 32", "_weight_scale", flat, "F16 of shape"],
  ["torchao, int4 in rows, groups of 32", "_weight_zero_point", gone, "is missing"],
  [
    "torchao, int4 in rows, groups of 32",
    "_weight_scale",
    (t) => ({ ...t, shape: [3, 128], bytes: new Uint8Array(768) }),
    "BF16 or F32 of [3,128]",
  ],
  ["torchao, int4 in tiles, groups of 64, bf16", "_weight_scale_and_zero", gone, "is missing"],
  ["torchao, int4 in tiles, groups of 64, bf16", "_weight_scale_and_zero", flat, "BF16 of shape"],
  [
    "torchao, int4 in tiles, groups of 64, bf16",
    "_weight_qdata",
    (t) => ({ ...t, shape: [16, 16, 32, 2] }),
    "",
  ],
  [
    "torchao, int4 in tiles, groups of 64, bf16",
    "_weight_qdata",
    (t) => ({ ...t, shape: [32, 4, 32, 4] }),
    "I32 of shape",
  ],
  ["AQLM 1x8", "codebooks", gone, "is missing"],
  ["AQLM 1x8", "codes", flat, "I8 of shape"],
  ["AQLM 1x8", "scales", flat, "F16 of shape"],
  ["NF4 in blocks of 64", "weight", flat, "in one column"],
  ["NF4 in blocks of 64", "weight.quant_map", filled(0), "code 0 represents 0, expected -1"],
  ["NF4 in blocks of 64", "weight.quant_map", filled(255), "code 0 represents NaN"],
  ["NF4 in blocks of 64", "weight.quant_state.bitsandbytes__nf4", filled(123), "JSON"],
  ["NF4 in blocks of 64", "weight.quant_state.bitsandbytes__nf4", gone, "neither nf4 and fp4"],
  [
    "NF4 in blocks of 64",
    "weight.quant_state.bitsandbytes__nf4",
    state({ blocksize: 48 }),
    "groups of 48",
  ],
  [
    "NF4 in blocks of 64",
    "weight.quant_state.bitsandbytes__nf4",
    state({ shape: [1] }),
    "shape is [1]",
  ],
  [
    "NF4 in blocks of 64",
    "weight.quant_state.bitsandbytes__nf4",
    state({ quant_type: "fp4" }),
    'quant_type is "fp4"',
  ],
  ["NF4 in blocks of 64", "weight.absmax", filled(0x7f), "does not fit f16"],
  [
    "NF4 in blocks of 32, doubly quantised",
    "weight.nested_absmax",
    filled(0x7f),
    "does not fit f16",
  ],
  ["NF4 in blocks of 32, doubly quantised", "weight.nested_absmax", flat, ""],
  ["NF4 in blocks of 32, doubly quantised", "weight.nested_quant_map", gone, "is missing"],
  ["NF4 in blocks of 32, doubly quantised", "weight.nested_absmax", gone, "U8 of shape"],
  [
    "NF4 in blocks of 32, doubly quantised",
    "weight.quant_state.bitsandbytes__nf4",
    state({ nested_blocksize: 0 }),
    "nested_blocksize is 0",
  ],
  [
    "NF4 in blocks of 32, doubly quantised",
    "weight.quant_state.bitsandbytes__nf4",
    state({ nested_offset: null }),
    "nested_offset is null",
  ],
];

Deno.test("planes that lie about themselves are refused, by tensor", async () => {
  const module = "model.layers.0.self_attn.o_proj";
  const made = new Map<string, ReturnType<typeof quantisedTensors>>();
  for (const [name, plane, change, message] of sampled("lies", LIES)) {
    const { settings, linear, shape = folderShape } = FOLDER_CASES[name];
    if (!made.has(name)) made.set(name, quantisedTensors(shape, linear));
    const { tensors } = made.get(name)!;
    const changed = tensors.flatMap((t) => t.name === `${module}.${plane}` ? change(t) ?? [] : t);
    await withTemp(async (folder) => {
      await writeFolder(folder, shape, changed, { quantization_config: settings });
      const open = async () => {
        using source = await openModelSource(folder);
        await weightsOf(source);
      };
      if (message === "") return await open();
      const error = await assertRejects(open, Error, message);
      assert(
        [RangeError, TypeError, SyntaxError].includes(error.constructor as typeof RangeError),
        `${name} ${plane}: ${error}`,
      );
      assert(error.message.includes(module), error.message);
    });
  }
  const { settings, linear } = FOLDER_CASES["compressed-tensors, signed bytes"];
  const { tensors } = quantisedTensors(folderShape, linear);
  await withTemp(async (folder) => {
    const extra = tensorData(`${module}.weight_g_idx`, "I32", [128], new Int32Array(128).fill(1));
    await writeFolder(folder, folderShape, [...tensors, extra], { quantization_config: settings });
    await assertRejects(() => openModelSource(folder), RangeError, "column 0 in group 1");
  });
});
