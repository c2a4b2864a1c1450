// Qwen2, Qwen3 and Phi-3: derivatives against the oracle, quantised by calibration, and what training leaves goes into files and comes back.
import { join } from "@std/path";
import { openModelSource } from "../../../models/mod.ts";
import {
  ggufName,
  llamaLogits,
  type LlamaShape,
  type NamedWeights,
} from "../../reference/llama.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { withTemp } from "../quantised_folder.ts";
import { smallShape, textExamples } from "../small_model.ts";
import {
  assertCalibrated,
  assertDerivatives,
  assertLosses,
  assertMemory,
  assertTrainsAndReturns,
  lossOf,
  type Oracle,
} from "./proofs.ts";
import { type Weights, writeFolder } from "./written_folder.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

const plain: LlamaShape = { ...smallShape, rope: "neox", layers: 1 };

/** Vectors beside the matrices of a name: biases, or gains near 1. */
function beside(shape: LlamaShape, of: RegExp, make: (name: string) => [string, number, number]) {
  const random = randomNumbers(7);
  const weights: Weights = randomLlama(shape, { tied: true });
  for (const name of Object.keys(weights).filter((it) => of.test(it))) {
    const [own, length, around] = make(name);
    weights[own] = randomNormals(length, 0.3, random).map((it) => around + it);
  }
  return weights;
}

const wide: LlamaShape = { ...plain, headSize: 32 };
const qwen2 = beside(plain, /\.[qkv]_proj\./, (name) => {
  const heads = name.includes("q_proj") ? plain.heads : plain.kvHeads;
  return [name.replace("weight", "bias"), heads * plain.hidden / plain.heads, 0];
});
const qwen3 = beside(
  wide,
  /\.[qk]_proj\./,
  (name) => [name.replace("_proj", "_norm"), wide.headSize!, 1],
);

/** The matrices of a Phi-3, joined as it has them, by their names in a folder. */
const JOINED: readonly (readonly [whole: string, parts: readonly string[]])[] = [
  ["self_attn.qkv_proj", ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]],
  ["mlp.gate_up_proj", ["mlp.gate_proj", "mlp.up_proj"]],
];

function joined(weights: Weights): Weights {
  const result = { ...weights };
  for (const [whole, parts] of JOINED) {
    const names = parts.map((part) => `model.layers.0.${part}.weight`);
    const rows = names.flatMap((name) => [...weights[name]]);
    for (const name of names) delete result[name];
    result[`model.layers.0.${whole}.weight`] = Float32Array.from(rows);
  }
  return result;
}

/** The parts of what is joined inside, for the oracle of Llama. */
function apart(weights: NamedWeights): NamedWeights {
  const like = randomLlama(plain, { tied: true });
  const result: Record<string, ArrayLike<number>> = { ...weights };
  for (const [whole, parts] of JOINED) {
    const own = whole.includes("qkv") ? "blk.0.attn_qkv.weight" : "blk.0.ffn_up.weight";
    let at = 0;
    const all = Float64Array.from(weights[own]);
    delete result[own];
    for (const part of parts) {
      const name = `model.layers.0.${part}.weight`;
      result[ggufName(name)] = all.slice(at, at += like[name].length);
    }
  }
  return result;
}

const CASES: Record<string, {
  readonly shape: LlamaShape;
  readonly weights: Weights;
  readonly keys: object;
  readonly inside?: (weights: NamedWeights) => NamedWeights;
}> = {
  Qwen2: { shape: plain, weights: qwen2, keys: { model_type: "qwen2" } },
  Qwen3: { shape: wide, weights: qwen3, keys: { model_type: "qwen3", head_dim: 32 } },
  "Phi-3": {
    shape: plain,
    weights: joined(randomLlama(plain, { tied: true })),
    keys: { model_type: "phi3" },
    inside: apart,
  },
};

for (
  const [name, { shape, weights, keys, inside = (it: NamedWeights) => it }] of Object.entries(CASES)
) {
  const oracle: Oracle = {
    vocabulary: shape.vocabulary,
    logits: (weights, tokens) => llamaLogits(shape, inside(weights), tokens),
  };
  Deno.test(`the derivative along noise on everything of a ${name} is the oracle's; trained, it goes into a folder and GGUF and comes back; memory is as planned`, async () => {
    await withTemp(async (folder) => {
      const path = (name: string) => join(folder, name);
      await writeFolder(path("base"), shape, weights, keys);
      using source = await openModelSource(path("base"));
      await assertDerivatives(gpu, source, oracle);
      for (const [format, end] of [["int4_g32", ""], ["Q4_0", ".gguf"]]) {
        const [small, tuned] = [path(`small${end}`), path(`tuned${end}`)];
        await assertTrainsAndReturns(gpu, source, oracle, { format, small, tuned });
      }
      await assertMemory(gpu, source);
    });
  });

  Deno.test(`a ${name} quantised by AWQ or GPTQ computes as the oracle on its weights`, async () => {
    await withTemp(async (folder) => {
      await writeFolder(folder, shape, weights, keys);
      using dense = await openModelSource(folder);
      const windows = textExamples(shape.vocabulary, [40, 60]);
      for (const method of ["awq", "gptq"]) {
        const source = await assertCalibrated(gpu, dense, method, {
          windows,
          matrices: name === "Phi-3" ? 4 : 7,
          loss: (its) => lossOf(oracle, its, windows, "language-modelling"),
        });
        await assertLosses(gpu, source, oracle, 1e-4);
      }
    });
  });
}
