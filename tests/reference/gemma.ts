/**
 * The f64 oracle of a whole forward of Gemma 2 and Gemma 3, from dense weights by their GGUF names; gains are gains, not distances from 1.
 *
 * @module
 */
import { float16ToNumber, numberToFloat16 } from "../../quant/layouts/float16.ts";
import { attention, causalRows } from "./attention.ts";
import { embedding } from "./embedding.ts";
import { geluTanh } from "./gelu.ts";
import { matmul } from "./matmul.ts";
import { rmsNorm } from "./rms_norm.ts";
import { rope } from "./rope.ts";

/** Sizes and constants of a Gemma model. */
export interface GemmaShape {
  readonly hidden: number;
  readonly layers: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabulary: number;
  readonly epsilon: number;
  readonly window: number;
  /** Layers with the window. */
  readonly slides: readonly number[];
  /** Base of the rotary frequencies, and what divides them. */
  readonly ropeBase: number;
  readonly ropeFactor?: number;
  /** That of layers with a window, which are not divided then; the same unless given. */
  readonly localBase?: number;
  /** `query_pre_attn_scalar`. */
  readonly scalar: number;
  readonly attentionCap?: number;
  readonly logitCap?: number;
  /** GELU as ggml has it: from a table of halves. */
  readonly geluOfHalves?: boolean;
}

const halves = (x: number): number =>
  float16ToNumber(numberToFloat16(geluTanh(float16ToNumber(numberToFloat16(x)))));

/** Logits `[tokens][vocabulary]`. Queries and keys are normalised where there are gains for them. */
export function gemmaLogits(
  shape: GemmaShape,
  weights: Readonly<Record<string, ArrayLike<number>>>,
  tokens: ArrayLike<number>,
): Float64Array {
  const { hidden, feedForward, heads, kvHeads, headSize, vocabulary, epsilon } = shape;
  const rows = tokens.length;
  const positions = Array.from({ length: rows }, (_, i) => i);
  const tensor = (name: string, size: number): ArrayLike<number> => {
    const found = weights[`${name}.weight`];
    if (found?.length !== size) {
      throw new TypeError(`Cannot run: "${name}" has ${found?.length} elements, not ${size}`);
    }
    return found;
  };
  const project = (name: string, x: Float64Array, inputs: number, outputs: number) =>
    matmul(
      { branches: 1, rows, inputs, outputs },
      [tensor(name, inputs * outputs)],
      x,
      null,
      null,
    );
  const norm = (name: string, x: Float64Array, width = hidden) =>
    rmsNorm(x, tensor(name, width), width, epsilon);
  const plus = (a: Float64Array, b: Float64Array) => a.map((it, i) => it + b[i]);

  let x = embedding([tensor("token_embd", vocabulary * hidden)], hidden, tokens)
    .map((it) => it * Math.sqrt(hidden));
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = `blk.${layer}`;
    const local = shape.slides.includes(layer);
    const apart = local && shape.localBase !== undefined;
    const a = norm(`${at}.attn_norm`, x);
    const turned = (part: "q" | "k", count: number) => {
      const y = project(`${at}.attn_${part}`, a, hidden, count * headSize);
      const even = weights[`${at}.attn_${part}_norm.weight`]
        ? norm(`${at}.attn_${part}_norm`, y, headSize)
        : y;
      const factor = apart ? 1 : shape.ropeFactor ?? 1;
      const factors = Array<number>(headSize / 2).fill(factor);
      const base = apart ? shape.localBase! : shape.ropeBase;
      return rope(even, positions, count, headSize, base, "neox", factors);
    };
    const mixed = attention(
      {
        branches: 1,
        heads,
        kvHeads,
        headSize,
        scale: 1 / Math.sqrt(shape.scalar),
        cap: shape.attentionCap,
        window: local ? shape.window : undefined,
      },
      causalRows(rows),
      turned("q", heads),
      turned("k", kvHeads),
      project(`${at}.attn_v`, a, hidden, kvHeads * headSize),
    );
    const output = project(`${at}.attn_output`, mixed, heads * headSize, hidden);
    x = plus(x, norm(`${at}.post_attention_norm`, output));
    const f = norm(`${at}.ffn_norm`, x);
    const gate = project(`${at}.ffn_gate`, f, hidden, feedForward)
      .map(shape.geluOfHalves ? halves : geluTanh);
    const up = project(`${at}.ffn_up`, f, hidden, feedForward);
    const down = project(`${at}.ffn_down`, gate.map((it, i) => it * up[i]), feedForward, hidden);
    x = plus(x, norm(`${at}.post_ffw_norm`, down));
  }
  const logits = project(
    weights["output.weight"] ? "output" : "token_embd",
    norm("output_norm", x),
    hidden,
    vocabulary,
  );
  const { logitCap } = shape;
  return logitCap === undefined ? logits : logits.map((it) => logitCap * Math.tanh(it / logitCap));
}
