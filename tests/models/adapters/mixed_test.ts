// Several adapters as one: the weighted sum of what they do, over one base that stays where it is.
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type Adapter,
  type AdapterInMix,
  generate,
  ia3Adapter,
  loadModel,
  loraAdapter,
  type LoraPlan,
  mixedAdapter,
  type Model,
  openAdapter,
  prefixAdapter,
  quantizedSource,
  writePeft,
} from "../../../models/mod.ts";
import { llamaLogits } from "../../reference/llama.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { logitsOf } from "../../support/model_logits.ts";
import { randomLlama, randomNormals, randomNumbers } from "../../support/random_llama.ts";
import { seen, withLora } from "../lora_oracle.ts";
import { withTemp } from "../quantised_folder.ts";
import { ggufInMemory, randomTokens, smallShape, weightsOf } from "../small_model.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => {
  base[Symbol.dispose]();
  source[Symbol.dispose]();
  dense[Symbol.dispose]();
  gpu[Symbol.dispose]();
});
const dense = await ggufInMemory(smallShape, randomLlama(smallShape));
const source = quantizedSource(dense, { format: "Q4_0" });
const base = await loadModel(gpu, source);
const weights = await weightsOf(source);
const tokens = randomTokens(smallShape.vocabulary, 19, 4);

/** An adapter with values that count. */
function filled(adapter: Adapter, seed: number, mean = 0): Adapter {
  using model = base.withAdapter(adapter);
  const random = randomNumbers(seed);
  const values = new Map(
    [...model.adapter!.tensors].map(([name, { rows, columns }]) =>
      [name, randomNormals(rows * columns, 0.2, random).map((value) => mean + value)] as const
    ),
  );
  return { ...adapter, values };
}

/** Two of unlike ranks and scales, beside some of the same matrices. */
const loras = [
  filled(loraAdapter(base, { rank: 4, alpha: 6 }), 1),
  filled(loraAdapter(base, { rank: 3, alpha: 9, targets: ["q_proj", "down_proj"] }), 2),
];

/** The base's weights and a weighted sum of what adapters add, in f64. */
function summed(
  parts: readonly AdapterInMix[],
  withOne: (weights: Record<string, Float64Array>, model: Model) => Record<string, Float64Array>,
): Record<string, Float64Array> {
  const out = Object.fromEntries(Object.entries(weights).map(([name, w]) => [name, w.slice()]));
  for (const { adapter, weight = 1 } of parts) {
    using model = base.withAdapter(adapter);
    for (const [name, own] of Object.entries(withOne(weights, model))) {
      own.forEach((value, i) => out[name][i] += weight * (value - weights[name][i]));
    }
  }
  return out;
}

for (const mixed of [[0.7, 0.3], [1, 1], [1.5, -0.5], [0, 1]]) {
  Deno.test(`LoRA, ${mixed[0]} of one and ${mixed[1]} of another, gives the logits of the oracle's sum`, async () => {
    const parts = loras.map((adapter, i) => ({ adapter, weight: mixed[i] }));
    using model = base.withAdapter(mixedAdapter(base, parts));
    const expected = llamaLogits(smallShape, summed(parts, withLora), tokens);
    const actual = await logitsOf(gpu, model, tokens);
    assert(relativeL2(actual, expected) < 1e-5, `relative L2 ${relativeL2(actual, expected)}`);
    assert(relativeL2(actual, await logitsOf(gpu, base, tokens)) > 1e-2, "nothing changed");
  });
}

Deno.test("IA3 is mixed about ones: weight 0 is the base, 1 the adapter, and two add what each changes", async () => {
  const one = filled(ia3Adapter(base), 3, 1);
  const other = filled(ia3Adapter(base, { targets: ["k_proj", "q_proj"] }), 4, 1);
  const of = async (...parts: AdapterInMix[]) => {
    using model = base.withAdapter(mixedAdapter(base, parts));
    return await logitsOf(gpu, model, tokens);
  };
  using alone = base.withAdapter(one);
  assertEquals(await of({ adapter: one, weight: 0 }), await logitsOf(gpu, base, tokens));
  assert(relativeL2(await of({ adapter: one }), await logitsOf(gpu, alone, tokens)) < 1e-6);
  using mixed = base.withAdapter(
    mixedAdapter(base, [{ adapter: one, weight: 0.5 }, { adapter: other, weight: 2 }]),
  );
  using second = base.withAdapter(other);
  const name = "blk.1.attn_k.weight.ia3";
  const [a, b] = [seen(alone, name, {}), seen(second, name, {})];
  seen(mixed, name, {}).forEach((value, i) => {
    assert(Math.abs(value - (1 + 0.5 * (a[i] - 1) + 2 * (b[i] - 1))) < 1e-6);
  });
});

Deno.test("each request has its mix: the base is not read again, and each takes the memory of its parts", async () => {
  const bytes = ({ adapter }: Model) =>
    [...adapter!.tensors.values()].reduce((sum, t) => sum + 4 * t.rows * t.columns, 0);
  const before = gpu.memory.total;
  const texts = new Set<string>();
  for (const weight of [0, 0.5, 1]) {
    const parts = [{ adapter: loras[0], weight: 3 * weight }, { adapter: loras[1], weight: -2 }];
    using model = base.withAdapter(mixedAdapter(base, parts));
    assertEquals(gpu.memory.total - before, bytes(model));
    const all = loras.reduce((sum, adapter) => {
      using own = base.withAdapter(adapter);
      return sum + bytes(own);
    }, 0);
    assertEquals(bytes(model), all);
    const made = await Array.fromAsync(
      generate(model, tokens.slice(0, 5), { maxTokens: 6, stopTokens: [] }),
    );
    texts.add(made.map(({ token }) => token).join(" "));
  }
  assert(texts.size > 1, "every mix says the same");
  assertEquals(gpu.memory.total, before);
});

Deno.test("a mix is an adapter like any other: what was trained is in it, and PEFT's folder has it", async () => {
  const offsets = new Map([[
    "blk.0.attn_q.weight.lora_b",
    new Float32Array(4 * smallShape.hidden),
  ]]);
  offsets.get("blk.0.attn_q.weight.lora_b")!.fill(0.1);
  const parts = [{ adapter: loras[0], offsets }, { adapter: loras[1], weight: 0.5 }];
  const adapter = mixedAdapter(base, parts);
  const without = mixedAdapter(base, parts.map(({ offsets: _, ...part }) => part));
  const b = "blk.0.attn_q.weight.lora_b";
  const added = adapter.values!.get(b)![0] - without.values!.get(b)![0];
  assert(Math.abs(added - 0.1 * 1.5) < 1e-6, `${added}`);
  await withTemp(async (folder) => {
    const about = { config: base.config, base: "", baseName: "" };
    await writePeft(`${folder}/mix`, { ...about, adapter });
    const { adapter: again } = await openAdapter(`${folder}/mix`, base);
    const { matrices } = again.plan as LoraPlan;
    assertEquals(matrices.map(({ rank }) => rank).toSorted(), [3, 3, 4, 4, 7, 7]);
    using model = base.withAdapter(adapter);
    using reloaded = base.withAdapter(again);
    assertEquals(await logitsOf(gpu, reloaded, tokens), await logitsOf(gpu, model, tokens));
  });
});

Deno.test("what has no sum is refused by name", () => {
  const refused = (parts: AdapterInMix[], words: string) =>
    assertThrows(() => mixedAdapter(base, parts), RangeError, words);
  const [adapter] = loras;
  refused([], "there are none");
  refused([{ adapter }, { adapter: ia3Adapter(base) }], "one is of scheme lora, another of ia3");
  refused([{ adapter, weight: NaN }], "a weight is NaN");
  const prefix = prefixAdapter(base, { init: "random" });
  refused([{ adapter: prefix }, { adapter: prefix }], "the scheme prefix has no sum");
  const replaced = new Map([["output_norm.weight", new Float32Array(smallShape.hidden)]]);
  refused([{ adapter: { ...adapter, replaced } }], 'comes with "output_norm.weight"');
  const inputs = ia3Adapter(base, { targets: ["k_proj"], feedForward: ["k_proj"] });
  refused([{ adapter: inputs }, { adapter: ia3Adapter(base) }], "one scales its input");
});
