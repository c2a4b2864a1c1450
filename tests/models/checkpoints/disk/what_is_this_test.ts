import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { openModelSource } from "../../../../models/mod.ts";
import { randomLlama } from "../../../support/random_llama.ts";
import { ggufOf, huggingFaceConfig, safetensorsOf, smallShape } from "../../small_model.ts";

const shape = { ...smallShape, layers: 1 };
const weights = randomLlama(shape);
const gguf = ggufOf(shape, weights);
const safetensors = safetensorsOf(shape, weights);
const config = JSON.stringify(huggingFaceConfig({ ...shape, rope: "neox" }, false));
const lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2626168\n";
const zip = (name: string) => `PK\x03\x04${"\0".repeat(26)}${name}`;

type Files = Readonly<Record<string, Uint8Array<ArrayBuffer> | string>>;

async function write(folder: string, files: Files): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    // A character a byte.
    const bytes = typeof content === "string"
      ? Uint8Array.from(content, (letter) => letter.charCodeAt(0))
      : content;
    await Deno.writeFile(path, bytes);
  }
}

async function inFolder(files: Files, body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await write(folder, files);
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Opens what is no model and looks for what the error must say: the path, what it is, what to do. */
async function assertSays(files: Files, path: string, ...says: string[]): Promise<void> {
  await inFolder(files, async (folder) => {
    const begun = performance.now();
    const error = await assertRejects(() => openModelSource(join(folder, path)), Error);
    assert(performance.now() - begun < 1000, "it took more than a second");
    for (const text of [`"${folder}`, ...says]) assert(error.message.includes(text), error.message);
    assert(error instanceof RangeError || error instanceof Deno.errors.NotFound, error.name);
  });
}

Deno.test("what is this: folders", async () => {
  const tokenizer = { "config.json": config, "tokenizer.json": "{}" };
  const cases: [Files, ...string[]][] = [
    [
      { "pytorch_model.bin": zip("archive/data.pkl"), ...tokenizer },
      "pytorch_model.bin",
      "convert it to safetensors",
    ],
    [
      {
        "pytorch_model-00001-of-00002.bin": "",
        "pytorch_model.bin.index.json": "{}",
        ...tokenizer,
      },
      "pytorch_model-00001-of-00002.bin",
      "convert",
    ],
    [
      {
        "consolidated.00.pth": zip("consolidated/data.pkl"),
        "params.json": "{}",
        "tokenizer.model": "x",
      },
      "consolidated.00.pth and params.json",
      "convert_llama_weights_to_hf.py",
    ],
    [
      { "consolidated.safetensors": safetensors, "params.json": "{}" },
      "consolidated.safetensors",
      "in the form of its makers",
    ],
    [{ "tokenizer.model": "x" }, "no weights", "tokenizer.model"],
    [tokenizer, "it has no weights", "config.json and tokenizer.json"],
    [
      {
        "adapter_config.json": '{"base_model_name_or_path": "meta-llama/Llama-3.2-1B"}',
        "adapter_model.safetensors": safetensors,
      },
      "LoRA adapter",
      '"meta-llama/Llama-3.2-1B"',
      "merge_and_unload",
    ],
    [
      { "adapter_config.json": "no JSON", "adapter_model.bin": "" },
      "LoRA adapter",
      "does not name",
    ],
    [
      {
        "adapter_config.json": "{}",
        "adapter_model.safetensors": "",
        "model.safetensors": safetensors,
        ...tokenizer,
      },
      "model.safetensors",
      "LoRA adapter",
      "not laid over",
    ],
    [{ "model.onnx": "\x08\x07", ...tokenizer }, "model.onnx (ONNX)", "safetensors or GGUF"],
    [{ "onnx/model.onnx": "", ...tokenizer }, "the folder onnx (ONNX)"],
    [{ "tf_model.h5": "\x89HDF\r\n\x1a\n", ...tokenizer }, "tf_model.h5", "from_tf=True"],
    [{ "flax_model.msgpack": "", ...tokenizer }, "flax_model.msgpack", "from_flax=True"],
    [{ "llama-7b-4bit-128g.pt": "", ...tokenizer }, "llama-7b-4bit-128g.pt", "pickled form"],
    [{ "weights.npz": "", ...tokenizer }, "weights.npz (MLX)", "convert"],
    [{}, "the folder is empty"],
    [{ "a.gguf": gguf, "b.gguf": gguf }, "several GGUF files", "a.gguf", "b.gguf"],
    [{ "m-mmproj-f16.gguf": gguf, "imatrix.gguf": gguf }, "no model", "m-mmproj-f16.gguf"],
    [
      { "models--a--b/snapshots/0a1b/config.json": config, "models--c--d/blobs/x": "" },
      "the Hugging Face cache of 2 models",
      "models--a--b/snapshots/0a1b",
    ],
    [
      { "consolidated.safetensors": safetensors, "params.json": "{}", ...tokenizer },
      "consolidated.safetensors",
      "in the form of its makers",
    ],
    [
      { "snapshots/0a1b/config.json": config, "refs/main": "0a1b", "blobs/x": "" },
      "Hugging Face cache",
      "snapshots/0a1b",
    ],
    [
      { "one/config.json": config, "two/m.gguf": gguf, "three/x.txt": "" },
      "a folder of models",
      "one",
      "two",
    ],
    [{ "model.safetensors": safetensors }, "no config.json", "model.safetensors"],
    [
      { "model.safetensors.part": "x", ...tokenizer },
      "download was not finished",
      "model.safetensors.part",
    ],
    [{ "run.ledger": "QZOLEDGR", "config.yaml": "" }, "the folder of a run", "--ledger"],
    [{ "model_index.json": "{}", "unet/x.safetensors": safetensors }, "diffusers"],
    [{ "train.jsonl": "{}" }, "data (train.jsonl)", "--data"],
    [{ "notes.txt": "hello" }, "no config.json and no safetensors or GGUF file, only notes.txt"],
  ];
  for (const [files, ...says] of cases) {
    await inFolder({}, async (parent) => {
      // A folder of its own, also when it is empty.
      const folder = join(parent, "it");
      await Deno.mkdir(folder);
      await write(folder, files);
      const begun = performance.now();
      const error = await assertRejects(() => openModelSource(folder), RangeError);
      assert(performance.now() - begun < 1000);
      assert(error.message.startsWith(`Cannot load "${folder}": `), error.message);
      for (const text of says) assert(error.message.includes(text), `${text}: ${error.message}`);
    });
  }
});

Deno.test("what is this: files", async () => {
  const zeros = "\0".repeat(4096);
  const cases: [string, string, ...string[]][] = [
    ["m.gguf", lfs, "a Git LFS pointer, not the file itself: run git lfs pull", "2626168"],
    ["m.gguf", "<!DOCTYPE html><html><body>Not Found", "a web page in HTML", "Download it again"],
    ["m.gguf", "Entry not found", "an error message of a server"],
    [
      "m.gguf",
      '<?xml version="1.0"?><Error><Code>AccessDenied',
      "an error message of a file server",
    ],
    ["m.gguf", "\x1f\x8b\x08\0", "compressed with gzip"],
    ["m.gguf", "\x28\xb5\x2f\xfd", "compressed with zstd"],
    ["m.tar", `${"a".padEnd(257, "\0")}ustar\0`, "a tar archive"],
    ["m.7z", "7z\xbc\xaf\x27\x1c", "a 7z archive"],
    ["m.zip", zip("readme.txt"), "a zip archive"],
    [
      "pytorch_model.bin",
      zip("archive/data.pkl"),
      "a PyTorch file (pickled)",
      "convert it to safetensors",
    ],
    ["old.pt", "\x80\x02\x8a\nl\xfc\x9c", "a pickled file"],
    ["odd.pth", "hello", "PyTorch by its name"],
    ["model.onnx", "\x08\x07\x12", "an ONNX model"],
    ["tf_model.h5", "\x89HDF\r\n\x1a\n", "HDF5"],
    ["llama.bin", "tjgg\x03\0\0\0", "one of llama.cpp's formats from before GGUF"],
    ["llama.bin", "lmgg\x03\0\0\0", "one of llama.cpp's formats from before GGUF"],
    ["run.ledger", "QZOLEDGR\0\0", "a ledger of this library", "--ledger"],
    ["m.gguf", "", "it is empty"],
    ["m.gguf", zeros, "nothing but zeros"],
    ["m.gguf.part", "GGUF\x03\0\0\0", "a download that was not finished"],
    ["m.gguf.incomplete", "GGUF\x03\0\0\0", "a download that was not finished"],
    ["train.parquet", "PAR1\x15\x04", "a Parquet table"],
    ["tokenizer.model", "\n\x0e\n", "a tokenizer of SentencePiece"],
    ["config.json", "{}", "give the model's folder"],
    ["what.dat", "\x01\x02\x03\x04\x05\x06\x07\x08\x09", "neither a GGUF file nor a folder"],
  ];
  for (const [name, content, ...says] of cases) {
    await assertSays({ [name]: content }, name, ...says);
  }
  await assertSays({ "lone.safetensors": safetensors }, "lone.safetensors", "put config.json");
});

Deno.test("what is this: pointers in place of any file of a folder, and files that ended early", async () => {
  const whole = { "config.json": config, "model.safetensors": safetensors, "tokenizer.json": "{}" };
  const says = "it is a Git LFS pointer, not the file itself: run git lfs pull";
  for (
    const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
  ) {
    await assertSays({ ...whole, [name]: lfs }, "", name, says);
  }
  const shards = { "model-00001-of-00002.safetensors": safetensors };
  const index = { "model.safetensors.index.json": lfs };
  const { "model.safetensors": _, ...rest } = whole;
  await assertSays({ ...rest, ...shards, ...index }, "", "model.safetensors.index.json", says);
  for (const length of [safetensors.length - 1, 3000, 100]) {
    await assertSays(
      { ...whole, "model.safetensors": safetensors.slice(0, length) },
      "",
      "download or copy is incomplete",
    );
  }
  await assertSays({ "m.gguf": gguf.slice(0, -1) }, "m.gguf", "download or copy is incomplete");
});

Deno.test("what is this: one GGUF file in a folder, one file of a folder, and all parts of a split model are opened", async () => {
  await inFolder(
    { "m.gguf": gguf, "config.json": config, "mmproj-x.gguf": gguf },
    async (folder) => {
      using source = await openModelSource(folder);
      assert(source.notes![0].includes("m.gguf is read"), source.notes![0]);
    },
  );
  await inFolder({ "config.json": config, "model.safetensors": safetensors }, async (folder) => {
    using source = await openModelSource(join(folder, "model.safetensors"));
    assertEquals(source.name, folder);
    assert(source.notes![0].includes("which is read"), source.notes![0]);
  });
  await assertSays(
    { "m-00002-of-00003.gguf": gguf },
    "m-00002-of-00003.gguf",
    "2 of the 3 files of this split model are missing: m-00001-of-00003.gguf and m-00003-of-00003.gguf",
  );
});

Deno.test("what is this: names of hubs, addresses, and paths with nothing at them", async () => {
  const cases: [string, ...string[]][] = [
    [
      "meta-llama/Llama-3.2-1B",
      "nothing is downloaded",
      "hf download meta-llama/Llama-3.2-1B --local-dir Llama-3.2-1B",
    ],
    [
      "TheBloke/Llama-2-7B-GGUF:Q4_K_M",
      "hf download TheBloke/Llama-2-7B-GGUF --include '*Q4_K_M*'",
    ],
    ["gpt2", "hf download gpt2"],
    [
      "https://huggingface.co/meta-llama/Llama-3.2-1B/tree/main",
      "nothing is downloaded",
      "hf download meta-llama/Llama-3.2-1B",
    ],
    ["http://example.com/m.gguf", "nothing is downloaded", "Download the file"],
    ["hf://a/b", "hf download a/b"],
    ["", "no path is given"],
    ["/no/where/at/all.gguf", 'its folder "/no/where/at" is not there'],
  ];
  for (const [path, ...says] of cases) {
    const error = await assertRejects(() => openModelSource(path), Deno.errors.NotFound);
    for (const text of says) assert(error.message.includes(text), error.message);
    assert(error.message.startsWith(`Cannot load "${path}": `), error.message);
  }
  await inFolder({ "Tiny-Model.Q4_0.gguf": gguf }, async (folder) => {
    const path = join(folder, "tiny-model.q4_0");
    const error = await assertRejects(() => openModelSource(path), Deno.errors.NotFound);
    assert(
      error.message.includes(`Is "${join(folder, "Tiny-Model.Q4_0.gguf")}" meant?`),
      error.message,
    );
  });
});

Deno.test("what is this: what lies beside a GGUF model is not it, wherever its name says so", async () => {
  for (const other of ["mmproj-f16.gguf", "m-mmproj-f16.gguf", "m.imatrix.gguf"]) {
    await inFolder({ "m-Q4_0.gguf": gguf, [other]: "GGUF" }, async (folder) => {
      using source = await openModelSource(folder);
      assert(source.notes![0].includes("m-Q4_0.gguf is read"), source.notes![0]);
    });
  }
});

Deno.test("what is this: a home folder that no shell has put in", async () => {
  const { message } = await assertRejects(
    () => openModelSource("~/models/it"),
    Deno.errors.NotFound,
  );
  assert(message.includes(join(Deno.env.get("HOME") ?? "", "models/it")), message);
  assert(message.includes('no folder called "~"'), message);
});
