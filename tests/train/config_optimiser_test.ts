import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertNotEquals,
  assertThrows,
} from "@std/assert";
import {
  accumulate,
  batchPerDirection,
  chain,
  clipByQuantile,
  fzoo,
  learningRateOf,
  linear,
  namedOptimisers,
  optimiserNames,
  qzo,
  qzoNormalised,
  rejectSpikes,
  withRule,
  zoAdam,
  zoAdamW,
} from "../../optim/mod.ts";
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
      ["{schedule: {end: 1}}", "a constant schedule has none"],
      ["{learning_rate: 1, schedule: {kind: linear, warmup: 300}}", "warmup"],
    ]
  ) {
    assertThrows(() => optimiserOfConfig(config(text)), RangeError, message);
  }
});

// As a configuration is that names neither directions nor their law.
const { queries: _one, distribution: _normal, ...plain } = config("{learning_rate: 0.5}").optimiser;

Deno.test("config optimiser: a schedule without a learning rate begins at the optimiser's own", () => {
  for (const name of optimiserNames) {
    const own = learningRateOf(namedOptimisers[name].make({}));
    assert(own !== undefined && own > 0, name);
    const described = (rate: string) =>
      optimiserOfConfig(config(`{name: ${name}, ${rate}schedule: {kind: linear, warmup: 3}}`))
        .describe();
    assertEquals(described(""), described(`learning_rate: ${own}, `), name);
    assertNotEquals(described(""), described(`learning_rate: ${2 * own}, `), name);
  }
});

Deno.test("config optimiser: every name makes its optimiser, with its own defaults", () => {
  for (const name of optimiserNames) {
    const made = optimiserOfConfig({ optimiser: { ...plain, name }, steps: 10 });
    assertEquals(made.name, name);
    assertEquals(made.distribution, namedOptimisers[name].make({}).distribution, name);
    const rate = made.update?.parameters.learningRate ??
      made.transformation.parts?.at(-1)?.inputs(3);
    const expected = made.update ? { schedule: "constant", value: 0.5, warmup: 0 } : [0.5];
    assertEquals(rate, expected, name);
  }
  const made = optimiserOfConfig({ optimiser: { ...plain, name: "fzoo" }, steps: 10 });
  assertEquals(made.describe(), fzoo({ learningRate: 0.5 }).describe());
});

Deno.test("config optimiser: arguments of their own arrive, and at no other", () => {
  const one = optimiserOfConfig({
    optimiser: {
      ...plain,
      name: "zoAdam",
      momentum: 0.8,
      state: "seeds",
      length: 12,
      queries: 2,
    },
    steps: 10,
  });
  const other = zoAdam({
    learningRate: 0.5,
    momentum: 0.8,
    state: "seeds",
    length: 12,
    queries: 2,
  });
  assertEquals(one.describe(), other.describe());
  const yaml = optimiserOfConfig(config("{name: zoAdamW, weight_decay: 0.2, state: stored}"));
  assertEquals(yaml.describe(), zoAdamW({ weightDecay: 0.2 }).describe());
  for (
    const [key, value] of [["momentum", 0.5], ["state", "seeds"], ["sparsity", 0.5], [
      "clip",
      3,
    ]] as const
  ) {
    const optimiser = { ...plain, name: "fzoo" as const, [key]: value };
    assertThrows(() => optimiserOfConfig({ optimiser, steps: 10 }), RangeError, `${key}: ${value}`);
  }
  const released = optimiserOfConfig({
    optimiser: { ...plain, name: "sparseZo", sparsity: 0.5, budget: "global", asReleased: true },
    steps: 10,
  });
  assertEquals(released.plan.mask?.budget, "global");
  assertAlmostEquals(released.plan.mask!.density, 0.3085, 1e-4);
  const optimiser = { ...plain, name: "threePointDescent" as const, queries: 2 };
  assertThrows(() => optimiserOfConfig({ optimiser, steps: 10 }), RangeError, "queries: 2");
});

Deno.test("config optimiser: parts are laid around the rule of any optimiser", () => {
  const one = optimiserOfConfig(
    config(
      "{name: qzo, learning_rate: 0.5, schedule: {kind: linear}, reject_spikes: 3, clip_quantile: 0.9, accumulate: 4, queries: 2}",
    ),
  );
  const own = qzo({ learningRate: linear(0.5, { total: 50 }), queries: 2 });
  const other = withRule(own, (rule) =>
    chain(
      rejectSpikes({ threshold: 3 }),
      clipByQuantile({ quantile: 0.9 }),
      accumulate(4, rule, { directions: 2 }),
    ));
  assertEquals(one.describe(), other.describe());
  // The last of 200 steps is the last of the schedule.
  const inputs = (step: number) => Number(one.transformation.inputs(step).at(-1)).toFixed(6);
  assertEquals([199, 3, 4].map(inputs), ["0.010000", "0.500000", "0.490000"]);

  const apart = optimiserOfConfig(config("{name: fzoo, batch_per_direction: 3, queries: 4}"));
  assertEquals(
    apart.describe(),
    withRule(fzoo({ queries: 4 }), (rule) => batchPerDirection(3, rule, { directions: 4 }))
      .describe(),
  );
  assertThrows(
    () => optimiserOfConfig(config("{accumulate: 2, batch_per_direction: 2}")),
    RangeError,
    "optimiser.accumulate: 2 keeps its directions",
  );
  for (const part of ["reject_spikes: 4", "clip_quantile: 0.95", "accumulate: 2"]) {
    const refused = optimiserNames.filter((name) => {
      try {
        return optimiserOfConfig(config(`{name: ${name}, ${part}}`)).name !== name;
      } catch (error) {
        assert(error instanceof RangeError && error.message.startsWith("Cannot"), `${error}`);
        return true;
      }
    });
    assertEquals([part, ...refused], [part]);
  }
});
