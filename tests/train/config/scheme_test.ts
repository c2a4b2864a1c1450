import { assertEquals, assertThrows } from "@std/assert";
import { configToYaml, parseTrainConfig } from "../../../train/mod.ts";
import { openModelSource } from "../../../models/mod.ts";
import { configuredAdapter } from "../../../train/mod.ts";

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
  refused("scheme: lorra", "expected one of full, head, norms, biases, lora");
});
