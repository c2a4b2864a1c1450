/** Folders in own formats and 16-bit folders: byte-identical when nothing was trained, else only trained bytes differ. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { openModelSource, quantizedSource, writeModel } from "../../../../models/mod.ts";
import { foldedSource } from "../../../../models/checkpoints/derived/folded.ts";
import { decode, formatByName, type SafetensorsDtype } from "../../../../quant/mod.ts";
import { secondPart } from "../../../../quant/layouts/trained_part.ts";
import type { LlamaShape } from "../../../reference/llama.ts";
import { randomLlama } from "../../../support/random_llama.ts";
import {
  checkWrittenBack,
  folderShape,
  storedName,
  tensorData,
  withTemp,
  writeFolder,
} from "../../quantised_folder.ts";
import { tensorShape, weightsOf, withFolder } from "../../small_model.ts";
import { sampled } from "../../../support/sampled.ts";

const FORMATS = [
  "int2_g64",
  "int3_row",
  "int4z_g128",
  "int4m_g32",
  "int8z_row",
  "nf4_g64",
  "Q4_1",
  "Q5_0",
  "Q4_K",
  "IQ2_XS",
  "MXFP4",
  "codebook1x8",
];

for (const format of sampled("own folders", FORMATS)) {
  Deno.test(`a folder in ${format} goes back into itself, trained planes changed alone`, async () => {
    const shape: LlamaShape = ["Q4_K", "IQ2_XS"].includes(format)
      ? { ...folderShape, hidden: 256, feedForward: 256 }
      : folderShape;
    await withFolder(shape, randomLlama(shape), async (folder) => {
      await withTemp(async (out) => {
        const own = join(out, "own");
        {
          using dense = await openModelSource(folder);
          await writeModel(quantizedSource(dense, { format }), own);
        }
        await checkWrittenBack(own, /\.scales$/);
        const second = secondPart(formatByName(format).layout);
        if (!second) return;
        const plane = second === "codebook" ? /\.codebook$/ : /\.scales$/;
        await checkWrittenBack(own, plane, { parts: ["second"] });
        await checkWrittenBack(own, /\.(scales|codebook)$/, { parts: ["scales", "second"] });
      });
    });
  });
}

for (const dtype of ["F32", "F16", "BF16"] as const) {
  Deno.test(`a folder in ${dtype} goes back into itself, trained elements changed alone`, async () => {
    const shape = folderShape;
    const tensors = Object.entries(randomLlama(shape)).map(([name, values]) => {
      const dimensions = tensorShape(shape, name, values.length);
      return tensorData(name, dtype, dimensions, stored(dtype, values));
    });
    await withTemp(async (out) => {
      const folder = join(out, "base");
      await Deno.mkdir(folder);
      await writeFolder(folder, shape, tensors, {});
      using source = await openModelSource(folder);
      const same = join(out, "same");
      await writeModel(source, same);
      const before = await Deno.readFile(join(folder, "model.safetensors"));
      assertEquals(await Deno.readFile(join(same, "model.safetensors")), before);

      const name = "blk.0.attn_v.weight";
      const { rows, columns } = source.tensors.get(name)!;
      const offsets = new Float32Array(rows * columns).map((_, i) => i % 7 === 3 ? 0.5 : 0);
      const folded = foldedSource(
        source,
        new Map([[name, { form: "absolute", span: 1, offsets }]]),
      );
      const tuned = join(out, "tuned");
      await writeModel(folded, tuned);
      const after = await Deno.readFile(join(tuned, "model.safetensors"));
      using again = await openModelSource(tuned);
      const values = decode(await again.tensors.get(name)!.read(0, rows));
      const base = (await weightsOf(source))[name];
      values.forEach((value, i) => assertEquals(value === base[i], offsets[i] === 0));
      const bytes = new Uint8Array(
        tensors.find((t) => t.name === storedName(name))!.bytes as never,
      );
      const at = find(before, bytes);
      assertEquals(after.length, before.length);
      for (let i = 0; i < before.length; i++) {
        assert(before[i] === after[i] || i >= at && i < at + bytes.length, `byte ${i}`);
      }
    });
  });
}

function stored(dtype: SafetensorsDtype, values: Float32Array): { buffer: ArrayBuffer } {
  if (dtype === "F16") return Float16Array.from(values);
  if (dtype === "F32") return Float32Array.from(values);
  return Uint16Array.from(new Uint32Array(values.slice().buffer), (word) => word >>> 16);
}

/** Where `part` begins in `bytes`. */
function find(bytes: Uint8Array, part: Uint8Array): number {
  for (let at = 0; at + part.length <= bytes.length; at++) {
    if (part.every((byte, i) => byte === bytes[at + i])) return at;
  }
  throw new Error("not found");
}
