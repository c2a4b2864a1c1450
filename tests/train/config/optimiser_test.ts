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
  directionSeed,
  fzoo,
  learningRateAt,
  learningRateOf,
  linear,
  lozo,
  namedOptimisers,
  type Optimiser,
  optimiserNames,
  periods,
  preparationsOf,
  qzo,
  qzoNormalised,
  qzoPlus,
  rejectSpikes,
  withRule,
  zoAdam,
  zoAdamW,
} from "../../../optim/mod.ts";
import { parseTrainConfig, type TrainConfig } from "../../../train/config/mod.ts";
import { parseBenchmark } from "../../../train/comparison/benchmark_config.ts";
import { optimiserOfConfig } from "../../../train/config/optimiser.ts";
import { updateInputs } from "../../../optim/updates/update_rule.ts";

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

Deno.test("config optimiser: one without a schedule has its own, which is the library's and that of tables", () => {
  for (const name of optimiserNames) {
    const { kind } = config(`{name: ${name}}`).optimiser.schedule;
    assertEquals(kind, name === "qzoPlus" ? "linear" : "constant", name);
  }
  assertEquals(
    optimiserOfConfig(config("{name: qzoPlus}")).describe(),
    qzoPlus({ steps: 200 }).describe(),
  );
  assertEquals(
    optimiserOfConfig(config("{name: qzoPlus, schedule: {kind: constant}}")).describe(),
    qzoPlus().describe(),
  );
  assertEquals(
    optimiserOfConfig(config("{name: qzoPlus, schedule: {warmup: 9}, learning_rate: 0.3}"))
      .describe(),
    qzoPlus({ learningRate: linear(0.3, { total: 200, warmup: 9 }) }).describe(),
  );
  const compared = parseBenchmark(
    "forwards: 90\ncases: {a: {model: a.gguf, task: sst2}}\noptimisers: {plus: {name: qzoPlus}}",
    "b.yaml",
  );
  const job = { case: "a", optimiser: "plus", learningRate: undefined, seed: 0 };
  assertEquals(
    optimiserOfConfig(compared.job(job).config).describe(),
    qzoPlus({ steps: 10 }).describe(),
  );
});

Deno.test("config optimiser: the default rate of a long run is lower, of scales and of adapters, and a chosen one is used as it is", () => {
  const of = (steps: number, rest: string, scheme = "full"): Optimiser =>
    optimiserOfConfig(
      parseTrainConfig(
        `model: a.gguf\nsteps: ${steps}\nscheme: ${scheme}\noptimiser: {name: qzoPlus${rest}}`,
        "o.yaml",
      ),
    );
  const rateOf = (...given: Parameters<typeof of>) => learningRateAt(of(...given))!(0);
  for (const scheme of ["full", "lora"]) {
    assertEquals(rateOf(250, "", scheme), 0.5);
    assertEquals(rateOf(1000, "", scheme), 0.25);
    assertEquals(rateOf(4000, ", schedule: {kind: cosine}", scheme), 0.125);
    assertEquals(rateOf(4000, ", schedule: {kind: constant}", scheme), 0.5);
    assertEquals(rateOf(4000, ", learning_rate: 0.5", scheme), 0.5);
  }
  assertEquals(rateOf(4000, ", accumulate: 4"), 0.25);
  assertEquals(of(1000, "").describe(), qzoPlus({ steps: 1000 }).describe());
  // Of the others the default rate does not depend on the length of a run.
  for (const name of optimiserNames.filter((one) => one !== "qzoPlus")) {
    const made = optimiserOfConfig(
      parseTrainConfig(
        `model: a.gguf\nsteps: 100000\noptimiser: {name: ${name}, schedule: {kind: linear}}`,
        "o.yaml",
      ),
    );
    assertEquals(
      learningRateAt(made)?.(0),
      namedOptimisers[name].shared.learningRate.default,
      name,
    );
  }
});

Deno.test("config optimiser: the bound of runs from before 2026-12 can be asked for", () => {
  const { parts } = optimiserOfConfig(config("{name: qzoPlus, largest: 0.5}")).transformation;
  assertEquals(parts?.map(({ parameters }) => parameters.largest).filter((x) => x), [0.5]);
  assertThrows(() => optimiserOfConfig(config("{largest: 0.5}")), RangeError, "largest");
});

Deno.test("a comparison's case has no optimiser of its own", () => {
  const yaml =
    "cases: {a: {model: a.gguf, optimiser: {epsilon: 1}}}\noptimisers: {plus: {name: qzoPlus}}";
  assertThrows(() => parseBenchmark(yaml, "b.yaml"), RangeError, "cases.a.optimiser");
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
    const own = learningRateOf(namedOptimisers[name]({}));
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
    assertEquals(made.distribution, namedOptimisers[name]({}).distribution, name);
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
    "optimiser.accumulate: 2 uses the same directions",
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
    // Gradients of several steps add up where they lie; noise beside them does not.
    const wanted = part.startsWith("accumulate") ? ["addax", "hybridZoFo"] : [];
    assertEquals([part, ...refused], [part, ...wanted]);
  }
});

/** Rates of all moves of a run, as its optimiser has them. */
function ratesOf(made: Optimiser, steps: number, period: number): number[] {
  const moves = Array.from({ length: Math.floor(steps / period) }, (_, i) => period * (i + 1) - 1);
  return moves.map((step, i) => {
    if (!made.update) return made.transformation.inputs(step).at(-1)!;
    const [first] = updateInputs(made, step);
    // Adam's first scalar is the rate over its bias correction, of the move.
    return made.update.name.startsWith("adam") ? first * (1 - 0.9 ** (i + 1)) : first;
  });
}

Deno.test("times are in steps of the run, whatever the period of a move and whatever the rule", () => {
  const names = ["mezo", "qzo", "zoSgdSign", "zoSgdMomentum", "zoAdam", "zoAdamW"] as const;
  for (const name of names) {
    for (
      const [part, period] of [["", 1], ["accumulate: 4, ", 4], [
        "batch_per_direction: 4, ",
        4,
      ]] as const
    ) {
      if (part.startsWith("batch") && zoLike.has(name)) continue;
      for (const kind of ["linear", "cosine", "constant"] as const) {
        const end = kind === "constant" ? "" : ", end: 0.25";
        const yaml =
          `model: a.gguf\nsteps: 400\noptimiser: {name: ${name}, learning_rate: 1, ${part}schedule: {kind: ${kind}, warmup: 20${end}}}`;
        const rates = ratesOf(optimiserOfConfig(parseTrainConfig(yaml, "a.yaml")), 400, period);
        const where = `${name} ${part}${kind}`;
        assertEquals(rates.length, 400 / period);
        // Up to the peak at the end of the warm-up, and not before.
        const peak = rates.findIndex((rate) => rate > 1 - 1e-6);
        assertEquals(peak, 20 / period - 1, where);
        rates.slice(0, peak + 1).forEach((rate, i) =>
          assertAlmostEquals(rate, (i + 1) / (peak + 1), 1e-6, where)
        );
        // Down to a move's share from the end.
        const last = kind === "constant" ? 1 : 0.25;
        assert(
          Math.abs(rates.at(-1)! - last) < 0.76 / (380 / period) + 1e-6,
          `${where} ${rates.at(-1)}`,
        );
      }
    }
  }
});

/** What has its own state, along whose directions a move cannot be put together. */
const zoLike = new Set<string>(["zoSgdSign", "zoSgdMomentum", "zoAdam", "zoAdamW"]);

Deno.test("a warm-up may be as long as the run, also where the run is no whole number of moves", () => {
  const of = (warmup: number) =>
    optimiserOfConfig(
      parseTrainConfig(
        `model: a.gguf\nsteps: 402\noptimiser: {name: qzo, learning_rate: 1, accumulate: 4, schedule: {kind: linear, warmup: ${warmup}}}`,
        "a.yaml",
      ),
    );
  assertEquals(ratesOf(of(402), 402, 4).at(-1), 1);
  assertEquals(ratesOf(of(120), 402, 4).findIndex((rate) => rate === 1), 29);
  assertThrows(() => of(403), RangeError, "schedule.warmup: 403: the run has 402 steps");
});

Deno.test("what is kept for a while is kept for steps of the run", () => {
  const changes = (text: string, steps = 600) => {
    const { plan } = optimiserOfConfig(config(text));
    if (plan.magnitude) {
      return periods(preparationsOf(plan), 0, steps).map(({ from }) => from).slice(1);
    }
    const words = Array.from({ length: steps }, (_, step) => directionSeed(plan, 7, step, 0)[1]);
    return words.flatMap((word, step) => step > 0 && word !== words[step - 1] ? [step] : []);
  };
  for (const part of ["", ", accumulate: 4", ", batch_per_direction: 4"]) {
    for (const name of ["lozo", "sparseZo", "sparseMezo"]) {
      assertEquals(changes(`{name: ${name}, resample: 100${part}}`), [100, 200, 300, 400, 500]);
    }
    // The optimiser's own 50 too; of accumulated steps whole moves, 13 of 4.
    const own = part === ", accumulate: 4" ? 52 : 50;
    assertEquals(
      changes(`{name: lozo${part}}`, 160),
      [own, 2 * own, 3 * own].filter((at) => at < 160),
    );
  }
  // In the library as well, and where a rule is laid around twice.
  const twice = withRule(
    withRule(lozo({ resample: 60 }), (rule) => rule),
    (rule) => accumulate(3, rule),
  );
  assertEquals([twice.plan.hold, twice.plan.lowRank?.keep], [3, 20]);
  assertEquals(withRule(twice, (rule) => rule).plan, twice.plan);
});

Deno.test("config optimiser: tangents stand in for differences, and an epsilon beside them is refused", () => {
  const of = (lines: string) =>
    optimiserOfConfig(
      parseTrainConfig(`model: a.gguf\nsteps: 20\noptimiser: {${lines}}`, "c.yaml"),
    );
  const { name, estimator, transformation } = of("name: qzoNormalised, queries: 2, tangents: true");
  assertEquals([name, estimator.name, estimator.directions], [
    "qzoNormalised",
    "forwardGradient",
    2,
  ]);
  assertEquals(
    transformation.parameters,
    of("name: qzoNormalised, queries: 2").transformation.parameters,
  );
  assertEquals(of("name: mezo, tangents: false").estimator.name, "spsa");
  for (
    const lines of ["name: mezo, tangents: true, epsilon: 0.1", "name: forwardGrad, epsilon: 0.1"]
  ) {
    assertThrows(() => of(lines), RangeError, "optimiser.epsilon: 0.1");
  }
  assertThrows(() => of("name: threePointDescent, tangents: true"), RangeError, "threePoint");
});

Deno.test("config optimiser: what an adapter alone looks and steps by default goes with the size of its numbers", () => {
  const of = (scheme: string, name: string): [number, number] => {
    const made = optimiserOfConfig(
      parseTrainConfig(
        `model: a.gguf\nsteps: 200\nscheme: ${scheme}\noptimiser: {name: ${name}, schedule: {kind: constant}}`,
        "o.yaml",
      ),
    );
    const reach = Math.max(...made.estimator.branches.map(({ amplitude }) => amplitude));
    return [reach, learningRateOf(made)!];
  };
  assertEquals(of("lora", "qzo"), [1e-2, 1e-4]);
  // MeZO's own for prefixes.
  const [epsilon, rate] = of("prefix", "qzo");
  assertAlmostEquals(epsilon, 1e-1, 1e-12);
  assertAlmostEquals(rate, 1e-2, 1e-12);
  // Normalised: as many times as long. A share of what the curvature allows: the same share.
  for (const [name, times] of [["qzoNormalised", 10], ["zoAdam", 10], ["qzoPlus", 1]] as const) {
    const [one, ten] = [of("prompt", name), of("prefix", name)];
    assertAlmostEquals(ten[0], 10 * one[0], 1e-12);
    assertAlmostEquals(ten[1], times * one[1], 1e-12);
    // Half as far where a product is trained, by what takes its step's length from there.
    assertEquals(of("lora", name), name === "qzoPlus" ? [one[0] / 2, one[1]] : one);
  }
  assertEquals([of("lora", "qzoPlus"), of("prompt", "qzoPlus")], [[0.015, 0.5], [0.03, 0.5]]);
  assertEquals([of("ia3", "qzoPlus"), of("ia3", "qzoNormalised")], [[0.06, 0.5], [0.02, 0.02]]);
});
