// BERT with its own kind of tokenizer: WordPiece, [CLS] and [SEP] around a text, [MASK] in a template and in text.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { loadModel, openModelSource } from "../../../models/mod.ts";
import { languageModellingExamples, tokeniseExample } from "../../../tasks/mod.ts";
import { evaluate } from "../../../train/mod.ts";
import { withTemp } from "../quantised_folder.ts";
import { weightsOf } from "../small_model.ts";
import { robertaLoss, smallBert, writeRobertaFolder } from "./small_roberta.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";

const words = [
  ...["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "it", "was", "great", "terrible", "a"],
  ...["film", "stir", "##ring", "bore"],
];
const shape = { ...smallBert, layers: 1, vocabulary: words.length };

const tokenizerJson = {
  version: "1.0",
  added_tokens: words.slice(0, 5).map((content, id) => ({
    ...{ id, content, special: true },
    ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
  })),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    },
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
};

Deno.test("BERT of WordPiece: label words at [MASK] and masked text have the oracle's loss", async () => {
  await withTemp(async (folder) => {
    await writeRobertaFolder(folder, shape);
    await Deno.writeTextFile(join(folder, "tokenizer.json"), JSON.stringify(tokenizerJson));
    // As bert-base-uncased has it: no token is named.
    const config = { do_lower_case: true, model_max_length: 64 };
    await Deno.writeTextFile(join(folder, "tokenizer_config.json"), JSON.stringify(config));
    using gpu = await openSharedGpu();
    using source = await openModelSource(folder);
    using model = await loadModel(gpu, source);
    const tokenizer = model.tokenizer!;
    assertEquals([tokenizer.start, tokenizer.end, tokenizer.mask], [[2], [3], 4]);
    const rendered = {
      prompt: "A stirring film It was",
      after: ".",
      candidates: [" terrible", " great"],
      label: 1,
    };
    const example = tokeniseExample(tokenizer, rendered, { sees: "all" });
    assertEquals(example, {
      prompt: [2, 10, 12, 13, 11, 6, 7, 4, 5, 3],
      candidates: [[9], [8]],
      label: 1,
      masked: [7],
    });
    const weights = await weightsOf(source);
    const { loss } = await evaluate(model, [example], { objective: "classification" });
    assertAlmostEquals(loss, robertaLoss(shape, weights, [example], "classification"), 1e-5);
    const texts = languageModellingExamples(tokenizer, ["a stirring film. it was a bore."], {
      ...{ length: 32, windows: "document", sees: "all" },
    });
    const { loss: ofText } = await evaluate(model, texts, { objective: "language-modelling" });
    assert(texts[0].masked!.every((place) => place > 0 && place < texts[0].prompt.length - 1));
    assertAlmostEquals(ofText, robertaLoss(shape, weights, texts, "language-modelling"), 1e-5);
  });
});
