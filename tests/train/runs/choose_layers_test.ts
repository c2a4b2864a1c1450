import { assert, assertEquals } from "@std/assert";
import { dominantLayer } from "../../../train/probes/dominant_layer.ts";
import { configToYaml, parseTrainConfig, selectionOfConfig } from "../../../train/mod.ts";
import { chooseLayers } from "../../../train/runs/choose_layers.ts";
import { loadTiny, tinyExamples } from "../tiny_model.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());

Deno.test("a word for a layer becomes its number, and a number stays what it is", async () => {
  using model = await loadTiny(gpu, "Q4_0");
  const train = { examples: tinyExamples(24) };
  for (const [word, by] of [["dominant", "outliers"], ["sensitive", "sensitivity"]] as const) {
    const config = parseTrainConfig(
      `model: a.gguf\nbatch_size: 4\ntrainables: {layers: ${word}, include: ["*attn*"]}`,
      "a.yaml",
    );
    assertEquals(config.trainables.layers, word);
    assertEquals(parseTrainConfig(configToYaml(config), "b.yaml"), config);
    assertEquals(selectionOfConfig(config).layers, undefined);
    let told = 0;
    const examples = { train, objective: "classification" } as never;
    const chosen = await chooseLayers(config, model, examples, (done) => told = done);
    const { layer } = await dominantLayer(model, train.examples, {
      by,
      objective: "classification",
      batchSize: 4,
      selection: selectionOfConfig(config),
    });
    assertEquals(chosen.trainables, { ...config.trainables, layers: [layer, layer] });
    assert(told > 0);
    assertEquals(await chooseLayers(chosen, model, examples), chosen);
    assertEquals(parseTrainConfig(configToYaml(chosen), "c.yaml"), chosen);
  }
});
