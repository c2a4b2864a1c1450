/**
 * `quantize` as a user types it in the model's folder: it says what it did where that is not what was asked, and takes nothing twice.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import {
  decodedSource,
  type ModelSource,
  openModelSource,
  quantizedSource,
} from "../../../models/mod.ts";
import { rowsPerPiece } from "../../../models/checkpoints/checkpoint.ts";
import { decode, quantize } from "../../../quant/mod.ts";
import { withTemp } from "../../models/quantised_folder.ts";
import { writeTinyTask } from "../tiny_model.ts";
import { typed, typedAsProcess } from "../typed.ts";

Deno.test("quantize says of each tensor what it did instead of what was asked, with a summary", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    const { code, out, noted } = await typedAsProcess(
      folder,
      ...["quantize", "model.gguf", "--format", "Q4_K", "--keep", "ffn_down,attn_q"],
      ...["--output", "small.gguf"],
    );
    assertEquals(code, 0, noted);
    const said = noted + out;
    const line = (name: string) => said.split("\n").find((it) => it.startsWith(`${name} `)) ?? "";
    assertMatch(line("blk.0.ffn_up.weight"), /Q5_0 .*32 columns, not a multiple of 256$/);
    assertMatch(line("blk.0.ffn_down.weight"), /F16 .*kept$/);
    assertMatch(line("token_embd.weight"), /F16 .*the embedding$/);
    assertStringIncludes(
      said,
      "5 of 7 matrices become Q5_0 instead of Q4_K, because rows of 32 columns are not a multiple of its blocks of 256: ",
    );
    assertMatch(
      said,
      /2 of 7 matrices become F16 instead of Q4_K, because their names are listed to be kept: .*blk\.0\.ffn_down\.weight/,
    );
    assertMatch(said, /as asked +0 of 7 matrices, 0\.0 % of all weights in Q4_K/);
    // And it is so.
    using written = await openModelSource(join(folder, "small.gguf"));
    assertEquals(written.tensors.get("blk.0.ffn_up.weight")?.format.name, "Q5_0");
    assertEquals(written.tensors.get("blk.0.attn_q.weight")?.format.name, "F16");
  });
});

Deno.test("a model that is quantised already is refused unless --requantize says so", async () => {
  await withTemp(async (folder) => {
    await writeTinyTask(folder);
    const to = (from: string, format: string, output: string, ...more: string[]) =>
      typed(folder, "quantize", from, "--format", format, "--output", output, ...more);
    const first = await to("model.gguf", "Q8_0", "eight.gguf");
    assertEquals(first.code, 0, first.noted);
    assertMatch(
      first.out + first.noted,
      /as asked +7 of 7 matrices, \d+\.\d % of all weights in Q8_0/,
    );
    for (const format of ["Q4_0", "Q8_0"]) {
      const again = await to("eight.gguf", format, "four.gguf");
      assertEquals(again.code, 1);
      assertStringIncludes(again.noted, "it is already quantised (tensors: 7 Q8_0)");
      assertStringIncludes(again.noted, "--requantize");
    }
    assertEquals(await Deno.stat(join(folder, "four.gguf")).catch(() => "none"), "none");
    const again = await to("eight.gguf", "Q4_0", "four.gguf", "--requantize");
    assertEquals(again.code, 0, again.noted);
    // What Q8_0 holds, rounded once more.
    using eight = await openModelSource(join(folder, "eight.gguf"));
    using four = await openModelSource(join(folder, "four.gguf"));
    const name = "blk.0.ffn_up.weight";
    const { rows, columns } = eight.tensors.get(name)!;
    const wanted = decode(quantize(await valuesOf(eight, name), rows, columns, "Q4_0"));
    assertEquals(four.tensors.get(name)?.format.name, "Q4_0");
    assertEquals(await valuesOf(four, name), wanted);
  });
});

Deno.test("what is decoded has its columns in their own order, and keeps what nobody asked for", async () => {
  await withTemp(async (folder) => {
    const { model } = await writeTinyTask(folder);
    using source = await openModelSource(model);
    const name = "blk.0.ffn_up.weight";
    const eight = quantizedSource(source, { format: "Q8_0", embedding: "Q8_0" });
    const plain = eight.tensors.get(name)!;
    const order = Uint32Array.from(
      { length: plain.columns },
      (_, i) => (i * 5 + 3) % plain.columns,
    );
    const shuffled = {
      ...eight,
      tensors: new Map([...eight.tensors, [name, { ...plain, columnOrder: order }]]),
    };
    const back = decodedSource(shuffled, { format: "Q4_0" });
    const stored = await valuesOf(eight, name);
    const found = await valuesOf(back, name);
    assertEquals(back.tensors.get(name)?.columnOrder, undefined);
    for (let row = 0; row < plain.rows; row++) {
      for (let i = 0; i < plain.columns; i++) {
        assertEquals(found[row * plain.columns + order[i]], stored[row * plain.columns + i]);
      }
    }
    const format = (of: ModelSource, tensor: string) => of.tensors.get(tensor)?.format.name;
    assertEquals(format(back, "token_embd.weight"), "Q8_0");
    assertEquals(format(decodedSource(eight, { format: "Q8_0" }), name), "Q8_0");
    const asked = decodedSource(eight, { format: "Q4_0", embedding: "F16" });
    assertEquals(format(asked, "token_embd.weight"), "F32");
    assert(rowsPerPiece(back.tensors.get(name)!) > 0);
  });
});

async function valuesOf(source: ModelSource, name: string): Promise<Float32Array> {
  const tensor = source.tensors.get(name)!;
  return decode(await tensor.read(0, tensor.rows));
}
