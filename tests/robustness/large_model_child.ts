/**
 * Loads a model that exists only as a header and a rule, and prints how much host memory that took beside the device's.
 *
 * @module
 */
import { loadModel, openGpu } from "../../mod.ts";
import { ggufModelSource } from "../../models/checkpoints/gguf/open_gguf.ts";
import { type ByteSource, formatByName } from "../../quant/mod.ts";
import { encodeGgufHeader } from "../../quant/files/gguf_header.ts";

const megabytes = Number(Deno.args[0]);
const hidden = 1024;
const feedForward = 2816;
const vocabulary = 8192;
const q8 = formatByName("Q8_0");
const f32 = formatByName("F32");
const layerBytes = (4 * hidden * hidden + 3 * hidden * feedForward) * 34 / 32;
const layers = Math.ceil(megabytes * 2 ** 20 / layerBytes);

const shapes: [string, number, number][] = [["token_embd", hidden, vocabulary]];
for (let i = 0; i < layers; i++) {
  const block = `blk.${i}`;
  for (const name of ["attn_q", "attn_k", "attn_v", "attn_output"]) {
    shapes.push([`${block}.${name}`, hidden, hidden]);
  }
  shapes.push([`${block}.ffn_gate`, hidden, feedForward], [`${block}.ffn_up`, hidden, feedForward]);
  shapes.push([`${block}.ffn_down`, feedForward, hidden]);
  shapes.push([`${block}.attn_norm`, hidden, 1], [`${block}.ffn_norm`, hidden, 1]);
}
shapes.push(["output_norm", hidden, 1]);

let offset = 0;
const entries = shapes.map(([name, columns, rows]) => {
  const format = rows === 1 ? f32 : q8;
  const byteLength = format.rowBytes(columns) * rows;
  const entry = {
    name: `${name}.weight`,
    dimensions: rows === 1 ? [columns] : [columns, rows],
    type: format.gguf!.type,
    offset,
    byteLength,
  };
  offset += Math.ceil(byteLength / 32) * 32;
  return entry;
});
const u32 = (value: number) => ({ type: "uint32" as const, value });
const header = encodeGgufHeader(
  {
    "general.architecture": "llama",
    "llama.block_count": u32(layers),
    "llama.context_length": u32(512),
    "llama.embedding_length": u32(hidden),
    "llama.feed_forward_length": u32(feedForward),
    "llama.attention.head_count": u32(16),
    "llama.attention.layer_norm_rms_epsilon": { type: "float32", value: 1e-5 },
  },
  entries,
  32,
);
const file: ByteSource = {
  name: "a rule",
  size: header.length + offset,
  read(at, length) {
    const bytes = new Uint8Array(length).fill(60);
    if (at < header.length) bytes.set(header.subarray(at, at + length));
    return Promise.resolve(bytes);
  },
};

using gpu = await openGpu();
const before = Deno.memoryUsage().rss;
let peak = 0;
using source = await ggufModelSource(file);
using _model = await loadModel(gpu, source, {
  onProgress: () => {
    peak = Math.max(peak, Deno.memoryUsage().rss - before - gpu.memory.total);
  },
});
console.log(
  JSON.stringify({ fileBytes: file.size, deviceBytes: gpu.memory.total, hostBytes: peak }),
);
