import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  configToYaml,
  configuredAdapter,
  optimiserOfConfig,
  parseTrainConfig,
  selectionOfConfig,
} from "../../../train/mod.ts";
import { type LoraPlan, openModelSource } from "../../../models/mod.ts";
import { namedOptimisers, type Optimiser, optimiserNames } from "../../../optim/mod.ts";
import { peakLearningRate } from "../../../optim/transformations/peak_learning_rate.ts";

const parse = (yaml: string) => parseTrainConfig(`model: a.gguf\n${yaml}`, "a.yaml");

Deno.test("config scheme: what is trained follows from it, and from trainables where they say", () => {
  const chosen = (yaml: string) => {
    const { kinds, include, exclude } = parse(yaml).trainables;
    return { kinds, include, exclude };
  };
  const plain = { include: undefined, exclude: undefined };
  assertEquals(chosen(""), { kinds: ["scales"], ...plain });
  assertEquals(chosen("scheme: full"), { kinds: ["scales"], ...plain });
  assertEquals(chosen("scheme: norms"), { kinds: ["norms"], ...plain });
  assertEquals(chosen("scheme: biases"), { kinds: ["biases"], ...plain });
  assertEquals(chosen("scheme: lora"), { kinds: ["lora"], ...plain });
  assertEquals(chosen("scheme: head"), {
    kinds: ["scales", "dense"],
    include: ["output.*"],
    exclude: [],
  });
  assertEquals(chosen("scheme: lora\ntrainables: {kinds: [scales, lora], include: ['blk.0.*']}"), {
    kinds: ["scales", "lora"],
    include: ["blk.0.*"],
    exclude: undefined,
  });
});

Deno.test("config scheme: settings of LoRA arrive, and are written back as they were", async () => {
  const config = parse(`scheme: LoRA
seed: 4
lora:
  rank: 4
  rslora: true
  targets: [q_proj, o_proj]
  layers: 0-1
  rank_pattern: {"layers\\\\.1\\\\..*": 2}
`);
  assertEquals(parseTrainConfig(configToYaml(config), "b.yaml"), config);
  assertEquals(config.lora, {
    rank: 4,
    alpha: 16,
    rslora: true,
    targets: ["q_proj", "o_proj"],
    layers: [0, 1],
    rankPattern: { "layers\\.1\\..*": 2 },
    alphaPattern: undefined,
  });
  using source = await openModelSource("demo/model.gguf");
  const adapter = configuredAdapter(config, source);
  assertEquals(adapter?.seed, 4);
  assertEquals(adapter?.plan, {
    matrices: [
      { matrix: "blk.0.attn_q.weight", rank: 4, scale: 8 },
      { matrix: "blk.0.attn_output.weight", rank: 4, scale: 8 },
      { matrix: "blk.1.attn_q.weight", rank: 2, scale: 16 / Math.SQRT2 },
      { matrix: "blk.1.attn_output.weight", rank: 2, scale: 16 / Math.SQRT2 },
    ],
  });
  assertEquals(configuredAdapter(parse(""), source), undefined);
});

Deno.test("config scheme: what would have no effect, or is no setting, is refused by name", () => {
  const refused = (
    yaml: string,
    words: string,
    kind: typeof RangeError | typeof TypeError = RangeError,
  ) => assertThrows(() => parse(yaml), kind, words);
  refused("lora: {rank: 8}", "Cannot use lora in a.yaml: scheme is full; set scheme: lora");
  refused("scheme: lora\ntrainables: {kinds: scales}", "add lora");
  refused("scheme: lora\nlora: {rank: 0}", "lora.rank: 0");
  refused("scheme: lora\nlora: {rnak: 4}", 'did you mean "rank"?');
  refused("scheme: lora\nlora: {layers: sensitive}", "a range of layers");
  refused("scheme: lora\nlora: {rank_pattern: 3}", "pattern: number", TypeError);
  refused("scheme: lorra", "expected one of full, head, norms, biases, ia3, lora");
});

Deno.test("config groups: LoRA alone has defaults of its own, under every optimiser", () => {
  for (const name of optimiserNames) {
    const { adapter, shared } = namedOptimisers[name];
    const lora = optimiserOfConfig(parse(`steps: 200\nscheme: lora\noptimiser: {name: ${name}}`));
    const full = optimiserOfConfig(parse(`steps: 200\noptimiser: {name: ${name}}`));
    assertEquals(lora.groups, undefined);
    assertEquals(peakLearningRate(lora), adapter.learningRate, name);
    assertEquals(peakLearningRate(full), shared.learningRate.default, name);
    if (lora.estimator.tangents || lora.estimator.exact) continue;
    const largest = ({ estimator: { branches } }: Optimiser) =>
      Math.max(...branches.map(({ amplitude }) => amplitude));
    assertEquals(largest(lora), adapter.epsilon * (adapter.product ?? 1), name);
    assertEquals(largest(full), shared.epsilon.default, name);
  }
  const given = "scheme: lora\noptimiser: {name: qzo, epsilon: 0.5, learning_rate: 0.25}";
  assertEquals(peakLearningRate(optimiserOfConfig(parse(given))), 0.25);
});

Deno.test("config groups: QZO's mix in one word", async () => {
  const config = parse("scheme: scales+lora\noptimiser: {name: qzo}");
  assertEquals(config.trainables.kinds, ["lora", "scales"]);
  assertEquals(selectionOfConfig(config).layersOf, { lora: "first-half", scales: "second-half" });
  const { groups = [], estimator } = optimiserOfConfig(config);
  assertEquals(estimator.parameters.epsilon, 1e-3);
  const [lora, ...others] = groups;
  assertEquals([lora.name, lora.epsilon, lora.learningRate], ["lora", 1e-2, 1e-4]);
  assertEquals(others, []);
  using bundled = await openModelSource("demo/model.gguf");
  const plan = (layers: number) => {
    const adapter = configuredAdapter(config, { config: { ...bundled.config, layers } })!;
    return (adapter.plan as LoraPlan).matrices.map(({ matrix }) => matrix);
  };
  assertEquals(plan(3).map((name) => name.slice(0, 5)), ["blk.0", "blk.0", "blk.1", "blk.1"]);
});

Deno.test("config groups: form, epsilon, learning rate and layers by kind, written back as they were", () => {
  const config = parse(`scheme: lora
trainables: {kinds: [scales, norms, lora]}
optimiser: {name: qzoNormalised, schedule: {kind: linear}}
groups:
  lora: {epsilon: 0.03, layers: 0-1}
  scales: {form: absolute, learning_rate: 1e-3, layers: second-half}`);
  const { groups = [], form } = optimiserOfConfig(config);
  assertEquals(form, "relative");
  assertEquals(
    groups.map(({ name, epsilon, learningRate, form }) => [name, epsilon, learningRate, form]),
    [
      ["scales", 0.02, 1e-3, "absolute"],
      ["lora", 0.03, namedOptimisers.qzoNormalised.adapter.learningRate, undefined],
    ],
  );
  assertEquals(selectionOfConfig(config).layersOf, { scales: "second-half", lora: [0, 1] });
  assertEquals(parse(configToYaml(config).replace(/^model.*\n/m, "")), config);
});

Deno.test("config groups: what would say nothing, or is none, is refused by name", () => {
  const refused = (text: string, words: string) => {
    const { message } = assertThrows(() => parse(text), RangeError);
    assert(message.includes(words), message);
  };
  refused("groups: {lora: {epsilon: 0.1}}", "add lora to trainables.kinds");
  refused("groups: {scales: {epsilon: 0}}", "groups.scales.epsilon");
  refused("groups: {scales: {rate: 1}}", "did you mean");
  refused("groups: {other: {}}", "groups.other");
  refused("groups: {scales: {layers: dominant}}", "first-half");
});
