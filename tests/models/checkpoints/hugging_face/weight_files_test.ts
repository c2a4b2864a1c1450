import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import process from "node:process";
import { type ModelSource, openModelSource } from "../../../../models/mod.ts";
import { huggingFaceModelSource } from "../../../../models/checkpoints/hugging_face/open_folder.ts";
import { decode } from "../../../../quant/mod.ts";
import { processorTime } from "../../../support/processor_time.ts";
import { randomLlama } from "../../../support/random_llama.ts";
import { huggingFaceConfig, safetensorsOf, smallShape } from "../../small_model.ts";

const shape = { ...smallShape, layers: 1, rope: "neox" as const };
type Weights = ReturnType<typeof randomLlama>;
const current = randomLlama(shape, { seed: 1 });
const old = randomLlama(shape, { seed: 2 });
const names = Object.keys(current);
const up = "model.layers.0.mlp.up_proj.weight";

const part = (weights: Weights, wanted: readonly string[]) =>
  safetensorsOf(shape, Object.fromEntries(wanted.map((name) => [name, weights[name]])));
const halves = [names.filter((_, i) => i % 2 === 0), names.filter((_, i) => i % 2 === 1)];
const shard = (i: number) => `model-0000${i + 1}-of-00002.safetensors`;
const indexOf = (places: Record<string, string>) => JSON.stringify({ weight_map: places });
const places = Object.fromEntries(
  halves.flatMap((half, i) => half.map((name) => [name, shard(i)])),
);

/** A folder of the given files beside a `config.json`. */
async function inFolder(
  files: Readonly<Record<string, Uint8Array | string>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const config = JSON.stringify(huggingFaceConfig(shape, false));
    for (const [name, content] of Object.entries({ "config.json": config, ...files })) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      await Deno.writeFile(join(folder, name), bytes);
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function assertWeights(source: ModelSource, weights: Weights, but: Weights = {}) {
  for (const [name, stored] of [["blk.0.ffn_up.weight", up], ["output.weight", "lm_head.weight"]]) {
    const tensor = source.tensors.get(name)!;
    const found = decode(await tensor.read(0, tensor.rows));
    assertEquals(found, but[stored] ?? weights[stored], stored);
  }
}

const oldShards = {
  [shard(0)]: part(old, halves[0]),
  [shard(1)]: part(old, halves[1]),
  "model.safetensors.index.json": indexOf(places),
};

Deno.test("weight files: a whole file beats the index and shards of the save before, with a note that names both", async () => {
  const files = { "model.safetensors": part(current, names), ...oldShards };
  await inFolder(files, async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, current);
    const [note, ...more] = source.notes!;
    assert(note.includes("model.safetensors is read"), note);
    assert(note.includes("model.safetensors.index.json"), note);
    assertEquals(more, []);
  });
  await inFolder(oldShards, async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, old);
    assertEquals(source.notes, []);
  });
});

Deno.test("weight files: an index that names the whole file is its index, not a left-over", async () => {
  const index = indexOf(Object.fromEntries(names.map((name) => [name, "model.safetensors"])));
  const files = {
    "model.safetensors": part(current, names),
    "model.safetensors.index.json": index,
  };
  await inFolder(files, async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, current);
    assertEquals(source.notes, []);
  });
});

Deno.test("weight files: an index without its shards loads what is whole, or says what is missing", async () => {
  const index = indexOf(places);
  const named = {
    "model.safetensors.index.json": index,
    "gptq_model.safetensors": part(current, names),
  };
  await inFolder(named, async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, current);
    assert(source.notes![0].includes("gptq_model.safetensors is read"), source.notes![0]);
  });
  const halfThere = { "model.safetensors.index.json": index, [shard(0)]: part(current, halves[0]) };
  await inFolder(halfThere, async (folder) => {
    await assertRejects(
      () => openModelSource(folder),
      Deno.errors.NotFound,
      `1 of the 2 files that its model.safetensors.index.json names are missing: ${shard(1)}`,
    );
  });
  await inFolder({ "model.safetensors.index.json": index }, async (folder) => {
    await assertRejects(() => openModelSource(folder), Deno.errors.NotFound, "2 of the 2 files");
  });
});

Deno.test("weight files: all shards without an index are read with a note, some are refused by the missing names", async () => {
  const { "model.safetensors.index.json": _, ...shards } = oldShards;
  await inFolder(shards, async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, old);
    assert(source.notes![0].includes("no model.safetensors.index.json"), source.notes![0]);
  });
  await inFolder({ [shard(1)]: shards[shard(1)] }, async (folder) => {
    await assertRejects(() => openModelSource(folder), Deno.errors.NotFound, `: ${shard(0)}.`);
  });
  // Of 99,999 shards two are there: the message names a few of the others, at once.
  const many = { "m-00001-of-99999.safetensors": part(old, names) };
  await inFolder(many, async (folder) => {
    const begun = processorTime();
    const error = await assertRejects(() => openModelSource(folder), Deno.errors.NotFound);
    assert(error.message.length < 1000, String(error.message.length));
    assert(processorTime() - begun < 1000);
  });
});

Deno.test("weight files: an index of very many files is refused at once", async () => {
  const many = Array.from({ length: 200_000 }, (_, i) => [`t${i}`, `f${i}.safetensors`]);
  const files = { "model.safetensors.index.json": indexOf(Object.fromEntries(many)) };
  await inFolder(files, async (folder) => {
    // Of the processor: a clock on the wall runs while other processes do.
    const begun = process.cpuUsage();
    await assertRejects(() => openModelSource(folder), RangeError, "more than 10000 files");
    const { user, system } = process.cpuUsage(begun);
    assert(user + system < 1e6, `${(user + system) / 1e6} s`);
  });
});

Deno.test("weight files: a variant alone is read and said, two of them are asked about", async () => {
  await inFolder({ "model.fp16.safetensors": part(current, names) }, async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, current);
    assert(source.notes![0].includes('the variant "fp16"'), source.notes![0]);
  });
  const both = {
    "model.fp16.safetensors": part(old, names),
    "model.ema.safetensors": part(old, names),
  };
  await inFolder(both, async (folder) => {
    const error = await assertRejects(() => openModelSource(folder), RangeError, "which of its 2");
    assert(error.message.includes("model.ema.safetensors and model.fp16.safetensors"));
  });
  await inFolder({ "model.safetensors": part(current, names), ...both }, async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, current);
    assert(source.notes![0].includes("not model.ema.safetensors and model.fp16"), source.notes![0]);
  });
  const indexed = {
    "model.safetensors.index.fp16.json": indexOf(
      Object.fromEntries(names.map((name) => [name, "model-00001-of-00001.fp16.safetensors"])),
    ),
    "model-00001-of-00001.fp16.safetensors": part(current, names),
  };
  await inFolder(indexed, async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, current);
    assert(source.notes!.some((note) => note.includes('"fp16"')), String(source.notes));
  });
});

Deno.test("weight files: of a tensor in two shards the one that the index names is read, whichever comes last", async () => {
  for (const right of [0, 1]) {
    const own = [...halves[right].filter((name) => name !== up), up];
    const rest = halves[1 - right].filter((name) => name !== up);
    const files = {
      [shard(right)]: part(current, own),
      [shard(1 - right)]: safetensorsOf(shape, {
        ...Object.fromEntries(rest.map((name) => [name, current[name]])),
        [up]: current[up].map(() => 0),
      }),
    };
    const index = indexOf({
      ...Object.fromEntries([...own.map((it) => [it, shard(right)])]),
      ...Object.fromEntries([...rest.map((it) => [it, shard(1 - right)])]),
    });
    await inFolder({ ...files, "model.safetensors.index.json": index }, async (folder) => {
      using source = await openModelSource(folder);
      await assertWeights(source, current);
      assert(source.notes!.some((note) => note.includes(`"${up}" is in several files`)));
    });
    // Nothing says which: neither is taken.
    await inFolder(files, async (folder) => {
      await assertRejects(
        () => openModelSource(folder),
        RangeError,
        `Cannot read tensor "${up}" of "${folder}": both ${shard(0)} and ${shard(1)} contain it`,
      );
    });
    const { [up]: _, ...without } = JSON.parse(index).weight_map;
    await inFolder(
      { ...files, "model.safetensors.index.json": indexOf(without) },
      async (folder) => {
        await assertRejects(
          () => openModelSource(folder),
          RangeError,
          "does not say which one to use",
        );
      },
    );
  }
});

Deno.test("weight files: a tensor that the index has in a shard without it is named, with the shard", async () => {
  const files = {
    [shard(0)]: part(current, halves[0]),
    [shard(1)]: part(current, halves[1].slice(1)),
    "model.safetensors.index.json": indexOf(places),
  };
  await inFolder(files, async (folder) => {
    await assertRejects(
      () => huggingFaceModelSource(folder),
      RangeError,
      `Cannot read tensor "${
        halves[1][0]
      }" of "${folder}": model.safetensors.index.json has it in ${shard(1)}`,
    );
  });
});

Deno.test("weight files: the form of a model's makers and states of training are not what is meant", async () => {
  const shards = { [shard(0)]: part(current, halves[0]), [shard(1)]: part(current, halves[1]) };
  const others = ["consolidated.safetensors", "optimizer.safetensors"];
  for (const other of others) {
    const beside: Readonly<Record<string, Uint8Array | string>>[] = [
      { "model.safetensors": part(current, names) },
      { ...shards, "model.safetensors.index.json": indexOf(places) },
      shards,
    ];
    for (const files of beside) {
      await inFolder({ ...files, [other]: part(old, names) }, async (folder) => {
        using source = await openModelSource(folder);
        await assertWeights(source, current);
        assert(source.notes!.some((note) => note.includes(`read, not ${other}`)), other);
      });
    }
    // Nor when they are all there is.
    await inFolder({ [other]: part(old, names) }, async (folder) => {
      const error = await assertRejects(() => openModelSource(folder), RangeError);
      assert(error.message.includes(other), error.message);
    });
  }
});

Deno.test("weight files: an index may say that its files lie in the same folder, and nowhere else", async () => {
  const shards = { [shard(0)]: part(current, halves[0]), [shard(1)]: part(current, halves[1]) };
  const under = (prefix: string) => ({
    ...shards,
    "model.safetensors.index.json": indexOf(
      Object.fromEntries(Object.entries(places).map(([name, file]) => [name, prefix + file])),
    ),
  });
  await inFolder(under("./"), async (folder) => {
    using source = await openModelSource(folder);
    await assertWeights(source, current);
    assertEquals(source.notes, []);
  });
  for (const prefix of ["../", "/", "././../", "a/", ".//"]) {
    await inFolder(under(prefix), async (folder) => {
      await assertRejects(() => openModelSource(folder), SyntaxError, "its index names the file");
    });
  }
});
