// OPT: forwards of all its variants, also of other libraries' quantised folders, and generating, against the f64 oracle; a real model.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import {
  Evaluator,
  generate,
  loadModel,
  type Model,
  openModelSource,
  packBatch,
} from "../../../models/mod.ts";
import type { OptShape } from "../../reference/opt.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { exists, readReviews, sharedData } from "../../support/shared_data.ts";
import { checkWrittenBack, type StoredLinear, withTemp } from "../quantised_folder.ts";
import { randomTokens, weightsOf } from "../small_model.ts";
import {
  assertOptForward,
  insideName,
  isOptLinear,
  narrowOpt,
  optLogits,
  type RandomOptOptions,
  smallOpt,
  writeOptFolder,
} from "../small_opt.ts";
import { bitsandbytesLinear } from "../stored_linears.ts";
import { transposedLinear } from "../stored_transposed.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const { vocabulary } = smallOpt;

const VARIANTS: Record<string, [OptShape, RandomOptOptions]> = {
  "norms before, biases, a tied head": [smallOpt, {}],
  "a head of its own": [smallOpt, { tied: false }],
  "norms behind, a narrower embedding, as OPT-350m": [narrowOpt, {}],
  "norms behind, a narrower head of its own": [narrowOpt, { tied: false }],
  "norms before, a narrower embedding": [{ ...narrowOpt, normBefore: true }, {}],
  "no norm behind the last block": [{ ...smallOpt, finalNorm: false }, {}],
  "no biases, norms without vectors, as Galactica": [smallOpt, { biases: false, affine: false }],
  "norms without vectors behind": [narrowOpt, { affine: false }],
  "GELU": [{ ...smallOpt, activation: "gelu" }, {}],
  "GELU by a tanh": [{ ...smallOpt, activation: "gelu_new" }, {}],
};

for (const [name, [shape, options]] of Object.entries(VARIANTS)) {
  Deno.test(`the forward of an OPT folder is the oracle's: ${name}`, async () => {
    await withTemp(async (folder) => {
      const weights = await writeOptFolder(folder, shape, options);
      using source = await openModelSource(folder);
      assertEquals(source.notes, []);
      assertEquals(
        new Set(source.tensors.keys()),
        new Set(Object.keys(weights).map(insideName)),
      );
      await assertOptForward(gpu, source, shape);
    });
  });
}

Deno.test("an OPT folder without the head's prefix, and one with a head that is the embedding", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, smallOpt, { rename: (name) => name.replace(/^model\./, "") });
    using source = await openModelSource(folder);
    await assertOptForward(gpu, source, smallOpt);
  });
  await withTemp(async (folder) => {
    await writeOptFolder(folder, smallOpt, { tied: false, config: { tie_word_embeddings: true } });
    using source = await openModelSource(folder);
    assert(!source.tensors.has("output.weight"));
    assert(source.notes!.some((note) => note.includes('Left out: "lm_head.weight"')));
  });
});

const METHODS: Record<string, {
  linear: (module: string, rows: number, columns: number, seed: number) => StoredLinear;
  settings: Record<string, unknown>;
  also?: RegExp;
  format: string;
  scales: RegExp;
}> = {
  GPTQ: {
    linear: transposedLinear("gptq"),
    settings: { quant_method: "gptq", bits: 4, group_size: 32, desc_act: false, sym: false },
    format: "int4z_g32",
    scales: /\.scales$/,
  },
  AWQ: {
    linear: transposedLinear("awq"),
    settings: { quant_method: "awq", bits: 4, group_size: 32, version: "gemm", zero_point: true },
    format: "int4z_g32",
    scales: /\.scales$/,
  },
  // All linear layers but the head: project_in and project_out too.
  bitsandbytes: {
    linear: bitsandbytesLinear("nf4", 32),
    settings: { quant_method: "bitsandbytes", load_in_4bit: true, bnb_4bit_quant_type: "nf4" },
    also: /project_(in|out)\.weight$/,
    format: "nf4_g32",
    scales: /\.absmax$/,
  },
};

for (const [name, { linear, settings, also, format, scales }] of Object.entries(METHODS)) {
  for (const shape of [smallOpt, narrowOpt]) {
    const kind = shape === narrowOpt ? "as OPT-350m" : "with norms before";
    Deno.test(`an OPT folder of ${name}, ${kind}, is read, evaluated and written back`, async () => {
      await withTemp(async (folder) => {
        const config = { quantization_config: settings };
        const weights = await writeOptFolder(folder, shape, {
          config,
          linear,
          ...also ? { also } : {},
        });
        {
          using source = await openModelSource(folder);
          const found = await weightsOf(source);
          for (const [stored, values] of Object.entries(weights)) {
            const { format: own } = source.tensors.get(insideName(stored))!;
            const isPacked = isOptLinear(stored) || also?.test(stored) === true;
            assertEquals(own.name, isPacked ? format : "F32", stored);
            assertEquals(
              [...found[insideName(stored)]].map(Math.fround),
              Array.from(values),
              stored,
            );
          }
          await assertOptForward(gpu, source, shape, 1e-4);
        }
        await checkWrittenBack(folder, scales, { tolerance: name === "bitsandbytes" ? 1e-3 : 0 });
      });
    });
  }
}

async function tokensOf(model: Model, prompt: readonly number[], count: number) {
  const tokens: number[] = [];
  for await (const { token } of generate(model, prompt, { stopTokens: [], maxTokens: count })) {
    if (token >= 0) tokens.push(token);
  }
  return tokens;
}

for (const [name, shape] of [["norms before", smallOpt], ["as OPT-350m", narrowOpt]] as const) {
  Deno.test(`OPT generates the oracle's likeliest tokens up to its last position: ${name}`, async () => {
    await withTemp(async (folder) => {
      const weights = await writeOptFolder(folder, shape);
      using source = await openModelSource(folder);
      using model = await loadModel(gpu, source);
      for (const length of [1, 5, 65]) {
        const prompt = randomTokens(vocabulary, length, length);
        const tokens = await tokensOf(model, prompt, 20);
        assertEquals(tokens.length, Math.min(20, shape.context - length));
        const all = [...prompt, ...tokens];
        const logits = optLogits(shape, weights, all);
        tokens.forEach((token, i) => {
          const at = prompt.length + i - 1;
          const row = logits.subarray(at * vocabulary, (at + 1) * vocabulary);
          assert(row[token] >= Math.max(...row) - 1e-4, `token ${i} after ${length}`);
        });
      }
    });
  });
}

Deno.test("positions that were not learned are refused", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, smallOpt);
    using source = await openModelSource(folder);
    await assertRejects(
      () => loadModel(gpu, source, { maxPositions: 71 }),
      RangeError,
      "has 70 learned ones",
    );
  });
});

const real = sharedData("models/reviews-opt-3m");

Deno.test("the real OPT model has the loss that an independent forward found", async () => {
  if (!exists(real)) return console.log(`skipped, because ${real} is not there`);
  using source = await openModelSource(real);
  assertEquals(source.notes, []);
  using model = await loadModel(gpu, source);
  using evaluator = new Evaluator(model);
  const { tokenizer } = source;
  let [sum, tokens] = [0, 0];
  const texts = readReviews().slice(0, 100);
  for (let i = 0; i < texts.length; i += 20) {
    const examples = texts.slice(i, i + 20).map((text) => {
      const ids = tokenizer!.encode(text).slice(0, 160);
      assertEquals(ids[0], 0);
      return { prompt: [], candidates: [ids], label: 0 };
    });
    const [{ loss }] = await evaluator.run([packBatch(examples, "language-modelling", 160)]);
    const count = examples.reduce((n, { candidates }) => n + candidates[0].length - 1, 0);
    sum += loss * count;
    tokens += count;
  }
  assertAlmostEquals(sum / tokens, 4.124, 5e-4);
});
