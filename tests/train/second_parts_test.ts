import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import type { OffsetSet } from "../../kernels/mod.ts";
import {
  Evaluator,
  loadModel,
  type ModelSource,
  openModelSource,
  packBatch,
  writeModel,
} from "../../models/mod.ts";
import { adaptedSource } from "../../models/checkpoints/derived/tuned_values.ts";
import type { Selection } from "../../train/selection.ts";
import {
  blockwiseZo,
  type Optimiser,
  qzo,
  qzoNormalised,
  sparseMezo,
  zoAdam,
} from "../../optim/mod.ts";
import { partOf } from "../../quant/mod.ts";
import {
  exportTuned,
  finetune,
  LedgerFile,
  offsetsFor,
  openLedger,
  replayLedger,
  replayOnHost,
  trainedTensors,
} from "../../train/mod.ts";
import {
  bitsOf,
  loadTiny,
  tinyExamples,
  tinyHeader,
  tinyOffsets,
  tinySource,
} from "./tiny_model.ts";
import { openSharedGpu } from "../kernels/one_device.ts";

// Codebooks, minima and zero points from the selection through training and replay to files.

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const train = tinyExamples(48);

interface Case {
  readonly format: string;
  readonly kinds: Selection["kinds"];
  readonly rule: Optimiser;
}

const relative = { form: "relative", epsilon: 0.02, projection: "keep-sign" } as const;
const cases: Record<string, Case> = {
  "books by qzo, absolute": {
    format: "codebook1x8",
    kinds: ["codebooks"],
    rule: qzo({ learningRate: 1e-4 }),
  },
  // Steps so large that relative offsets pass -1, where scales stop and entries do not.
  "books and scales, relative": {
    format: "codebook2x8",
    kinds: ["scales", "codebooks"],
    rule: qzoNormalised({ ...relative, learningRate: 0.9 }),
  },
  "minima and scales, relative": {
    format: "Q4_1",
    kinds: ["scales", "minima"],
    rule: qzoNormalised({ ...relative, learningRate: 0.9 }),
  },
  "zero points by Adam, absolute": {
    format: "int4z_g32",
    kinds: ["scales", "minima", "norms"],
    rule: zoAdam({ projection: "keep-sign", learningRate: 1e-3 }),
  },
  "books where they are small, of all": {
    format: "codebook1x8",
    kinds: ["scales", "codebooks"],
    rule: sparseMezo({ ...relative, learningRate: 0.02, sparsity: 0.6, budget: "global" }),
  },
  "minima of attention, then of MLPs": {
    format: "Q4_1",
    kinds: ["minima"],
    rule: blockwiseZo({ ...relative, learningRate: 0.02, blocks: { by: "part" } }),
  },
};

for (const [name, { format, kinds, rule }] of Object.entries(cases)) {
  Deno.test(`${name}: a run, the same run broken off and resumed, and its replays have the same bits`, async () => {
    const source = await tinySource(format);
    using model = await loadTiny(gpu, format);
    const selection = { kinds, exclude: [] };
    const run = async (stops: readonly number[]) => {
      const path = await Deno.makeTempFile({ suffix: ".ledger" });
      await Deno.remove(path);
      {
        using offsets = await offsetsFor(model, rule, { selection });
        using _new = await LedgerFile.create(path, tinyHeader(model, rule, offsets, 5));
      }
      let offsets: OffsetSet | undefined;
      for (const steps of stops) {
        const { file, ledger } = await LedgerFile.resume(path);
        using open = file;
        offsets?.[Symbol.dispose]();
        offsets = await replayLedger(model, ledger);
        const state = open.length > 0 ? ledger.records.state(open.length - 1) : undefined;
        const options = { model, optimiser: rule, offsets, train, steps, seed: 5 };
        for await (
          const _ of finetune({
            ...options,
            objective: "classification",
            batchSize: 4,
            ledger: open,
            ...(state ? { state } : {}),
          })
        );
      }
      using trained = offsets!;
      const bits = bitsOf(await trained.read(gpu));
      const ledger = await openLedger(path);
      await Deno.remove(path);
      return { bits, ledger };
    };
    const whole = await run([7]);
    const broken = await run([3, 7]);
    assertEquals(broken.bits, whole.bits);
    assertEquals(bitsOf(await replayOnHost(source, whole.ledger)), whole.bits);
    const second = Object.entries(whole.bits).filter(([name]) => partOf(name).part !== "scales");
    assert(second.length >= 9, `${second.length} parts besides scales`);
    for (const [name, words] of second) {
      assert(new Set(words).size > 2 || rule.plan.blocks, `${name} did not move`);
    }
    if (rule.form === "relative" && name.endsWith("relative")) {
      const values = second.flatMap(([, words]) => [...new Float32Array(words.buffer)]);
      assert(values.some((offset) => offset < -1), "no offset passed -1");
    }
  });
}

const batch = packBatch(tinyExamples(8, 3), "classification", 32);

async function lossOf(source: ModelSource): Promise<number> {
  using model = await loadModel(gpu, source);
  using evaluator = new Evaluator(model);
  return (await evaluator.run([batch]))[0].loss;
}

/** Which bytes of the GGUF blocks of 20 bytes may change, by kinds. */
const minimum = (byte: number) => byte === 2 || byte === 3;
const scale = (byte: number) => byte < 2;
const exports: Record<string, Omit<Case, "rule"> & { mayChange?: (byte: number) => boolean }> = {
  "minima of a GGUF file": { format: "Q4_1", kinds: ["minima"], mayChange: minimum },
  "minima and scales of a GGUF file": {
    format: "Q4_1",
    kinds: ["scales", "minima"],
    mayChange: (byte) => scale(byte) || minimum(byte),
  },
  // Minima without offsets of their own are multiplied with their scales.
  "scales of a GGUF file, minima with them": {
    format: "Q4_1",
    kinds: ["scales"],
    mayChange: (byte) => scale(byte) || minimum(byte),
  },
  "scales of an own folder, minima with them": { format: "int4m_g32", kinds: ["scales"] },
  "books of an own folder": { format: "codebook1x8", kinds: ["codebooks"] },
  "books and scales of an own folder": { format: "codebook2x8", kinds: ["scales", "codebooks"] },
};

for (const [what, { format, kinds, mayChange }] of Object.entries(exports)) {
  Deno.test(`trained ${what} go back in their place and give the loss of the offsets`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const extension = mayChange ? ".gguf" : "";
      const [basePath, tunedPath] = ["base", "tuned"].map((name) =>
        `${folder}/${name}${extension}`
      );
      await writeModel(await tinySource(format), basePath);
      using base = await openModelSource(basePath);
      using model = await loadModel(gpu, base);
      const rule = qzoNormalised({ learningRate: 0.1 });
      using offsets = tinyOffsets(model, rule, { kinds, exclude: [] });
      const options = { model, optimiser: rule, offsets, train, steps: 12, batchSize: 8 };
      for await (const _ of finetune({ ...options, objective: "classification" }));
      using evaluator = new Evaluator(model, offsets);
      const [{ loss }] = await evaluator.run([batch]);
      const before = await lossOf(base);
      assert(Math.abs(loss - before) > 5e-3, `the loss moved by ${loss - before}`);
      const trained = trainedTensors(offsets.trainables, await offsets.read(gpu));
      const counts = await exportTuned(base, trained, tunedPath);
      // Half of a tiny model's entries are zero, since nothing uses them: relative offsets leave them so.
      assert(counts.changed > 0.4 * offsets.scalars, `${counts.changed} of ${offsets.scalars}`);
      const bound = 0.05 * Math.abs(loss - before) + 1e-4;
      using tuned = await openModelSource(tunedPath);
      assertAlmostEquals(await lossOf(tuned), loss, bound);
      await exportTuned(base, trained, `${folder}/adapter.safetensors`);
      using adapted = await adaptedSource(base, `${folder}/adapter.safetensors`);
      assertEquals(await lossOf(adapted), await lossOf(tuned));

      if (!mayChange) return;
      const [old, now] = [await Deno.readFile(basePath), await Deno.readFile(tunedPath)];
      const free = new Uint8Array(old.length);
      for (const { name, offset, byteLength } of base.gguf!.file.tensors) {
        if (![...trained.keys()].some((key) => partOf(key).tensor === name)) continue;
        for (let at = 0; at < byteLength; at++) free[offset + at] = mayChange(at % 20) ? 1 : 0;
      }
      assertEquals(now.length, old.length);
      assert(old.every((byte, i) => free[i] === 1 || byte === now[i]), "other bytes changed");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
