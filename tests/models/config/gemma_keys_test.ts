import { assertEquals, assertThrows } from "@std/assert";
import type { Gemma3Config } from "../../../models/architectures/gemma3.ts";
import { configFromHuggingFace } from "../../../models/mod.ts";

Deno.test("keys of Gemma: defaults, what is honoured in both versions of transformers, what is refused by name", () => {
  const sizes = {
    hidden_size: 64,
    intermediate_size: 160,
    num_hidden_layers: 7,
    vocab_size: 256,
  };
  const two = (change: Record<string, unknown> = {}) =>
    configFromHuggingFace({ model_type: "gemma2", ...sizes, ...change });
  const three = (change: Record<string, unknown> = {}) =>
    configFromHuggingFace({ model_type: "gemma3_text", ...sizes, ...change }) as Gemma3Config;
  const common = {
    hidden: 64,
    layers: 7,
    heads: 8,
    keyValueHeads: 4,
    headDimension: 256,
    feedForward: 160,
    vocabulary: 256,
    rmsEpsilon: 1e-6,
    ropeInterleaved: false,
    ropeScaling: undefined,
    tiedHead: true,
    queryScalar: 256,
    slidingWindow: 4096,
  };
  assertEquals<object>(two(), {
    ...common,
    architecture: "gemma2",
    context: 8192,
    ropeTheta: 1e4,
    attentionCap: 50,
    logitCap: 30,
    slidingLayers: [0, 2, 4, 6],
  });
  assertEquals<object>(three(), {
    ...common,
    architecture: "gemma3",
    context: 131072,
    ropeTheta: 1e6,
    localRopeTheta: 1e4,
    attentionCap: undefined,
    logitCap: undefined,
    slidingLayers: [0, 1, 2, 3, 4, 6],
  });
  const scaled = three({
    rope_theta: 5e5,
    rope_local_base_freq: 2e4,
    rope_scaling: { rope_type: "linear", factor: 8 },
  });
  assertEquals(scaled, {
    ...three(),
    ropeTheta: 5e5,
    localRopeTheta: 2e4,
    ropeScaling: { type: "linear", factor: 8 },
  });
  const nested = three({
    rope_parameters: {
      full_attention: { rope_type: "linear", factor: 8, rope_theta: 5e5 },
      sliding_attention: { rope_type: "default", rope_theta: 2e4 },
    },
  });
  assertEquals(nested, scaled);
  assertEquals(three({ sliding_window_pattern: 2 }).slidingLayers, [0, 2, 4, 6]);
  const types = (full: number[]) =>
    Array.from({ length: 7 }, (_, i) => full.includes(i) ? "full_attention" : "sliding_attention");
  assertEquals(three({ layer_types: types([1, 2]) }).slidingLayers, [0, 3, 4, 5, 6]);
  assertEquals(two({ layer_types: types([0]) }).slidingLayers, [1, 2, 3, 4, 5, 6]);
  assertEquals(two({ sliding_window: null }).slidingWindow, undefined);
  assertEquals(two({ num_key_value_heads: null }).keyValueHeads, 8);
  assertEquals<object>(two({ attn_logit_softcapping: null, final_logit_softcapping: 20 }), {
    ...two(),
    attentionCap: undefined,
    logitCap: 20,
  });
  // Old files say this of the activation; hidden_activation counts.
  assertEquals(two({ hidden_act: "gelu" }), two());
  const refused: [() => unknown, string][] = [
    [() => two({ hidden_activation: "gelu" }), 'hidden_activation "gelu"'],
    [() => two({ use_bidirectional_attention: true }), "use_bidirectional_attention"],
    [() => two({ attention_bias: true }), "attention_bias"],
    [() => two({ query_pre_attn_scalar: 0 }), "query_pre_attn_scalar"],
    [() => two({ attn_logit_softcapping: -50 }), "attn_logit_softcapping"],
    [() => two({ layer_types: types([0]).slice(1) }), "layer_types"],
    [() => two({ sliding_window: 0 }), "sliding_window"],
    [() => three({ sliding_window_pattern: 0 }), "sliding_window_pattern"],
    [() => three({ vision_config: { a: 1 } }), "vision_config"],
    [() => three({ rope_local_base_freq: "x" }), "rope_theta"],
    [
      () =>
        three({
          rope_parameters: {
            full_attention: { rope_type: "default", rope_theta: 1e6 },
            sliding_attention: { rope_type: "linear", factor: 2, rope_theta: 1e4 },
          },
        }),
      "sliding_attention",
    ],
  ];
  for (const [read, message] of refused) assertThrows(read, RangeError, message);
});
