/**
 * GGUF files that are no whole model, and gains that are no numbers.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ggufModelSource } from "../../../../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource } from "../../../../quant/mod.ts";
import {
  f32Tensor,
  ggufBytes,
  type GgufTensor,
  type GgufValue,
  llamaF32Tensors,
  llamaMetadata,
} from "../../../support/gguf_writer.ts";
import { randomLlama } from "../../../support/random_llama.ts";
import { smallShape } from "../../small_model.ts";

const shape = { ...smallShape, layers: 1 };
const tensors = llamaF32Tensors(shape, randomLlama(shape));
const text = (value: string): GgufValue => ({ kind: "string", value });
const u32 = (value: number): GgufValue => ({ kind: "u32", value });

function open(
  metadata: Readonly<Record<string, GgufValue>>,
  own: Readonly<Record<string, GgufTensor>>,
) {
  return ggufModelSource(bytesSource(ggufBytes(metadata, own), "it.gguf"));
}

const small = { "blk.0.attn_q.weight.lora_a": f32Tensor(new Float32Array(8), [4, 2]) };
const half = Object.fromEntries(Object.entries(tensors).slice(0, 3));

/** What a file is: metadata, tensors, and what must be said. */
const OTHERS: Record<
  string,
  [Readonly<Record<string, GgufValue>>, Readonly<Record<string, GgufTensor>>, ...string[]]
> = {
  "an adapter": [
    { "general.architecture": text("llama"), "general.type": text("adapter") },
    small,
    "LoRA adapter",
    "with --adapter",
  ],
  "an adapter that says so by its keys alone": [
    { "general.architecture": text("llama"), "adapter.type": text("lora") },
    small,
    "LoRA adapter",
  ],
  "a projector": [
    { "general.architecture": text("clip"), "clip.projector_type": text("mlp") },
    small,
    "mmproj",
  ],
  "importance matrix": [{ "general.type": text("imatrix") }, small, "imatrix"],
  "a control vector": [
    { "general.architecture": text("controlvector") },
    small,
    "a control vector",
  ],
  "a vocabulary": [llamaMetadata(shape), {}, "a vocabulary alone"],
  // Renamed, or parts joined by cat (ggml-org/llama.cpp#9613).
  "one part of several": [
    {
      ...llamaMetadata(shape),
      "split.no": u32(0),
      "split.count": u32(2),
      "split.tensors.count": u32(Object.keys(tensors).length),
    },
    half,
    "part 1 of a model in 2 files",
    "-of-00002.gguf",
    "llama-gguf-split --merge",
  ],
};

for (const [what, [metadata, own, ...says]] of Object.entries(OTHERS)) {
  Deno.test(`GGUF that is no model: ${what}`, async () => {
    const { message } = await assertRejects(() => open(metadata, own), RangeError);
    assert(message.startsWith('Cannot load "it.gguf": it is '), message);
    for (const words of says) assertStringIncludes(message, words);
  });
}

Deno.test("GGUF: a split of one file is a whole model", async () => {
  const split = {
    "split.no": u32(0),
    "split.count": u32(1),
    "split.tensors.count": u32(Object.keys(tensors).length),
  };
  using source = await open({ ...llamaMetadata(shape), ...split }, tensors);
  assertEquals(source.notes, []);
});

Deno.test("GGUF: a quantised gain is refused by name, where codes would be taken for numbers", async () => {
  // 96 columns of Q8_0: three blocks of an f16 scale (1) and 32 codes.
  const bytes = new Uint8Array(3 * 34).fill(1);
  for (let block = 0; block < 3; block++) bytes.set([0x00, 0x3c], block * 34);
  const gain = { dimensions: [shape.hidden], type: 8, bytes };
  for (const name of ["blk.0.attn_norm.weight", "output_norm.weight"]) {
    await assertRejects(
      () => open(llamaMetadata(shape), { ...tensors, [name]: gain }),
      RangeError,
      `Cannot load tensor "${name}": its type is Q8_0`,
    );
  }
});
