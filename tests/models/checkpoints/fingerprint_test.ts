import { assert, assertEquals, assertNotEquals, assertRejects, fail } from "@std/assert";
import { join } from "@std/path";
import {
  fingerprint,
  loadModel,
  type ModelSource,
  openModelSource,
  quantizedSource,
  type TensorSource,
  writeModel,
} from "../../../models/mod.ts";
import { foldedSource } from "../../../models/checkpoints/derived/folded.ts";
import { BaseHash, olderFingerprint } from "../../../models/checkpoints/fingerprint.ts";
import { ggufModelSource } from "../../../models/checkpoints/gguf/open_gguf.ts";
import { huggingFaceModelSource } from "../../../models/checkpoints/hugging_face/open_folder.ts";
import { numbersToBfloat16Array, numbersToFloat16Array } from "../../../quant/layouts/float16.ts";
import { bytesSource } from "../../../quant/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../../support/gguf_writer.ts";
import { CHANGES, writeSplitBase } from "../../support/split_base.ts";
import { tinySource } from "../../train/tiny_model.ts";
import { randomOffsets, withTemp } from "../quantised_folder.ts";
import { ggufInMemory, huggingFaceConfig, smallShape, withFolder } from "../small_model.ts";

const gpu = await openSharedGpu();
const FORMATS = ["Q4_0", "Q4_1", "Q6_K", "IQ4_XS", "int4z_g32", "int3_row", "codebook1x8"];

/** The same source under another identity, so that nothing of it is remembered. */
const fresh = (source: ModelSource): ModelSource => ({ ...source });

/** A source of `hidden` 256, so that K-quants fit. */
function wide(): Promise<ModelSource> {
  const shape = { ...smallShape, layers: 1, hidden: 256, feedForward: 256 };
  return ggufInMemory(shape, randomLlama(shape));
}

Deno.test("what loading finds is what reading finds, in every kind of layout", async () => {
  using dense = await wide();
  for (const format of FORMATS) {
    // Books take seconds to find.
    const source = /^codebook/.test(format)
      ? await tinySource(format)
      : quantizedSource(dense, { format, embedding: "F16" });
    using model = await loadModel(gpu, source);
    assertEquals(model.fingerprint, await fingerprint(fresh(source)), format);
    assert(/^2:[0-9a-f]{64}$/.test(model.fingerprint));
  }
});

Deno.test("the order of tensors, the size of pieces and the number of workers do not matter", async () => {
  using dense = await wide();
  for (const format of ["Q4_0", "int3_row", "F16"]) {
    const source = format === "F16" ? dense : quantizedSource(dense, { format });
    const whole = await fingerprint(fresh(source));
    for (const [rows, workers] of [[2, 0], [6, 1], [64, 2]]) {
      using hash = new BaseHash(source, workers);
      for (const [name, tensor] of [...source.tensors].reverse()) {
        const step = tensor.whole ? tensor.rows : rows;
        for (let first = 0; first < tensor.rows; first += step) {
          await hash.add(name, await tensor.read(first, Math.min(step, tensor.rows - first)));
        }
        hash.end(name);
      }
      assertEquals(await hash.digest(), whole, `${format} in pieces of ${rows}`);
    }
  }
});

Deno.test("streams of two workers at once, and of none, have one digest", async () => {
  using source = await wide();
  const digests: string[] = [];
  for (const workers of [0, 1, 2]) {
    using hash = new BaseHash(source, workers);
    const names = [...source.tensors.keys()];
    // All tensors at the same time, so that streams interleave.
    await Promise.all(names.map(async (name) => {
      const tensor = source.tensors.get(name)!;
      for (let first = 0; first < tensor.rows; first += 32) {
        await hash.add(name, await tensor.read(first, Math.min(32, tensor.rows - first)));
      }
    }));
    digests.push(await hash.digest());
  }
  assertEquals(new Set(digests).size, 1);
});

const DENSE_TYPES = {
  F32: [0, (values: Float32Array<ArrayBuffer>) => values],
  F16: [1, numbersToFloat16Array],
  BF16: [30, numbersToBfloat16Array],
} as const;

Deno.test("rows made for the caller are hashed without a copy, and a weight that is not finite is named", async () => {
  const NAME = "blk.0.ffn_down.weight";
  const columns = 768;
  const shape = { ...smallShape, layers: 1, hidden: 256, feedForward: columns };
  const tensors = llamaF32Tensors(shape, randomLlama(shape));
  const dense = new Float32Array(tensors[NAME].bytes.slice().buffer);
  for (
    const [[type, encode], bad] of [
      [DENSE_TYPES.F32, NaN],
      [DENSE_TYPES.F16, Infinity],
      [DENSE_TYPES.BF16, -Infinity],
    ] as const
  ) {
    for (const place of [undefined, [0, 0], [255, 767], [131, 5]]) {
      const values = dense.slice();
      if (place) values[place[0] * columns + place[1]] = bad;
      const bytes = new Uint8Array(encode(values).buffer);
      const file = ggufBytes(llamaMetadata(shape), {
        ...tensors,
        [NAME]: { ...tensors[NAME], type, bytes },
      });
      using source = await ggufModelSource(bytesSource(file, "memory.gguf"));
      using hash = new BaseHash(source, 1);
      const tensor = source.tensors.get(NAME)!;
      for (let first = 0; first < tensor.rows; first += 64) {
        const rows = await tensor.read(first, 64);
        await hash.add(NAME, rows, { look: () => fail("looked through on this thread") });
        assertEquals(rows.codes.length, 0, "a copy was hashed");
      }
      hash.end(NAME);
      if (place) {
        const { message } = await assertRejects(() => hash.digest(), RangeError);
        assert(message.includes(`${bad} at row ${place[0]}, column ${place[1]}`), message);
      } else assertEquals(await hash.digest(), await fingerprint(fresh(source)));
    }
  }
});

/** Puts another class in the place of workers while `body` runs. */
async function withWorkers(worker: unknown, body: () => Promise<void>): Promise<void> {
  const own = globalThis.Worker;
  Object.assign(globalThis, { Worker: worker });
  try {
    await body();
  } finally {
    Object.assign(globalThis, { Worker: own });
  }
}

Deno.test("without workers, and with ones that break after some bytes, the fingerprint is the same", async () => {
  using source = await wide();
  const whole = await fingerprint(fresh(source));
  class Refused {
    constructor() {
      throw new Deno.errors.NotCapable("no workers here");
    }
  }
  class Broken {
    onerror: (event: Event) => void = () => {};
    told = 0;
    postMessage(): void {
      if (++this.told === 3) queueMicrotask(() => this.onerror(new Event("error")));
    }
    terminate(): void {}
  }
  for (const worker of [Refused, Broken]) {
    await withWorkers(worker, async () => {
      using hash = new BaseHash(source, 2);
      assertEquals(await hash.digest(), whole, worker.name);
    });
  }
});

Deno.test("every bit counts, and so do constants, formats and the order of columns", async () => {
  await withTemp(async (folder) => {
    const seen = new Map<string, string>();
    for (const [name, change] of Object.entries({ "as it is": () => {}, ...CHANGES })) {
      const { paths } = await writeSplitBase(folder, change);
      using source = await openModelSource(paths[0]);
      seen.set(await fingerprint(source), name);
    }
    using tiny = await tinySource();
    const changed = (config: object): ModelSource => ({
      ...tiny,
      config: { ...tiny.config, ...config },
    });
    const others = [
      tiny,
      changed({ ropeTheta: 2e4 }),
      changed({ ropeScaling: { type: "linear", factor: 2 } }),
      changed({ ropeScaling: { type: "linear", factor: 4 } }),
      { ...tiny, ropeFactors: new Float32Array(8).fill(2) },
      withOrder(tiny),
      await tinySource("int4_g32"),
    ];
    for (const [i, other] of others.entries()) seen.set(await fingerprint(other), `other ${i}`);
    assertEquals(seen.size, 1 + Object.keys(CHANGES).length + others.length);
  });
});

Deno.test("what does not change the model does not change its fingerprint", async () => {
  using tiny = await tinySource();
  const whole = await fingerprint(tiny);
  const { hidden, ...config } = tiny.config;
  const same: Record<string, ModelSource> = {
    "fields that are undefined": { ...tiny, config: { ...tiny.config, ...{ later: undefined } } },
    "the order of fields": { ...tiny, config: { ...config, hidden } },
    "notes and names": { ...tiny, name: "other", notes: ["a note"] },
    "tensors that no forward reads": {
      ...tiny,
      tensors: new Map([
        ...tiny.tensors,
        ["blk.7.attn_q.weight", tiny.tensors.get("blk.0.attn_q.weight")!],
      ]),
    },
  };
  for (const [what, source] of Object.entries(same)) {
    assertEquals(await fingerprint(source), whole, what);
  }
});

Deno.test("quantised while it is loaded and quantised into a file is one base", async () => {
  await withTemp(async (folder) => {
    using dense = await ggufInMemory(smallShape, randomLlama(smallShape));
    const onLoad = quantizedSource(dense, { format: "Q4_0" });
    const path = join(folder, "q4.gguf");
    await writeModel(fresh(onLoad), path);
    using stored = await openModelSource(path);
    assertEquals(await fingerprint(stored), await fingerprint(onLoad));
  });
});

Deno.test("loading reads each row once, and what is known is not read again", async () => {
  const read = new Map<string, number>();
  using tiny = await tinySource();
  const source: ModelSource = {
    ...tiny,
    tensors: new Map([...tiny.tensors].map(([name, tensor]): [string, TensorSource] => [name, {
      ...tensor,
      read: (first, rows) => {
        read.set(name, (read.get(name) ?? 0) + rows);
        return tensor.read(first, rows);
      },
    }])),
  };
  using model = await loadModel(gpu, source);
  assertEquals(await fingerprint(source), model.fingerprint);
  for (const [name, { rows }] of source.tensors) assertEquals(read.get(name), rows, name);
});

Deno.test("folded offsets make another base", async () => {
  using tiny = await tinySource();
  const folded = foldedSource(tiny, randomOffsets(tiny));
  assertNotEquals(await fingerprint(folded), await fingerprint(tiny));
});

function withOrder(source: ModelSource): ModelSource {
  const name = "blk.0.attn_q.weight";
  const tensor = source.tensors.get(name)!;
  const columnOrder = Uint32Array.from(
    { length: tensor.columns },
    (_, i) => tensor.columns - 1 - i,
  );
  return { ...source, tensors: new Map([...source.tensors, [name, { ...tensor, columnOrder }]]) };
}

// Made by the library as it was at 18f44e1, whose fingerprint left middle rows out.
Deno.test("the older fingerprint is what it was, whatever fields configurations have since", async () => {
  const older: Readonly<Record<string, string>> = {
    Q4_0: "e2d9d8fa24ca09ec540c35f4a57485511aed1202d2e3ec5c3be42fdd32d3be5b",
    Q4_K: "afdcd8706a76c91d87d5355d2cdc93c1bfdf66f9e0614e20157e92b7c46943c9",
    int4z_g32: "73ea9a143a2f87da3eb8271fbb012517ba08b2fad634cf92e5996017ee14861c",
    codebook1x8: "5f26d4bd6561f3a2c4ae4f7ce293d18e890f150dd289c64ee9168a7e87a54f38",
  };
  for (const [format, print] of Object.entries(older)) {
    using source = await tinySource(format);
    const config = { ...source.config, ...{ laterField: 7 } };
    assertEquals(await olderFingerprint({ ...source, config }), print, format);
  }
  using tiny = await tinySource();
  const ropeFactors = Float32Array.from({ length: 8 }, (_, i) => 1 + i / 2);
  assertEquals(
    await olderFingerprint({ ...tiny, ropeFactors }),
    "fb2cd826d76e0a3d5fd552927b8895533f714a9b07f4f1c20e90c63f028fd1aa",
  );
  assertEquals(
    await olderFingerprint(withOrder(tiny)),
    "5a7aee6f2a518d11e1d05901710dd507adbb7fbfb353ab0578843f0ca2402259",
  );
  await withFolder(smallShape, randomLlama(smallShape), async (folder) => {
    const rope_scaling = {
      rope_type: "llama3",
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 256,
    };
    const config = { ...huggingFaceConfig(smallShape, false), rope_scaling };
    await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
    using source = await huggingFaceModelSource(folder);
    assertEquals(
      await olderFingerprint(source),
      "85de092b6b4b4ae31a135de2e3bc3e4b166199cdb5f45de9a31af0986ac164ca",
    );
  });
});

Deno.test("a model finds its older fingerprint while its source is open, and says so when it is not", async () => {
  await withTemp(async (folder) => {
    const { paths } = await writeSplitBase(folder);
    const open = await openModelSource(paths[0]);
    const closed = await openModelSource(paths[0]);
    using one = await loadModel(gpu, open);
    using other = await loadModel(gpu, closed);
    closed[Symbol.dispose]();
    assertEquals(await one.olderFingerprint(), await olderFingerprint(open));
    await assertRejects(() => other.olderFingerprint(), Deno.errors.BadResource, "keep it open");
    open[Symbol.dispose]();
    // It is remembered.
    assert(/^[0-9a-f]{64}$/.test(await one.olderFingerprint()));
  });
});
