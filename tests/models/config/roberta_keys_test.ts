import { assertEquals, assertThrows } from "@std/assert";
import type { RobertaConfig } from "../../../models/architectures/roberta.ts";
import { configFromHuggingFace } from "../../../models/mod.ts";
import { robertaConfig, smallBert } from "../architectures/small_roberta.ts";

Deno.test("keys of RoBERTa and BERT: defaults, what is honoured, what is refused by name", () => {
  const sizes = {
    hidden_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 160,
    vocab_size: 256,
  };
  const config = (change: Record<string, unknown>) =>
    configFromHuggingFace({ model_type: "roberta", ...sizes, ...change }) as RobertaConfig;
  const expected = {
    architecture: "roberta",
    hidden: 64,
    layers: 2,
    heads: 4,
    keyValueHeads: 4,
    headDimension: 16,
    feedForward: 160,
    vocabulary: 256,
    context: 510,
    normEpsilon: 1e-12,
    activation: "gelu",
    firstPosition: 2,
    tokenTypes: 2,
    tiedHead: true,
  } as const;
  assertEquals(config({}), expected);
  const bert = { model_type: "bert" };
  assertEquals(config(bert), {
    ...expected,
    ...{ architecture: "bert", context: 512, firstPosition: 0 },
  });
  assertEquals(config({ ...bert, pad_token_id: 3 }), config(bert));
  assertEquals(config({ max_position_embeddings: 514 }).context, 512);
  assertEquals(config({ pad_token_id: 0 }).firstPosition, 1);
  assertEquals(config({ hidden_act: "gelu_new" }).activation, "gelu-tanh");
  const fitting = { head_dim: 16, num_key_value_heads: 4, directionality: "bidi", causal: false };
  assertEquals(config({ ...fitting, embedding_size: 64, is_decoder: false }), config({}));
  const refused: [Record<string, unknown>, string][] = [
    [{ is_decoder: true }, "is_decoder true"],
    [{ is_causal: true }, "is_causal true"],
    [{ position_embedding_type: "relative_key" }, 'position_embedding_type "relative_key"'],
    [{ hidden_act: "silu" }, 'hidden_act "silu"'],
    [{ pad_token_id: null }, '"pad_token_id" is null'],
    [{ pad_token_id: -1 }, '"pad_token_id" is -1'],
    [{ max_position_embeddings: 2 }, "the first 2 are not used for text"],
    [{ tie_word_embeddings: null }, "tie_word_embeddings"],
    [{ num_key_value_heads: 2 }, "num_key_value_heads 2"],
    [{ embedding_size: 32 }, "embedding_size 32"],
    [{ rope_theta: 1e4 }, "rope_theta 10000"],
    [{ add_cross_attention: true }, "add_cross_attention true"],
    [{ architectures: ["RobertaForCausalLM"] }, "RobertaForCausalLM"],
    [{ architectures: ["RobertaForSequenceClassification"] }, "RobertaForSequenceClassification"],
    [
      { ...bert, architectures: ["BertForNextSentencePrediction"] },
      "BertForNextSentencePrediction",
    ],
    [{ frobnication: 1 }, "frobnication 1 is not a known key"],
  ];
  for (const [change, message] of refused) {
    assertThrows(() => config(change), RangeError, message);
  }
  assertEquals(config(robertaConfig(smallBert)), {
    ...config({ ...bert, hidden_size: 96, vocab_size: 290, max_position_embeddings: 64 }),
    normEpsilon: 1e-5,
  });
});
