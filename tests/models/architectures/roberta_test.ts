// RoBERTa and BERT: forwards of all variants, training, quantising and writing against the f64 oracle; what is refused by name.
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  assertWritable,
  calibratedSource,
  Evaluator,
  generate,
  loadModel,
  type ModelSource,
  openModelSource,
  packBatch,
  quantizedSource,
  writeModel,
} from "../../../models/mod.ts";
import { configFromGguf } from "../../../models/config/config_gguf.ts";
import { foldedSource } from "../../../models/checkpoints/derived/folded.ts";
import { mezo } from "../../../optim/mod.ts";
import { trainedTensors } from "../../../train/mod.ts";
import { planOffsets, type Selection } from "../../../train/selection.ts";
import { Trainer } from "../../../train/steps/trainer.ts";
import vectors from "../../fixtures/roberta.json" with { type: "json" };
import { openSharedGpu } from "../../kernels/one_device.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { checkWrittenBack, tensorData, withTemp } from "../quantised_folder.ts";
import { randomTokens, textExamples, weightsOf } from "../small_model.ts";
import { bitsandbytesLinear } from "../stored_linears.ts";
import {
  assertCalibrated,
  assertDerivatives,
  assertMemory,
  assertReturns,
  assertTrainsAndReturns,
  type LossOracle,
} from "./proofs.ts";
import {
  insideName,
  isRobertaLinear,
  maskedChoices,
  maskedTexts,
  type RobertaFolder,
  robertaLogits,
  robertaLoss,
  type RobertaShape,
  smallBert,
  smallRoberta,
  writeRobertaFolder,
} from "./small_roberta.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const { vocabulary } = smallRoberta;
const CONTEXT = 62;
const tokens = randomTokens(vocabulary, 41, 3);

/** A case of tests/fixtures/roberta.json, which says how it was made. */
interface ReferenceVectors {
  readonly seed: number;
  readonly tied?: boolean;
  readonly activation?: RobertaShape["activation"];
  readonly tokens: readonly number[];
  readonly rows: readonly number[];
  readonly logits: string;
}

/** Asserts that logits everywhere and losses of both objectives are the oracle's on the source's own weights. */
async function assertForward(
  source: ModelSource,
  shape: RobertaShape,
  bound = 1e-5,
): Promise<void> {
  using model = await loadModel(gpu, source);
  const weights = await weightsOf(source);
  const error = relativeL2(
    await logitsOf(gpu, model, tokens),
    robertaLogits(shape, weights, tokens),
  );
  assert(error < bound, `relative L2 of the logits is ${error}`);
  using evaluator = new Evaluator(model);
  const text = maskedTexts(vocabulary, [9, 2, CONTEXT]);
  const choice = maskedChoices(vocabulary, [5, 3, 12]);
  const results = await evaluator.run([
    packBatch(text, "language-modelling", CONTEXT),
    packBatch(choice, "classification", CONTEXT),
  ]);
  const expected = [
    robertaLoss(shape, weights, text, "language-modelling"),
    robertaLoss(shape, weights, choice, "classification"),
  ];
  results.forEach(({ loss }, i) => assertAlmostEquals(loss, expected[i], 2 * bound));
}

const VARIANTS: Record<string, [RobertaShape, RobertaFolder]> = {
  "RoBERTa": [smallRoberta, {}],
  "RoBERTa with a head of its own": [smallRoberta, { tied: false }],
  "RoBERTa with three token types and another padding": [
    { ...smallRoberta, types: 3, padding: 4, positions: 67 },
    {},
  ],
  "RoBERTa by GELU of a tanh, its head by the other": [
    { ...smallRoberta, activation: "gelu_new" },
    {},
  ],
  "RoBERTa with a wider epsilon": [{ ...smallRoberta, epsilon: 0.01 }, {}],
  "BERT": [smallBert, {}],
  "BERT with a head of its own and ReLU": [{ ...smallBert, activation: "relu" }, { tied: false }],
};

for (const [name, [shape, options]] of Object.entries(VARIANTS)) {
  Deno.test(`the forward of a folder is the oracle's: ${name}`, async () => {
    await withTemp(async (folder) => {
      const weights = await writeRobertaFolder(folder, shape, options);
      using source = await openModelSource(folder);
      assertEquals(source.notes, []);
      assertEquals(new Set(source.tensors.keys()), new Set(Object.keys(weights).map(insideName)));
      await assertForward(source, shape);
    });
  });
}

for (const [name, shape] of [["roberta", smallRoberta], ["bert", smallBert]] as const) {
  Deno.test(`transformers' own ${name} computes alike`, async () => {
    const { tokens, rows, logits, activation, ...options } = vectors[name] as ReferenceVectors;
    const bytes = Uint8Array.from(atob(logits), (it) => it.charCodeAt(0));
    const theirs = new Float32Array(bytes.buffer);
    const pick = (all: ArrayLike<number>) =>
      rows.flatMap((row) => Array.from(all).slice(row * vocabulary, (row + 1) * vocabulary));
    const own = { ...shape, ...activation && { activation } };
    await withTemp(async (folder) => {
      const weights = await writeRobertaFolder(folder, own, options);
      const oracle = relativeL2(pick(robertaLogits(own, weights, tokens)), theirs);
      assert(oracle < 1e-6, `relative L2 of the oracle's logits is ${oracle}`);
      using source = await openModelSource(folder);
      using model = await loadModel(gpu, source);
      const error = relativeL2(pick(await logitsOf(gpu, model, tokens)), theirs);
      assert(error < 1e-5, `relative L2 of the logits is ${error}`);
    });
  });
}

Deno.test("older files of BERT and RoBERTa: gamma and beta, pooler, next sentences, a second name of the head's bias", async () => {
  await withTemp(async (folder) => {
    const { hidden } = smallBert;
    const random = (...shape: number[]) =>
      randomNormals(shape.reduce((a, b) => a * b), 1, randomNumbers(9));
    const tensor = (name: string, ...shape: number[]) =>
      tensorData(name, "F32", shape, random(...shape));
    await writeRobertaFolder(folder, smallBert, {
      config: { architectures: ["BertForPreTraining"], pooler_type: "first_token_transform" },
      rename: (name) =>
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
          "LayerNorm.bias",
          "LayerNorm.beta",
        ),
      more: [
        tensor("bert.pooler.dense.weight", hidden, hidden),
        tensor("bert.pooler.dense.bias", hidden),
        tensor("cls.seq_relationship.weight", 2, hidden),
        tensor("cls.seq_relationship.bias", 2),
        tensor("cls.predictions.decoder.bias", smallBert.vocabulary),
        tensorData("bert.embeddings.position_ids", "I64", [1, 2], new BigInt64Array([0n, 1n])),
      ],
    });
    using source = await openModelSource(folder);
    const notes = source.notes!.join("\n");
    for (const what of ["pooler", "next sentences", "second name", "numbers of positions"]) {
      assert(notes.includes(what), notes);
    }
    await assertForward(source, smallBert);
  });
});

Deno.test("names are roberta's where model_type is xlm-roberta or camembert", async () => {
  for (
    const [model_type, name] of [["xlm-roberta", "XLMRoberta"], ["camembert", "Camembert"]] as const
  ) {
    await withTemp(async (folder) => {
      const config = { model_type, architectures: [`${name}ForMaskedLM`], output_past: true };
      await writeRobertaFolder(folder, { ...smallRoberta, layers: 1 }, { config });
      using source = await openModelSource(folder);
      assertEquals([source.config.architecture, source.notes], ["roberta", []]);
    });
  }
});

Deno.test("a RoBERTa folder of bitsandbytes' NF4 is read, evaluated and written back", async () => {
  await withTemp(async (folder) => {
    const weights = await writeRobertaFolder(folder, smallRoberta, {
      config: {
        quantization_config: {
          ...{ quant_method: "bitsandbytes", load_in_4bit: true, bnb_4bit_quant_type: "nf4" },
        },
      },
      linear: bitsandbytesLinear("nf4", 32),
    });
    {
      using source = await openModelSource(folder);
      const found = await weightsOf(source);
      for (const [stored, values] of Object.entries(weights)) {
        const { format } = source.tensors.get(insideName(stored))!;
        assertEquals(format.name, isRobertaLinear(stored) ? "nf4_g32" : "F32", stored);
        assertEquals([...found[insideName(stored)]].map(Math.fround), Array.from(values), stored);
      }
      await assertForward(source, smallRoberta);
    }
    await checkWrittenBack(folder, /\.absmax$/, { tolerance: 1e-3 });
  });
});

for (
  const [name, shape, format, form] of [
    ["RoBERTa", smallRoberta, "Q4_0", "relative"],
    ["BERT", smallBert, "int4_g32", "absolute"],
  ] as const
) {
  Deno.test(`the derivative along noise on everything is the oracle's: ${name}`, async () => {
    await withTemp(async (folder) => {
      const one = { ...shape, layers: 1 };
      await writeRobertaFolder(folder, one, { seed: 4 });
      using dense = await openModelSource(folder);
      const losses: LossOracle = {
        examples: (objective) =>
          objective === "classification"
            ? maskedChoices(vocabulary, [5, 3])
            : maskedTexts(vocabulary, [7, 12]),
        loss: (...of) => robertaLoss(one, ...of),
      };
      await assertDerivatives(gpu, dense, losses, { format, form });
    });
  });
}

Deno.test("an odd vocabulary in 16 bits: the bias of the head is read, trained, folded and written", async () => {
  await withTemp(async (folder) => {
    const path = (name: string) => join(folder, name);
    const odd = { ...smallRoberta, layers: 1, vocabulary: 291 };
    await writeRobertaFolder(path("wide"), odd);
    using wide = await openModelSource(path("wide"));
    // Its own folder in F16, which the library writes.
    const half = quantizedSource(wide, { format: "F16", vectors: "F16" });
    await writeModel(half, path("half"));
    using source = await openModelSource(path("half"));
    const bias = source.tensors.get("output.bias")!;
    assertEquals([bias.columns, bias.format.name], [291, "F16"]);
    using model = await loadModel(gpu, source);
    const selection = { kinds: ["biases"], include: ["output.bias"] } as const;
    using offsets = planOffsets(model, "absolute", gpu.maxBinding, selection).allocate(gpu);
    assertEquals([offsets.trainables[0].count, offsets.scalars], [292, 291]);
    using trainer = new Trainer(model, { ...mezo({ epsilon: 0.01 }), form: "absolute" }, offsets, {
      seed: 3,
    });
    const examples = maskedTexts(290, [20, 30]).map((it) => ({
      ...it,
      candidates: [it.candidates[0].map((id, i) => i === 0 ? 290 : id)],
    }));
    trainer.enqueue(0, packBatch(examples, "language-modelling", CONTEXT));
    const [record] = await trainer.drain();
    const random = randomNumbers(4);
    offsets.write(gpu, new Map([["output.bias", randomNormals(292, 0.1, random)]]));
    const tuned = foldedSource(source, trainedTensors(offsets.trainables, await offsets.read(gpu)));
    await writeModel(tuned, path("tuned"));
    using again = await openModelSource(path("tuned"));
    using evaluator = new Evaluator(model, offsets);
    const batch = packBatch(examples, "language-modelling", CONTEXT);
    const [{ loss }] = await evaluator.run([batch]);
    const expected = robertaLoss(odd, await weightsOf(again), examples, "language-modelling");
    assertAlmostEquals(loss, expected, 1e-3);
    assert(record.losses.every((it) => Math.abs(it - loss) > 1e-4), "the bias changes the loss");
  });
});

Deno.test("a selection leaves out RoBERTa's tables, and trains biases or norms alone where told", async () => {
  await withTemp(async (folder) => {
    await writeRobertaFolder(folder, smallRoberta);
    using source = await openModelSource(folder);
    using model = await loadModel(gpu, quantizedSource(source, { format: "Q4_0" }));
    const named = (selection: Selection) =>
      planOffsets(model, "relative", gpu.maxBinding, selection).trainables.map(({ name }) => name);
    assertEquals(named({}).length, 2 * 6 + 1);
    assert(named({}).includes("output_transform.weight"));
    assertEquals(named({ kinds: ["norms"], layers: [1, 1] }), [
      "blk.1.attn_output_norm.weight",
      "blk.1.layer_output_norm.weight",
    ]);
    assertEquals(named({ kinds: ["biases"] }).length, 1 + 2 * 8 + 3);
    assertThrows(() => named({ kinds: ["dense"] }), RangeError, "token_types.*");
    assertEquals(named({ kinds: ["dense"], exclude: ["token_embd.*", "position_embd.*"] }), [
      "token_types.weight",
    ]);
  });
});

Deno.test("the planned memory of training a RoBERTa model is what it takes, to the byte", async () => {
  await withTemp(async (folder) => {
    await writeRobertaFolder(folder, smallRoberta);
    using dense = await openModelSource(folder);
    await assertMemory(gpu, dense, {
      kinds: ["scales", "norms", "biases"],
      examples: maskedChoices(vocabulary, [9, 14, 3]),
    });
  });
});

Deno.test("a RoBERTa or BERT model goes into a folder and comes back, dense, quantised and trained; GGUF is refused before work", async () => {
  const cases: [RobertaShape, RobertaFolder][] = [
    [smallRoberta, {}],
    [{ ...smallBert, activation: "gelu_new" }, { tied: false }],
  ];
  for (const [shape, options] of cases) {
    await withTemp(async (folder) => {
      const path = (name: string) => join(folder, name);
      await writeRobertaFolder(path("base"), shape, options);
      using dense = await openModelSource(path("base"));
      await assertReturns(gpu, dense, {
        path,
        formats: {
          "position_embd.weight": "F16",
          "token_types.weight": "F16",
          "output_transform.weight": "int4_g32",
        },
        examples: maskedTexts(vocabulary, [20]),
      });
      using again = await openModelSource(path("tuned"));
      await assertForward(again, shape);
      using small = await openModelSource(path("small"));
      await assertRejects(
        () => assertWritable(small, path("x.gguf")),
        RangeError,
        "have no head for masked tokens",
      );
    });
  }
});

Deno.test("a RoBERTa or BERT model is quantised, trained for 20 steps, folded, written and read again", async () => {
  for (const shape of [smallRoberta, smallBert]) {
    await withTemp(async (folder) => {
      const path = (name: string) => join(folder, name);
      await writeRobertaFolder(path("base"), shape);
      using dense = await openModelSource(path("base"));
      const losses: LossOracle = {
        examples: () => maskedTexts(vocabulary, [20, 17]),
        loss: (...of) => robertaLoss(shape, ...of),
      };
      const [small, tuned] = [path("small"), path("tuned")];
      await assertTrainsAndReturns(gpu, dense, losses, { format: "int4_g32", small, tuned });
    });
  }
});

for (const method of ["gptq", "awq", "imatrix"]) {
  Deno.test(`RoBERTa quantised with ${method} computes as the oracle on its weights`, async () => {
    await withTemp(async (folder) => {
      await writeRobertaFolder(folder, smallRoberta);
      using dense = await openModelSource(folder);
      const windows = maskedTexts(vocabulary, [40, 60]);
      const source = await assertCalibrated(gpu, dense, method, {
        windows,
        matrices: 2 * 6 + 1,
        loss: (weights) => robertaLoss(smallRoberta, weights, windows, "language-modelling"),
      });
      await assertForward(source, smallRoberta, 1e-4);
    });
  });
}

Deno.test("examples without masks, generating and positions that were not learned are refused by name", async () => {
  await withTemp(async (folder) => {
    await writeRobertaFolder(folder, smallRoberta);
    using source = await openModelSource(folder);
    using model = await loadModel(gpu, source);
    using evaluator = new Evaluator(model);
    const batch = packBatch(textExamples(vocabulary, [9]), "language-modelling", CONTEXT);
    await assertRejects(() => evaluator.run([batch]), RangeError, "predicts masked tokens alone");
    await assertRejects(
      () => Array.fromAsync(generate(model, [0, 5, 6])),
      RangeError,
      "Cannot generate with a model of architecture roberta",
    );
    await assertRejects(
      () =>
        calibratedSource(gpu, source, textExamples(vocabulary, [9]), {
          method: "gptq",
          format: "int4_g32",
        }),
      RangeError,
      "predicts masked tokens alone",
    );
    await assertRejects(
      () => loadModel(gpu, source, { maxPositions: 63 }),
      RangeError,
      "has 62 learned ones",
    );
  });
});

Deno.test("a GGUF file of BERT is refused by name, with the reason", () => {
  const metadata = new Map<string, unknown>([["general.architecture", "bert"], [
    "bert.block_count",
    2,
  ]]);
  assertThrows(
    () => configFromGguf(metadata, { embeddingRows: 290, hasHead: false }, "x.gguf"),
    RangeError,
    'architecture "bert" is read from Hugging Face folders only, as llama.cpp\'s files of BERT and RoBERTa have no head for masked tokens',
  );
});

Deno.test("a folder that lacks a part of the head, or has a stranger, is refused by name", async () => {
  const cases: [RobertaFolder, string][] = [
    [
      { rename: (name) => name.replace("lm_head.dense", "lm_head.linear") },
      "lm_head.dense.weight",
    ],
    [
      { rename: (name) => name.replace("lm_head.dense", "classifier.dense") },
      "the head of a classifier",
    ],
    [{ config: { type_vocab_size: 2 } }, "expected [2, 96]"],
    [{ config: { max_position_embeddings: 65 } }, "expected [65, 96]"],
    [{ config: { tie_word_embeddings: false } }, "lm_head.decoder.weight"],
    [{ more: [tensorData("x.weight", "F32", [1, 4], new Float32Array(4))] }, "x.weight"],
  ];
  for (const [options, message] of cases) {
    await withTemp(async (folder) => {
      await writeRobertaFolder(folder, smallRoberta, options);
      await assertRejects(() => openModelSource(folder), RangeError, message);
    });
  }
});
