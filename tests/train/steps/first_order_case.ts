/**
 * A case of training by exact gradients that PyTorch was given too: `bench/reference/export_first_order.ts` writes it for `fo_torch.py`, whose losses
 * are kept in `tests/fixtures/first_order.json`.
 *
 * @module
 */
import { type ModelSource, quantizedSource } from "../../../models/mod.ts";
import { ggufModelSource } from "../../../models/checkpoints/gguf/open_gguf.ts";
import { bytesSource } from "../../../quant/mod.ts";
import type { LlamaShape } from "../../reference/llama.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../../support/gguf_writer.ts";
import { permuteHeads, randomLlama, randomNumbers } from "../../support/random_llama.ts";

/** Heads share keys; the embedding is the head too and stays dense. */
const shape: LlamaShape = {
  ...{ hidden: 64, layers: 2, feedForward: 160, heads: 4, kvHeads: 2, vocabulary: 288 },
  ...{ epsilon: 1e-5, ropeBase: 10000, rope: "norm" },
};

const WINDOWS = 16;
const LENGTH = 25;
const BATCH = 4;
const STEPS = 50;

/** A model of random weights in four bits, the same on every run. */
export async function firstOrderSource(): Promise<ModelSource> {
  const weights = permuteHeads(shape, randomLlama(shape, { seed: 11, tied: true }));
  const bytes = ggufBytes(llamaMetadata(shape), llamaF32Tensors(shape, weights));
  const source = ggufModelSource(bytesSource(bytes as Uint8Array<ArrayBuffer>, "random"));
  return quantizedSource(await source, { format: "int4_g32" });
}

/**
 * Windows of tokens, each but the first of a window following from the one before for the most part. With seed 5 two batches' slopes by one of
 * the 2,688 offsets cancel but for 7e-12, which f32 cannot tell and Adam divides by its own size: such a case compares roundings.
 */
export function firstOrderWindows(): number[][] {
  const random = randomNumbers(6);
  return Array.from({ length: WINDOWS }, () => {
    let token = Math.floor(random() * shape.vocabulary);
    return Array.from({ length: LENGTH }, () => {
      token = random() < 0.8
        ? (token * 7 + 3) % shape.vocabulary
        : Math.floor(random() * shape.vocabulary);
      return token;
    });
  });
}

/** The windows of each step. */
export function firstOrderBatches(): number[][] {
  return Array.from(
    { length: STEPS },
    (_, step) => Array.from({ length: BATCH }, (_, i) => (step * BATCH + i * 5) % WINDOWS),
  );
}

/** What is trained how: for fo_torch.py, and as a configuration says it. */
export const firstOrderRules: Readonly<
  Record<string, { readonly torch: readonly string[]; readonly config: string }>
> = {
  foAdam: {
    torch: ["--rule", "adam", "--lr", "0.01"],
    config: "name: foAdam, learning_rate: 0.01",
  },
  "foAdamW, clipped, two batches a move": {
    torch: [
      ...["--rule", "adamw", "--lr", "0.02", "--weight-decay", "0.1"],
      ...["--clip-norm", "0.2", "--accumulate", "2"],
    ],
    config: "name: foAdamW, learning_rate: 0.02, weight_decay: 0.1, clip_norm: 0.2, accumulate: 2",
  },
  "foSgd, clipped": {
    torch: ["--rule", "sgd", "--lr", "2", "--clip-norm", "0.25"],
    config: "name: foSgd, learning_rate: 2, clip_norm: 0.25",
  },
};
