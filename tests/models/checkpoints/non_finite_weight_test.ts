import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { loadModel, openModelSource, quantizedSource, writeModel } from "../../../models/mod.ts";
import { ggufModelSource } from "../../../models/checkpoints/gguf/open_gguf.ts";
import {
  bytesSource,
  decode,
  formatByName,
  FORMATS,
  hasNonFinite,
  quantize,
} from "../../../quant/mod.ts";
import { evaluate } from "../../../train/mod.ts";
import { randomTensor } from "../../quant/random_tensor.ts";
import { normals } from "../../quant/random.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { capture } from "../../cli/capture.ts";
import { runCli } from "../../cli/run_cli.ts";
import { ggufInMemory, ggufOf, smallShape, textExamples, withFolder } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const shape = { ...smallShape, layers: 2 };
const neox = { ...shape, rope: "neox" as const };
const up = "model.layers.1.mlp.up_proj.weight";

/** Weights with one value in place of another. */
function withValue(name: string, index: number, value: number) {
  const weights = randomLlama(shape);
  weights[name][index] = value;
  return weights;
}

Deno.test("non-finite: the look at planes finds exactly what decoding finds, in every format, wherever a bit is set", () => {
  const columns = 256;
  const rows = 8;
  let found = 0;
  const made = new Set<string>();
  for (const format of [...FORMATS, formatByName("int4c_r8")]) {
    const packed = format.name === "MXFP4"
      ? quantize(normals(1, rows * columns), rows, columns, "MXFP4")
      : randomTensor(format, rows, columns, 1);
    made.add(packed.layout.kind);
    assert(!hasNonFinite(packed), format.name);
    // Any plane, any word: all bits of an exponent set in either half.
    for (const plane of ["codes", "scales", "codebook"] as const) {
      const { length } = packed[plane];
      if (length === 0) continue;
      for (let trial = 0; trial < 24; trial++) {
        const word = trial < 2 ? trial * (length - 1) : (trial * 7919) % length;
        const before = packed[plane][word];
        packed[plane][word] |=
          [0x7f800000, 0x7c00, 0x7f80, 0x7c000000, 0xff, 0xff000000][trial % 6];
        const isBad = decode(packed).some((value) => !Number.isFinite(value));
        // What no weight has may be looked at twice; what a weight has is never missed.
        if (isBad) assert(hasNonFinite(packed), `${format.name} ${plane} ${word}`);
        if (isBad) found++;
        packed[plane][word] = before;
      }
    }
    assert(!hasNonFinite(packed), format.name);
  }
  assert(found > 100, String(found));
  assertEquals([...made].sort(), ["codebook", "column", "dense", "scalar", "super"]);
});

Deno.test("non-finite: loading names the tensor as its file does, and as GGUF does, with the place", async () => {
  const index = 3 * shape.hidden + 5;
  for (const value of [NaN, Infinity, -Infinity]) {
    await withFolder(neox, withValue(up, index, value), async (folder) => {
      const place = `tensor "${up}" (blk.1.ffn_up.weight): it contains ${value} at row 3, column 5`;
      using source = await openModelSource(folder);
      await assertRejects(() => loadModel(gpu, source), RangeError, `Cannot load ${place}`);
      const quantised =
        `tensor "${up}" (blk.1.ffn_up.weight) to Q4_0: it contains ${value} at row 3, column 5`;
      using small = quantizedSource(source, { format: "Q4_0" });
      await assertRejects(() => loadModel(gpu, small), RangeError, quantised);
      for (const format of ["Q4_0", "int4_g32", "F16"]) {
        const output = join(folder, `q-${format}.gguf`);
        const args = [
          "quantize",
          folder,
          "--format",
          format,
          "--output",
          format === "int4_g32" ? join(folder, "q") : output,
        ];
        const terminal = capture();
        assertEquals(await runCli(args, { terminal }), 1);
        assert(terminal.noted.includes(`"${up}" (blk.1.ffn_up.weight)`), terminal.noted);
        assert(terminal.noted.includes("row 3, column 5"), terminal.noted);
        await assertRejects(() => Deno.stat(output), Deno.errors.NotFound);
      }
    });
  }
  using gguf = await ggufInMemory(shape, withValue("model.norm.weight", 2, NaN));
  await assertRejects(
    () => loadModel(gpu, gguf),
    RangeError,
    'Cannot load tensor "output_norm.weight": it contains NaN at row 0, column 2',
  );
});

Deno.test("non-finite: what quantising leaves as it is is looked at before it is written", async () => {
  for (const name of ["model.norm.weight", "model.layers.1.input_layernorm.weight"]) {
    await withFolder(neox, withValue(name, 2, Infinity), async (folder) => {
      for (const output of ["q.gguf", "q"]) {
        const path = join(folder, output);
        const terminal = capture();
        const format = output === "q" ? "int4_g32" : "Q4_0";
        const args = ["quantize", folder, "--format", format, "--output", path];
        assertEquals(await runCli(args, { terminal }), 1);
        assert(terminal.noted.includes(`"${name}"`), terminal.noted);
        assert(terminal.noted.includes("Infinity at row 0, column 2"), terminal.noted);
        await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
      }
    });
  }
});

Deno.test("non-finite: a scale of a packed tensor is found, and where its weights lie", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const format of ["Q8_0", "Q4_K", "Q6_K"]) {
      const path = join(folder, `${format}.gguf`);
      // Super-blocks have 256 columns.
      const wide = { ...shape, hidden: 256, heads: 4, kvHeads: 2, feedForward: 256 };
      using dense = await ggufModelSource(bytesSource(ggufOf(wide, randomLlama(wide))));
      await writeModel(quantizedSource(dense, { format }), path);
      const bytes = await Deno.readFile(path);
      using source = await openModelSource(path);
      const { file } = source.gguf!;
      const at = file.tensors.find(({ name }) => name === "blk.1.ffn_up.weight")!;
      const rowBytes = at.byteLength / 256;
      // The f16 factor of the last block of row 7: at its beginning, or, in Q6_K, at its end.
      const end = at.offset + 8 * rowBytes;
      const factor = { Q8_0: end - 34, Q4_K: end - 144, Q6_K: end - 2 }[format]!;
      new DataView(bytes.buffer).setUint16(factor, 0x7e00, true);
      using broken = await ggufModelSource(bytesSource(bytes));
      const column = format === "Q8_0" ? 224 : 0;
      await assertRejects(
        () => loadModel(gpu, broken),
        RangeError,
        `Cannot load tensor "blk.1.ffn_up.weight": it contains NaN at row 7, column ${column}`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("non-finite: after a loss that is NaN the weights are looked through, and what else it may be is said", async () => {
  const weights = randomLlama(shape);
  const examples = textExamples(shape.vocabulary, [8]);
  // Finite, and their products are not.
  for (
    const name of [
      "model.layers.0.mlp.up_proj.weight",
      "model.layers.0.mlp.down_proj.weight",
      "model.layers.0.mlp.gate_proj.weight",
    ]
  ) {
    weights[name] = weights[name].map((value) => value * 1e30);
  }
  await withFolder(neox, weights, async (folder) => {
    using source = await openModelSource(folder);
    using model = await loadModel(gpu, source);
    await assertRejects(
      () => evaluate(model, examples, { objective: "language-modelling" }),
      RangeError,
      "All weights are finite, so an intermediate result overflowed",
    );
    // A file that was changed since it was loaded.
    const path = join(folder, "model.safetensors");
    const bytes = await Deno.readFile(path);
    const { file, offset } = {
      file: source.folder!.files.get("model.safetensors")!,
      offset: bytes.length - 4,
    };
    assertEquals(file.size, bytes.length);
    new DataView(bytes.buffer).setUint32(offset, 0x7fc00000, true);
    await Deno.writeFile(path, bytes);
    const error = await assertRejects(
      () => evaluate(model, examples, { objective: "language-modelling" }),
      RangeError,
    );
    assert(
      /Tensor ".*" \(.*\) holds NaN at row \d+, column \d+/.test(error.message),
      error.message,
    );
  });
});
