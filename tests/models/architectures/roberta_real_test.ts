// A real RoBERTa: the oracle's logits, and the figures of an independent f64 forward.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { loadModel, type Model, openModelSource } from "../../../models/mod.ts";
import { languageModellingExamples, loadExamples } from "../../../tasks/mod.ts";
import { evaluate } from "../../../train/mod.ts";
import { robertaLogits } from "../../reference/roberta.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { exists, readReviews, sharedData } from "../../support/shared_data.ts";
import { weightsOf } from "../small_model.ts";

const folder = sharedData("models/reviews-roberta-3m");
const sst2 = sharedData("tasks/sst2");
const missing = [folder, sst2, sharedData("tasks/text/reviews.txt")].find((it) => !exists(it));
const skipped = missing === undefined ? "" : ` (skipped: ${missing} is not there)`;

const shape = {
  kind: "roberta",
  hidden: 256,
  layers: 4,
  feedForward: 1024,
  heads: 8,
  vocabulary: 4100,
  positions: 162,
} as const;

/** How likely one of class 1 has a higher score than one of class 0. */
function areaUnderCurve(scores: readonly number[], labels: readonly number[]): number {
  const [zeros, ones] = [0, 1].map((label) => scores.filter((_, i) => labels[i] === label));
  const wins = ones.reduce(
    (sum, one) => sum + zeros.reduce((won, it) => won + (one > it ? 1 : one === it ? 0.5 : 0), 0),
    0,
  );
  return wins / (zeros.length * ones.length);
}

/** Area under the curve of SST-2's dev sentences by the two words at the mask. */
async function ofSst2(model: Model): Promise<number> {
  const examples = await loadExamples(model.tokenizer, "sst2", "dev", sst2, { sees: "all" });
  const { byExample } = await evaluate(model, examples, { objective: "classification" });
  // log(1 + exp(other - right)), turned round.
  const margins = byExample!.losses.map((loss) => -Math.log(Math.expm1(loss)));
  const labels = examples.map(({ label }) => label);
  return areaUnderCurve(margins.map((it, i) => labels[i] === 1 ? it : -it), labels);
}

Deno.test(
  `a real RoBERTa has the oracle's logits, and the figures that were measured elsewhere${skipped}`,
  { ignore: missing !== undefined },
  async () => {
    using gpu = await openSharedGpu();
    using source = await openModelSource(folder);
    assertEquals(source.notes, []);
    using model = await loadModel(gpu, source);
    const tokenizer = model.tokenizer!;
    assertEquals([tokenizer.start, tokenizer.end, tokenizer.mask], [[0], [2], 4099]);
    const reviews = readReviews();
    const tokens = tokenizer.encode(`${reviews[0].slice(0, 120)} It was<mask>.`);
    assert(tokens.includes(4099));
    const weights = await weightsOf(source);
    const error = relativeL2(
      await logitsOf(gpu, model, tokens),
      robertaLogits(shape, weights, tokens),
    );
    assert(error < 1e-5, `relative L2 of the logits is ${error}`);

    const texts = languageModellingExamples(tokenizer, reviews.slice(0, 40), {
      ...{ length: 160, windows: "document", sees: "all" },
    });
    const { loss } = await evaluate(model, texts, { objective: "language-modelling" });
    // 3.807 on the first 100, by other draws of the masks.
    assertAlmostEquals(loss, 3.807, 0.3);

    const area = await ofSst2(model);
    assertAlmostEquals(area, 0.597, 5e-4);
  },
);
