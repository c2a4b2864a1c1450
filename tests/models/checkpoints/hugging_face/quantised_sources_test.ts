import { assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { openModelSource, writeAdapter, writeModel } from "../../../../models/mod.ts";
import { foldedSource } from "../../../../models/checkpoints/derived/folded.ts";
import { adaptedSource } from "../../../../models/checkpoints/derived/tuned_values.ts";
import { decode } from "../../../../quant/mod.ts";
import {
  checkWrittenBack,
  folderShape,
  isLinear,
  quantisedTensors,
  randomOffsets,
  storedName,
  wholeGroups,
  withTemp,
  writeFolder,
} from "../../quantised_folder.ts";
import { weightsOf } from "../../small_model.ts";
import { hqqLinear } from "../../stored_linears.ts";
import { FOLDER_CASES, hqq } from "../../quantised_folder_cases.ts";
import { sampled } from "../../../support/sampled.ts";

for (
  const [name, { settings, linear, format, shape = folderShape, second, ...back }] of sampled(
    "quantised folders",
    Object.entries(FOLDER_CASES),
  )
) {
  Deno.test(`${name}: opens as ${format}, bit for bit; goes back with scales changed alone`, async () => {
    // Modules that were left alone lie dense beside the others.
    const { tensors, weights } = quantisedTensors(shape, linear, /k_proj/);
    await withTemp(async (folder) => {
      await writeFolder(folder, shape, tensors, { quantization_config: settings });
      using source = await openModelSource(folder);
      const found = await weightsOf(source);
      for (const [tensor, { format: opened }] of source.tensors) {
        const dense = !isLinear(storedName(tensor)) || tensor.includes("attn_k");
        assertMatch(
          opened.name,
          dense ? /^F32$/ : typeof format === "string" ? new RegExp(`^${format}$`) : format,
          tensor,
        );
        assertEquals(Float32Array.from(found[tensor]), weights[storedName(tensor)], tensor);
      }
      const q = source.tensors.get("blk.0.attn_q.weight")!;
      await assertRejects(() => q.read(q.rows - 1, 2), RangeError, `it has ${q.rows}`);
      await checkWrittenBack(folder, back.scales, back);
      if (!second) return;
      await checkWrittenBack(folder, second, { ...back, parts: ["second"] });
      const both = new RegExp(`${back.scales.source}|${second.source}`);
      await checkWrittenBack(folder, both, { ...back, parts: ["scales", "second"] });
    });
  });
}

Deno.test("HQQ's own folders have no settings; a head may be quantised, or stay as it is", async () => {
  for (const also of [/^lm_head/, /^$/]) {
    const { tensors, weights } = quantisedTensors(
      folderShape,
      hqqLinear("4bit_u8", 32),
      /^$/,
      also,
    );
    await withTemp(async (folder) => {
      await writeFolder(folder, folderShape, tensors, {});
      using source = await openModelSource(folder);
      const head = source.tensors.get("output.weight")!;
      assertEquals(head.format.name, also.test("lm_head") ? "int4z_g32" : "F32");
      assertEquals(source.tensors.get("token_embd.weight")!.format.name, "F32");
      const found = await weightsOf(source);
      assertEquals(Float32Array.from(found["output.weight"]), weights["lm_head.weight"]);
      await checkWrittenBack(folder, /\.scale$/);
    });
  }
});

Deno.test("scales per column go into own folders and adapters, and by rows", async () => {
  const { tensors } = quantisedTensors(wholeGroups, hqqLinear("4bit_u8", 16, { axis: 0 }));
  await withTemp(async (out) => {
    const folder = join(out, "base");
    await Deno.mkdir(folder);
    await writeFolder(folder, wholeGroups, tensors, { quantization_config: hqq });
    using source = await openModelSource(folder);
    const name = "blk.0.ffn_up.weight";
    const up = source.tensors.get(name)!;
    const whole = decode(await up.read(0, up.rows));
    assertEquals(decode(await up.read(38, 5)), whole.slice(38 * up.columns, 43 * up.columns));

    const own = join(out, "own");
    await writeModel({ ...source, folder: undefined }, own);
    using packed = await openModelSource(own);
    assertEquals(packed.tensors.get(name)!.format.name, "int4c_r16");
    assertEquals(await weightsOf(packed), await weightsOf(source));
    await checkWrittenBack(own, /\.scales$/);

    const trained = randomOffsets(source);
    const adapter = join(out, "adapter.safetensors");
    await writeAdapter(source, trained, adapter);
    using adapted = await adaptedSource(source, adapter);
    const folded = await weightsOf(foldedSource(source, trained));
    assertEquals(await weightsOf(adapted), folded);
    assertNotEquals(folded[name], (await weightsOf(source))[name]);
  });
});
