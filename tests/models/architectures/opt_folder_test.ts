// The keys, tensors and tokenizer of an OPT folder.
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  configFromHuggingFace,
  openModelSource,
  quantizedSource,
  writeModel,
} from "../../../models/mod.ts";
import type { OptConfig } from "../../../models/architectures/opt.ts";
import { withTemp } from "../quantised_folder.ts";
import {
  narrowOpt,
  optConfig,
  type RandomOptOptions,
  smallOpt,
  writeOptFolder,
} from "../small_opt.ts";

Deno.test("keys of OPT: defaults, what is honoured, what is refused by name", () => {
  const sizes = {
    model_type: "opt",
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    ffn_dim: 160,
    vocab_size: 256,
  };
  const config = (change: Record<string, unknown>) =>
    configFromHuggingFace({ ...sizes, ...change }) as OptConfig;
  assertEquals(config({}), {
    architecture: "opt",
    hidden: 64,
    layers: 2,
    heads: 4,
    keyValueHeads: 4,
    headDimension: 16,
    feedForward: 160,
    vocabulary: 256,
    context: 2048,
    embeddingWidth: 64,
    normBefore: true,
    finalNorm: true,
    biases: true,
    affineNorms: true,
    activation: "relu",
    tiedHead: true,
  });
  assertEquals(config({ word_embed_proj_dim: null }).embeddingWidth, 64);
  assertEquals(config({ do_layer_norm_before: false }).finalNorm, false);
  assertEquals(config({ tie_word_embeddings: false }).tiedHead, false);
  assertEquals(configFromHuggingFace(optConfig(narrowOpt)), {
    ...config({ num_hidden_layers: 2, word_embed_proj_dim: 64, do_layer_norm_before: false }),
    ...{ hidden: 96, headDimension: 24, vocabulary: 290, context: 70 },
  });
  const fitting = { head_dim: 16, num_key_value_heads: 4, intermediate_size: 160 };
  assertEquals(config({ ...fitting, hidden_act: "relu", learned_embeddings: true }), config({}));
  const refused: [Record<string, unknown>, string][] = [
    [{ activation_function: "quick_gelu" }, 'activation_function "quick_gelu" is not supported'],
    [{ activation_function: "silu" }, "activation_function"],
    [{ hidden_act: "gelu" }, "hidden_act"],
    [{ do_layer_norm_before: "false" }, "do_layer_norm_before"],
    [{ do_layer_norm_before: null }, '"do_layer_norm_before" is null, not true or false'],
    [{ enable_bias: null }, "enable_bias"],
    [{ _remove_final_layer_norm: 1 }, "_remove_final_layer_norm"],
    [{ tie_word_embeddings: null }, "tie_word_embeddings"],
    [{ num_key_value_heads: 2 }, "num_key_value_heads 2"],
    [{ head_dim: 32 }, "head_dim 32"],
    [{ intermediate_size: 64 }, "intermediate_size 64"],
    [{ rope_theta: 1e4 }, "rope_theta 10000"],
    [{ learned_embeddings: false }, "learned_embeddings false"],
    [{ scale_embeddings: true }, "scale_embeddings true"],
    [{ ffn_dim: undefined }, "ffn_dim"],
    [{ architectures: ["OPTForSequenceClassification"] }, "OPTForSequenceClassification"],
    [{ num_experts: 8 }, "num_experts 8"],
    [{ frobnication: 1 }, "frobnication 1 is not a known key"],
  ];
  for (const [change, message] of refused) {
    assertThrows(() => config(change), RangeError, message);
  }
});

Deno.test("an OPT folder that lacks a bias, has one of another shape, or a stranger is refused by name", async () => {
  const cases: [RandomOptOptions & { config?: Record<string, unknown> }, string][] = [
    [{ biases: false, config: { enable_bias: true } }, "layers.0.self_attn.q_proj.bias"],
    [{ config: { enable_bias: false } }, "biases of linear layers are not supported"],
    [{ affine: false, config: { layer_norm_elementwise_affine: true } }, "self_attn_layer_norm"],
    [{ config: { max_position_embeddings: 71 } }, "expected [73, 96]"],
    [{ config: { _remove_final_layer_norm: true } }, "biases that this architecture does not have"],
  ];
  for (const [options, message] of cases) {
    await withTemp(async (folder) => {
      await writeOptFolder(folder, smallOpt, options);
      await assertRejects(() => openModelSource(folder), RangeError, message);
    });
  }
});

/** GPT-2's kind of tokenizer with OPT's first tokens, as the slow one is converted: `</s>` stands before every text. */
const optTokenizer = {
  version: "1.0",
  added_tokens: ["<s>", "<pad>", "</s>", "<unk>"].map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: true,
    special: true,
  })),
  normalizer: null,
  pre_tokenizer: {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "</s>", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
    ],
    pair: [
      { SpecialToken: { id: "</s>", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { Sequence: { id: "B", type_id: 1 } },
    ],
    special_tokens: { "</s>": { id: "</s>", ids: [2], tokens: ["</s>"] } },
  },
  decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    vocab: Object.fromEntries(
      ["<s>", "<pad>", "</s>", "<unk>", ..."abcdefghijklmnopqrstuvwxyz", "Ġ", "ab", "Ġa"]
        .map((token, id) => [token, id]),
    ),
    merges: ["a b", "Ġ a"],
  },
};

Deno.test("a text for OPT begins with </s>, which is BOS and EOS, and so it does in what is written", async () => {
  await withTemp(async (folder) => {
    const path = (name: string) => join(folder, name);
    await Deno.mkdir(path("base"));
    await writeOptFolder(path("base"), smallOpt);
    const write = (name: string, value: unknown) =>
      Deno.writeTextFile(path(`base/${name}`), JSON.stringify(value));
    await write("tokenizer.json", optTokenizer);
    const token = { __type: "AddedToken", content: "</s>", normalized: true };
    await write("tokenizer_config.json", {
      tokenizer_class: "GPT2Tokenizer",
      add_bos_token: true,
      bos_token: token,
      eos_token: token,
      errors: "replace",
    });
    using source = await openModelSource(path("base"));
    await writeModel(quantizedSource(source, { format: "int4_g32" }), path("written"));
    using written = await openModelSource(path("written"));
    for (const { tokenizer } of [source, written]) {
      assertEquals(tokenizer!.encode("ab a"), [2, 31, 32]);
      assertEquals([tokenizer!.bos, tokenizer!.eos, tokenizer!.start], [2, 2, [2]]);
    }
    const config = JSON.parse(await Deno.readTextFile(path("written/config.json")));
    assertEquals([config.bos_token_id, config.eos_token_id], [2, 2]);
  });
});
