// Prefixes and prompts as PEFT itself saved them, and the logits that it computed with them (tests/support/vectors/peft_prompt_vectors.py).
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  type Example,
  loadModel,
  type Model,
  type ModelSource,
  openAdapter,
  openModelSource,
  packBatch,
  writePeft,
} from "../../../models/mod.ts";
import { relativeL2 } from "../../reference/nmse.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { batchLogits } from "../../support/model_logits.ts";
import { peftTokens, promptBases } from "../../support/vectors/peft_cases.ts";
import { withTemp } from "../quantised_folder.ts";
import { writeRandomFolder } from "../random_folder.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const fixtures = join(import.meta.dirname!, "../../fixtures/peft_prompt");

/** A base of the fixtures, opened. */
async function withBase(
  name: string,
  body: (source: ModelSource, folder: string) => Promise<void>,
): Promise<void> {
  await withTemp(async (folder) => {
    const base = join(folder, "base");
    await Deno.mkdir(base);
    await writeRandomFolder(base, promptBases[name]);
    using source = await openModelSource(base);
    await body(source, folder);
  });
}

/** Logits of the last three tokens, in a batch behind another example. */
async function lastLogits(model: Model): Promise<Float32Array> {
  const masked = model.config.architecture === "roberta";
  const tokens = [...peftTokens];
  const example: Example = masked
    ? { prompt: tokens, candidates: [[7, 8, 9]], label: 0, masked: [7, 8, 9] }
    : { prompt: tokens.slice(0, 8), candidates: [[...tokens.slice(8), 5]], label: 0 };
  const other: Example = masked
    ? { prompt: [9, 8, 7], candidates: [[4]], label: 0, masked: [1] }
    : { prompt: [9, 8, 7], candidates: [[4, 6], [3]], label: 0 };
  const batch = packBatch([other, example], "classification", model);
  const logits = await batchLogits(gpu, model, batch);
  const { vocabulary } = model.config;
  return logits.subarray((batch.lossRows - 3) * vocabulary, batch.lossRows * vocabulary);
}

/** Names, types, shapes and numbers; norms of Gemma lie on the device with 1 added, which can cost them their last bit. */
function assertSameTensors(one: Uint8Array, other: Uint8Array, within: number): void {
  const [ours, theirs] = [one, other].map(sortedTensors);
  const about = (some: typeof ours) => some.map(([name, { dtype, shape }]) => [name, dtype, shape]);
  assertEquals(about(ours), about(theirs));
  for (const [i, [name, { values }]] of ours.entries()) {
    const furthest = values.reduce(
      (most, value, j) => Math.max(most, Math.abs(value - theirs[i][1].values[j])),
      0,
    );
    assert(furthest <= within, `${name} is ${furthest} off`);
  }
}

/** The tensors of a file by name, with all that is said of them. */
function sortedTensors(file: Uint8Array) {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const data = file.subarray(8 + length);
  return Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, { dtype, shape, data_offsets: [from, to] }]) =>
      [name, { dtype, shape, values: new Float32Array(data.slice(from, to).buffer) }] as const
    )
    .toSorted(([a], [b]) => a < b ? -1 : 1);
}

/** Base, scheme, and whether whole modules of the base come with it. */
const cases = [
  ...Object.keys(promptBases).flatMap((name) => [[name, "prefix", ""], [name, "prompt", ""]]),
  ...["llama-prefix", "opt-prompt", "gpt2-prefix", "gemma3-prompt", "roberta-prefix"].map(
    (name) => [...name.split("-"), "modules-"],
  ),
];

for (const [name, scheme, modules] of cases) {
  const folder = join(fixtures, `${modules}${name}-${scheme}`);
  const besides = modules === "" ? "" : " and modules of its own";
  Deno.test(`PEFT: logits of ${name} with a ${scheme}${besides} are PEFT's own`, async () => {
    await withBase(name, async (source) => {
      using base = await loadModel(gpu, source);
      const { adapter, baseName } = await openAdapter(folder, base);
      assertEquals([adapter.scheme, baseName], [scheme, `random/${name}`]);
      assertEquals(adapter.replaced !== undefined, modules !== "");
      using model = base.withAdapter(adapter);
      const expected = new Float32Array((await Deno.readFile(join(folder, "logits.f32"))).buffer);
      const error = relativeL2(await lastLogits(model), expected);
      assert(error < 1e-5, `relative L2 is ${error}`);
      const without = relativeL2(await lastLogits(base), expected);
      assert(without > 1e-2, "the adapter changes nothing");
    });
  });

  Deno.test(`PEFT: the ${scheme} of ${name}${besides}, written and read again, is the same`, async () => {
    await withBase(name, async (source, temp) => {
      const opened = await openAdapter(folder, source);
      const about = { config: source.config, base: "2:abc", baseName: `random/${name}` };
      const bytes = async (out: string, adapter: typeof opened.adapter) => {
        await writePeft(join(temp, out), { ...about, adapter });
        return await Deno.readFile(join(temp, out, "adapter_model.safetensors"));
      };
      const first = await bytes("a", opened.adapter);
      const again = await openAdapter(join(temp, "a"), source);
      assertEquals(again, { ...opened, base: "2:abc" });
      assertEquals(await bytes("b", again.adapter), first);
      const theirs = await Deno.readFile(join(folder, "adapter_model.safetensors"));
      const data = first.length - 8 -
        Number(new DataView(first.buffer).getBigUint64(0, true));
      // The base's tensors in the order of the forward here, by their names there.
      if (modules === "") assertEquals(first.slice(-data), theirs.slice(-data));
      else assertSameTensors(first, theirs, name === "gemma3" ? 2 ** -23 : 0);
    });
  });
}
