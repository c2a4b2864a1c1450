/**
 * Adapters: laid over their base they give what folding gives, to the bit; over anything else they are refused.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  type ModelSource,
  type TensorSource,
  type TrainedTensor,
  writeAdapter,
} from "../../../../models/mod.ts";
import { foldedSource } from "../../../../models/checkpoints/derived/folded.ts";
import { adaptedSource } from "../../../../models/checkpoints/derived/tuned_values.ts";
import { offsetCount, partName, partOf } from "../../../../quant/mod.ts";
import { secondPart } from "../../../../quant/layouts/trained_part.ts";
import { tinySource } from "../../../train/tiny_model.ts";
import { randomNumbers } from "../../../support/random_llama.ts";

/** Relative offsets of every tensor with scales, of what it has besides them, and of the last norm's elements. */
function randomOffsets(source: ModelSource): Map<string, TrainedTensor> {
  const random = randomNumbers(7);
  const values = (length: number) => Float32Array.from({ length }, () => (random() - 0.5) * 0.2);
  const trained = new Map<string, TrainedTensor>();
  for (const { name, rows, columns, format: { layout } } of source.tensors.values()) {
    if (layout.kind !== "dense") {
      const span = layout.kind === "scalar" ? layout.group || columns : columns;
      const stride = Math.ceil(rows / 4) * 4;
      const offsets = values(Math.ceil(columns / span) * stride);
      // Some of each alone, and both.
      if (!name.includes("attn_v")) trained.set(name, { form: "relative", span, offsets });
      const part = secondPart(layout);
      if (!part || name.includes("attn_k")) continue;
      const count = offsetCount(layout, rows, columns, span, part);
      trained.set(partName(name, part), { form: "relative", span, offsets: values(count) });
    } else if (name === "output_norm.weight") {
      trained.set(name, { form: "absolute", span: 1, offsets: values(columns) });
    }
  }
  return trained;
}

const planes = async (tensor: TensorSource) => {
  const { codes, scales, codebook } = await tensor.read(0, tensor.rows);
  return { codes, scales, codebook };
};

for (const format of ["Q4_0", "Q4_1", "int4z_g32", "int3_row", "codebook1x8"]) {
  Deno.test(`an adapter over ${format} gives what folding gives`, async () => {
    using source = await tinySource(format);
    const trained = randomOffsets(source);
    const path = await Deno.makeTempFile({ suffix: ".safetensors" });
    const counts = await writeAdapter(source, trained, path);
    assert(counts.changed > 0);
    using adapted = await adaptedSource(source, path);
    using folded = foldedSource(source, trained);
    let changed = 0;
    for (const [name, tensor] of source.tensors) {
      const found = await planes(adapted.tensors.get(name)!);
      assertEquals(found, await planes(folded.tensors.get(name)!), name);
      if (JSON.stringify(found) !== JSON.stringify(await planes(tensor))) changed++;
    }
    assertEquals(changed, new Set([...trained.keys()].map((name) => partOf(name).tensor)).size);
    await Deno.remove(path);
  });
}

Deno.test("an adapter is read by rows, as loading does it", async () => {
  using source = await tinySource("Q4_0");
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  await writeAdapter(source, randomOffsets(source), path);
  using adapted = await adaptedSource(source, path);
  const tensor = adapted.tensors.get("blk.0.attn_q.weight")!;
  const whole = await tensor.read(0, tensor.rows);
  const part = await tensor.read(2, 4);
  assertEquals(part.scales, whole.scales.slice(1, 3));
  await Deno.remove(path);
});

Deno.test("what is no adapter, or one of another base, is refused, and damage is told", async () => {
  using source = await tinySource("Q4_0");
  using other = await tinySource("Q4_0", 2);
  using wider = await tinySource("Q8_0");
  const path = await Deno.makeTempFile({ suffix: ".safetensors" });
  await writeAdapter(source, randomOffsets(source), path);
  await assertRejects(
    () => adaptedSource(other, path),
    RangeError,
    "was trained on a base with fingerprint",
  );
  await assertRejects(
    () => adaptedSource(wider, path),
    RangeError,
    "was trained on a base with fingerprint",
  );
  const bytes = await Deno.readFile(path);
  const random = randomNumbers(3);
  let refused = 0;
  for (let i = 0; i < 200; i++) {
    const damaged = bytes.slice(0, i % 2 ? bytes.length : Math.floor(random() * bytes.length));
    const reach = Math.min(damaged.length, 2000);
    for (let j = 0; j < 3 && reach > 0; j++) {
      damaged[Math.floor(random() * reach)] ^= 1 << (j + i) % 8;
    }
    await Deno.writeFile(path, damaged);
    try {
      using adapted = await adaptedSource(source, path);
      for (const tensor of adapted.tensors.values()) await planes(tensor);
    } catch (error) {
      refused++;
      const typed = error instanceof SyntaxError || error instanceof RangeError ||
        error instanceof TypeError;
      assert(typed && (error as Error).message.startsWith("Cannot "), `${error}`);
    }
  }
  assert(refused > 150, `${refused} of 200 were refused`);
  await Deno.remove(path);
});
