/**
 * Every tensor of a file has a place, is noted, or is refused by name.
 *
 * @module
 */
import { assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { openModelSource } from "../../../models/mod.ts";
import { f32Tensor, type GgufTensor } from "../../support/gguf_writer.ts";
import {
  kindShape,
  llama3Factors,
  writeKindFolder,
  writeKindGguf,
} from "../../support/model_kinds.ts";
import { processorTime } from "../../support/processor_time.ts";
import type { StoredTensor } from "../../support/safetensors_writer.ts";
import { withTemp } from "../quantised_folder.ts";
import { weightsOf } from "../small_model.ts";

type Tensors = Record<string, StoredTensor>;

const ones = (...shape: number[]): StoredTensor => ({
  dtype: "F32",
  shape,
  bytes: new Uint8Array(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1).buffer),
});
const zeros = (...shape: number[]): StoredTensor => ({
  dtype: "F32",
  shape,
  bytes: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)),
});
const layer = "model.layers.0";
const { hidden } = kindShape;

/** What is beside the model, and what opening says of it. */
const REFUSED: Record<string, { readonly extra: Tensors; readonly says: readonly string[] }> = {
  "an adapter that was not merged": {
    extra: Object.fromEntries(["q", "v"].flatMap((it) => [
      [`${layer}.self_attn.${it}_proj.lora_A.default.weight`, ones(4, hidden)],
      [`${layer}.self_attn.${it}_proj.lora_B.default.weight`, ones(hidden, 4)],
    ])),
    says: [
      `"${layer}.self_attn.q_proj.lora_A.default.weight"`,
      "and 1 more",
      "merge_and_unload",
    ],
  },
  "an adapter's copy of the head": {
    extra: { "lm_head.modules_to_save.default.weight": ones(272, hidden) },
    says: ["lm_head.modules_to_save.default.weight", "merge_and_unload"],
  },
  "a magnitude of DoRA": {
    extra: { [`${layer}.self_attn.q_proj.lora_magnitude_vector.default.weight`]: ones(hidden) },
    says: ["lora_magnitude_vector", "merge_and_unload"],
  },
  "a classifier": {
    extra: { "score.weight": ones(2, hidden) },
    says: ['"score.weight"', "not a language model"],
  },
  "a value head": {
    extra: { "v_head.summary.weight": ones(1, hidden), "v_head.summary.bias": ones(1) },
    says: ['"v_head.summary.weight"', "not a language model"],
  },
  "a bias": {
    extra: { [`${layer}.self_attn.q_proj.bias`]: ones(hidden) },
    says: [`${layer}.self_attn.q_proj.bias`, "biases"],
  },
  "a bias longer than its layer": {
    extra: { [`${layer}.self_attn.q_proj.bias`]: zeros(272, hidden) },
    says: [`${layer}.self_attn.q_proj.bias`, "biases"],
  },
  "a bias of a norm": {
    extra: { "model.norm.bias": ones(hidden) },
    says: ["model.norm.bias", "biases"],
  },
  "norms of queries and keys": {
    extra: Object.fromEntries(
      ["q_norm", "k_norm"].map((it) => [`${layer}.self_attn.${it}.weight`, ones(16)]),
    ),
    says: ["q_norm", "k_norm", "would change the model"],
  },
  ...Object.fromEntries(
    ["g_idx", "SCB", "weight_scale", "weight_zero_point", "weight.absmax", "weight.quant_map"].map(
      (plane) => [`a stray ${plane}`, {
        extra: { [`${layer}.mlp.up_proj.${plane}`]: zeros(8) },
        says: [`${layer}.mlp.up_proj.${plane}`, "quantization settings"],
      }],
    ),
  ),
};

for (const [name, { extra, says }] of Object.entries(REFUSED)) {
  Deno.test(`a folder with ${name} is refused`, async () => {
    await withTemp(async (at) => {
      const folder = await writeKindFolder(at, { change: (it) => ({ ...it, ...extra }) });
      const error = await assertRejects(() => openModelSource(folder), RangeError);
      for (const part of ["Cannot load", ...says]) assertStringIncludes(error.message, part);
    });
  });
}

/** What is left out, as transformers leaves it out, and the note. */
const NOTED: Record<
  string,
  { readonly extra: Tensors; readonly tied?: boolean; readonly says: readonly string[] }
> = {
  "tables of rotary frequencies": {
    extra: { [`${layer}.self_attn.rotary_emb.inv_freq`]: ones(8) },
    says: [`${layer}.self_attn.rotary_emb.inv_freq`, "recomputed"],
  },
  "a layer beyond its configuration": {
    extra: { "model.layers.1.input_layernorm.weight": ones(hidden) },
    says: ["num_hidden_layers is 1", "left out"],
  },
  "a head beside a tied embedding": {
    extra: { "lm_head.weight": ones(272, hidden) },
    tied: true,
    says: ['"lm_head.weight"', "tie_word_embeddings"],
  },
};

for (const [name, { extra, tied = false, says }] of Object.entries(NOTED)) {
  Deno.test(`a folder with ${name} is the model without, and says so`, async () => {
    await withTemp(async (at) => {
      using plain = await openModelSource(await writeKindFolder(join(at, "plain"), { tied }));
      const change = (it: Tensors) => ({ ...it, ...extra });
      using more = await openModelSource(
        await writeKindFolder(join(at, "more"), { tied, change }),
      );
      assertEquals(plain.notes, []);
      assertEquals(more.notes!.length, 1);
      for (const part of says) assertStringIncludes(more.notes![0], part);
      assertEquals(await weightsOf(more), await weightsOf(plain));
    });
  });
}

Deno.test("biases of zeros are a model without", async () => {
  await withTemp(async (at) => {
    const extra = { [`${layer}.self_attn.q_proj.bias`]: zeros(hidden) };
    using source = await openModelSource(
      await writeKindFolder(at, { change: (it) => ({ ...it, ...extra }) }),
    );
    assertEquals(source.notes, []);
  });
});

/** What wrappers of training make of names. */
const WRAPPED: Record<string, (name: string) => string> = {
  "_orig_mod": (name) => `_orig_mod.${name}`,
  "module": (name) => `module.${name}`,
  "base_model.model": (name) => `base_model.model.${name}`,
  "_fsdp_wrapped_module": (name) => name.replace(/(layers\.\d+)/, "$1._fsdp_wrapped_module"),
  "_checkpoint_wrapped_module": (name) =>
    `module._orig_mod.${name.replace(/(layers\.\d+)/, "$1._checkpoint_wrapped_module")}`,
};

const renamed = (to: (name: string) => string) => (tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, it]) => [to(name), it]));

for (const [part, to] of Object.entries(WRAPPED)) {
  Deno.test(`names with ${part} are read without, and a note says so`, async () => {
    await withTemp(async (at) => {
      using plain = await openModelSource(await writeKindFolder(join(at, "plain")));
      using wrapped = await openModelSource(
        await writeKindFolder(join(at, "wrapped"), { change: renamed(to) }),
      );
      assertEquals(wrapped.notes!.length, 1);
      assertStringIncludes(wrapped.notes![0], `"${part}."`);
      assertEquals(await weightsOf(wrapped), await weightsOf(plain));
    });
  });
}

Deno.test("a tensor under two names is refused, whichever counts", async () => {
  await withTemp(async (at) => {
    const change = (it: Tensors) => ({ ...it, "module.model.norm.weight": ones(hidden) });
    const folder = await writeKindFolder(at, { change });
    const error = await assertRejects(() => openModelSource(folder), RangeError);
    assertStringIncludes(error.message, '"model.norm.weight" and "module.model.norm.weight"');
  });
});

Deno.test("names of a megabyte are refused in a moment, with their beginnings", async () => {
  const parts = [
    "module.",
    "_orig_mod.",
    ".",
    "lora_a",
    "rotary_emb.a",
    "_weight_a",
    "a".repeat(64),
  ];
  for (const part of parts) {
    await withTemp(async (at) => {
      const long = `model.${part.repeat(2 ** 20 / part.length)}`;
      const folder = await writeKindFolder(at, {
        change: (it) => ({ ...it, [long]: ones(1), [long.slice(6)]: ones(1) }),
      });
      const begun = processorTime();
      const error = await assertRejects(() => openModelSource(folder), RangeError);
      assertLess(processorTime() - begun, 1000, part);
      assertLess(error.message.length, 2000);
    });
  }
});

Deno.test("names of a model that was saved without its head are read as transformers reads them", async () => {
  await withTemp(async (at) => {
    using plain = await openModelSource(
      await writeKindFolder(join(at, "plain"), { tied: true }),
    );
    using headless = await openModelSource(
      await writeKindFolder(join(at, "headless"), {
        tied: true,
        change: renamed((name) => name.replace(/^model\./, "")),
      }),
    );
    assertEquals(await weightsOf(headless), await weightsOf(plain));
  });
});

Deno.test("where a tensor is missing, what is there in its place is named", async () => {
  await withTemp(async (at) => {
    const change = ({ [`${layer}.self_attn.q_proj.weight`]: q, ...rest }: Tensors) => ({
      ...rest,
      [`${layer}.self_attn.qkv_proj.weight`]: q,
    });
    const folder = await writeKindFolder(at, { change });
    const error = await assertRejects(() => openModelSource(folder), RangeError);
    assertStringIncludes(error.message, `it has no tensor "${layer}.self_attn.q_proj.weight"`);
    assertStringIncludes(error.message, `"${layer}.self_attn.qkv_proj.weight"`);
  });
});

const GGUF_REFUSED: Record<string, { readonly tensors: Record<string, GgufTensor>; says: string }> =
  {
    "factors of another length": {
      tensors: { "rope_freqs.weight": f32Tensor(new Float32Array(16).fill(1), [16]) },
      says: "its shape is 16, expected 8",
    },
    "a factor of zero": {
      tensors: { "rope_freqs.weight": f32Tensor([1, 1, 1, 0, 1, 1, 1, 1], [8]) },
      says: "value 3 is 0",
    },
    "a factor that is not finite": {
      tensors: { "rope_freqs.weight": f32Tensor([1, NaN, 1, 0, 1, 1, 1, 1], [8]) },
      says: "value 1 is NaN",
    },
    "factors of integers": {
      tensors: {
        "rope_freqs.weight": { dimensions: [8], type: 26, bytes: new Uint8Array(32) },
      },
      says: "its type is I32; expected F32, F16, BF16",
    },
    "factors of longrope": {
      tensors: { "rope_factors_long.weight": f32Tensor(new Float32Array(8).fill(1), [8]) },
      says: '"rope_factors_long.weight": architecture "llama" does not use',
    },
    "many tensors without a place": {
      tensors: Object.fromEntries(
        ["a", "b", "c", "d", "e"].map((it) => [it, f32Tensor([1], [1])]),
      ),
      says: 'tensors "a", "b", "c" and 2 more',
    },
  };

for (const [name, { tensors, says }] of Object.entries(GGUF_REFUSED)) {
  Deno.test(`a GGUF file with ${name} is refused`, async () => {
    await withTemp(async (at) => {
      const path = await writeKindGguf(join(at, "a.gguf"), { tensors });
      const error = await assertRejects(() => openModelSource(path), RangeError);
      assertStringIncludes(error.message, says);
    });
  });
}

Deno.test("factors of rotary frequencies are read in F16 and BF16 too", async () => {
  const exact = Float32Array.of(1, 1, 1.5, 2, 4, 8, 8, 8);
  const halves = new Uint8Array(new Float16Array(exact).buffer);
  const brains = new Uint8Array(
    Uint16Array.from(new Uint32Array(exact.buffer), (bits) => bits >>> 16).buffer,
  );
  for (const [type, bytes] of [[1, halves], [30, brains]] as const) {
    await withTemp(async (at) => {
      const tensors = { "rope_freqs.weight": { dimensions: [8], type, bytes } };
      using source = await openModelSource(await writeKindGguf(join(at, "a.gguf"), { tensors }));
      assertEquals(source.ropeFactors, exact);
    });
  }
});

Deno.test("tables of rotary frequencies in a GGUF file are left out with a note", async () => {
  await withTemp(async (at) => {
    const tensors = { "blk.0.attn_rot_embd.weight": f32Tensor(llama3Factors(), [8]) };
    using source = await openModelSource(await writeKindGguf(join(at, "a.gguf"), { tensors }));
    assertEquals(source.ropeFactors, undefined);
    assertStringIncludes(source.notes!.join(), "blk.0.attn_rot_embd.weight");
  });
});

Deno.test("tensors: a stored head that tie_word_embeddings leaves out is told by its values", async () => {
  await withTemp(async (temp) => {
    for (const same of [true, false]) {
      const folder = await writeKindFolder(join(temp, String(same)), {
        config: { tie_word_embeddings: true },
        change: (tensors) =>
          same ? { ...tensors, "lm_head.weight": tensors["model.embed_tokens.weight"] } : tensors,
      });
      using source = await openModelSource(folder);
      assertEquals([source.config.tiedHead, source.tensors.has("output.weight")], [true, false]);
      assertEquals(source.notes!.length, 1);
      const says = same
        ? "ties to the embedding"
        : "the stored head has other values, and transformers 5 takes it. Set tie_word_embeddings to false";
      assertStringIncludes(source.notes![0], says);
    }
  });
});

Deno.test("tensors: planes without settings that say what they are", async () => {
  await withTemp(async (temp) => {
    const folder = await writeKindFolder(join(temp, "it"), {
      change: ({ [`${layer}.self_attn.q_proj.weight`]: _, ...rest }) => ({
        ...rest,
        ...Object.fromEntries(
          ["qweight", "qzeros", "scales"].map((it) => [
            `${layer}.self_attn.q_proj.${it}`,
            ones(8, hidden),
          ]),
        ),
      }),
    });
    const { message } = await assertRejects(() => openModelSource(folder), RangeError);
    assertStringIncludes(message, `it has "${layer}.self_attn.q_proj.qweight"`);
    assertStringIncludes(message, "config.json has no quantization_config");
  });
});
