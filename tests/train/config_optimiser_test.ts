import { assertEquals, assertThrows } from "@std/assert";
import { linear, qzo, qzoNormalised } from "../../optim/mod.ts";
import { parseTrainConfig, type TrainConfig } from "../../train/config.ts";
import { optimiserOfConfig } from "../../train/config_optimiser.ts";

function config(optimiser: string): TrainConfig {
  return parseTrainConfig(`model: a.gguf\nsteps: 200\noptimiser: ${optimiser}`, "o.yaml");
}

Deno.test("config optimiser: defaults are the optimiser's own", () => {
  const one = optimiserOfConfig(config("{}"));
  const other = qzoNormalised();
  assertEquals(one.describe(), other.describe());
});

Deno.test("config optimiser: arguments arrive, schedules end with the run", () => {
  const one = optimiserOfConfig(
    config(
      "{name: qzo, epsilon: 0.01, learning_rate: 0.5, clip: 3, queries: 2, form: relative, distribution: rademacher, schedule: {kind: linear, warmup: 10, end: 0.1}}",
    ),
  );
  const other = qzo({
    epsilon: 0.01,
    learningRate: linear(0.5, { total: 200, warmup: 10, end: 0.1 }),
    clip: 3,
    queries: 2,
    form: "relative",
    distribution: "rademacher",
  });
  assertEquals(one.describe(), other.describe());
});

Deno.test("config optimiser: what would have no effect is refused", () => {
  for (
    const [text, message] of [
      ["{name: mezo, clip: 3}", "optimiser.clip: 3: mezo has no such argument"],
      ["{name: qzo, decay: 0.9}", "optimiser.decay: 0.9: qzo has no such argument"],
      ["{schedule: {kind: cosine}}", "needs optimiser.learning_rate"],
      ["{schedule: {end: 1}}", "a constant schedule has none"],
      ["{learning_rate: 1, schedule: {kind: linear, warmup: 300}}", "warmup"],
    ]
  ) {
    assertThrows(() => optimiserOfConfig(config(text)), RangeError, message);
  }
});
