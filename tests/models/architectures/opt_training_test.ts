// OPT trained, quantised and written, against the f64 oracle.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  assertWritable,
  loadModel,
  openModelSource,
  quantizedSource,
} from "../../../models/mod.ts";
import { planOffsets, type Selection } from "../../../train/selection.ts";
import { withTemp } from "../quantised_folder.ts";
import {
  assertCalibrated,
  assertDerivatives,
  assertMemory,
  assertReturns,
  assertTrainsAndReturns,
  EVERYTHING,
  type LossOracle,
} from "./proofs.ts";
import { choiceExamples, textExamples } from "../small_model.ts";
import { assertOptForward, narrowOpt, optLoss, smallOpt, writeOptFolder } from "../small_opt.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const { vocabulary } = smallOpt;

for (
  const [name, shape, format, form] of [
    ["norms before", smallOpt, "Q4_0", "relative"],
    ["as OPT-350m", narrowOpt, "int4_g32", "absolute"],
  ] as const
) {
  Deno.test(`the derivative along noise on everything of an OPT model is the oracle's: ${name}`, async () => {
    await withTemp(async (folder) => {
      const one = { ...shape, layers: 1 };
      await writeOptFolder(folder, one, { seed: 4 });
      using dense = await openModelSource(folder);
      const source = quantizedSource(dense, { format });
      using model = await loadModel(gpu, source);
      const { trainables } = planOffsets(model, form, gpu.maxBinding, EVERYTHING);
      const kinds = new Set(trainables.map((it) => it.name.split(".").at(-1)));
      assertEquals(kinds, new Set(["weight", "bias"]));
      const biases = trainables.filter((it) => it.name.endsWith(".bias"));
      assertEquals(new Set(biases.map((it) => it.form)), new Set(["absolute"]));
      const losses: LossOracle = {
        examples: (objective) =>
          objective === "classification"
            ? choiceExamples(vocabulary, [5, 3])
            : textExamples(vocabulary, [7, 12]),
        loss: (...of) => optLoss(one, ...of),
      };
      await assertDerivatives(gpu, dense, losses, { format, form });
    });
  });
}

Deno.test("a selection leaves out OPT's tables, and trains biases or norms alone where told", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, narrowOpt);
    using source = await openModelSource(folder);
    using model = await loadModel(gpu, quantizedSource(source, { format: "Q4_0" }));
    const named = (selection: Selection) =>
      planOffsets(model, "relative", gpu.maxBinding, selection).trainables.map(({ name }) => name);
    const biases = named({ kinds: ["biases"] });
    assertEquals(biases.length, 2 * (2 + 6));
    assert(biases.every((name) => name.endsWith(".bias")));
    assertEquals(named({ kinds: ["norms"], layers: [1, 1] }), [
      "blk.1.attn_norm.weight",
      "blk.1.ffn_norm.weight",
    ]);
    assertThrows(() => named({ kinds: ["dense"] }), RangeError, "position_embd.*");
    assertEquals(named({ kinds: ["dense"], exclude: ["token_embd.*"] }), ["position_embd.weight"]);
  });
});

Deno.test("the planned memory of training an OPT model is what it takes, to the byte", async () => {
  await withTemp(async (folder) => {
    await writeOptFolder(folder, narrowOpt);
    using dense = await openModelSource(folder);
    await assertMemory(gpu, dense, { kinds: ["scales", "norms", "biases"] });
  });
});

Deno.test("an OPT model goes into a folder and comes back, dense, quantised and trained; GGUF is refused before work", async () => {
  const galactica = { ...smallOpt, activation: "gelu_new" } as const;
  for (const [shape, options] of [[galactica, {}], [narrowOpt, { tied: false }]] as const) {
    await withTemp(async (folder) => {
      const path = (name: string) => join(folder, name);
      await Deno.mkdir(path("base"));
      await writeOptFolder(path("base"), shape, options);
      using dense = await openModelSource(path("base"));
      await assertReturns(gpu, dense, {
        path,
        formats: { "position_embd.weight": "F16", "blk.0.attn_q.weight": "int4_g32" },
        examples: textExamples(vocabulary, [20]),
      });
      using small = await openModelSource(path("small"));
      await assertRejects(() => assertWritable(small, path("x.gguf")), RangeError, '"opt" as GGUF');
    });
  }
});

Deno.test("an OPT model is quantised, trained for 20 steps, folded, written and read again", async () => {
  for (const shape of [smallOpt, narrowOpt]) {
    await withTemp(async (folder) => {
      const path = (name: string) => join(folder, name);
      await Deno.mkdir(path("base"));
      await writeOptFolder(path("base"), shape);
      using dense = await openModelSource(path("base"));
      const losses: LossOracle = {
        examples: () => textExamples(vocabulary, [20, 17]),
        loss: (...of) => optLoss(shape, ...of),
      };
      const [small, tuned] = [path("small"), path("tuned")];
      await assertTrainsAndReturns(gpu, dense, losses, { format: "int4_g32", small, tuned });
    });
  }
});

for (const method of ["rtn", "gptq", "awq", "imatrix"]) {
  for (const [name, shape] of [["norms before", smallOpt], ["as OPT-350m", narrowOpt]] as const) {
    Deno.test(`OPT quantised with ${method} computes as the oracle on its weights: ${name}`, async () => {
      await withTemp(async (folder) => {
        await writeOptFolder(folder, shape);
        using dense = await openModelSource(folder);
        const windows = textExamples(vocabulary, [40, 60]);
        const source = await assertCalibrated(gpu, dense, method, {
          windows,
          matrices: 2 * 6 + (shape === narrowOpt ? 2 : 0),
          loss: (weights) => optLoss(shape, weights, windows, "language-modelling"),
        });
        await assertOptForward(gpu, source, shape, 1e-4);
      });
    });
  }
}
