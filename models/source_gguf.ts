/**
 * A model in one GGUF file.
 *
 * @module
 */

import { formatOfGgufTensor, readGguf } from "../quant/gguf.ts";
import type { ByteSource } from "../quant/byte_source.ts";
import { architectureOf } from "./architectures.ts";
import { configFromGguf } from "./config.ts";
import type { ModelSource, TensorSource } from "./source.ts";
import type { Tokenizer } from "./tokenizer.ts";
import { tokenizerFromGguf } from "./tokenizer_gguf.ts";

/**
 * Reads the header of a GGUF file and checks that it holds the whole model. Tensors are read when asked for.
 *
 * @throws {SyntaxError | RangeError} When the file is damaged, the architecture or a tensor's type is not supported, or a
 * tensor is missing or of the wrong shape
 */
export async function ggufModelSource(
  source: ByteSource & Partial<Disposable>,
): Promise<ModelSource> {
  const file = await readGguf(source);
  const embedding = file.tensors.find((t) => t.name === "token_embd.weight");
  if (!embedding) {
    throw new RangeError(`Cannot load "${source.name}": it has no tensor "token_embd.weight"`);
  }
  const config = configFromGguf(file.metadata, {
    embeddingRows: embedding.dimensions[1] ?? 0,
    hasHead: file.tensors.some((t) => t.name === "output.weight"),
  }, source.name);
  const tensors = new Map<string, TensorSource>();
  for (const { name, rows, columns } of architectureOf(config).weights(config)) {
    const tensor = file.tensors.find((t) => t.name === name);
    if (!tensor) throw new RangeError(`Cannot load "${source.name}": it has no tensor "${name}"`);
    const [inFile, rowsInFile = 1, ...more] = tensor.dimensions;
    if (inFile !== columns || rowsInFile !== rows || more.some((d) => d !== 1)) {
      throw new RangeError(
        `Cannot load tensor "${name}": its shape is ${
          tensor.dimensions.join(" x ")
        }, expected ${columns} x ${rows}`,
      );
    }
    const format = formatOfGgufTensor(tensor);
    const rowBytes = format.rowBytes(columns);
    tensors.set(name, {
      name,
      rows,
      columns,
      format,
      read: async (first, count) =>
        format.unpack(
          await source.read(tensor.offset + first * rowBytes, count * rowBytes),
          count,
          columns,
        ),
    });
  }
  return {
    name: source.name,
    config,
    tensors,
    tokenizer: embeddedTokenizer(file.metadata),
    ropeFactors: await ropeFactors(
      source,
      file.tensors.find((t) => t.name === "rope_freqs.weight"),
    ),
    gguf: { source, file },
    header: file,
    [Symbol.dispose]: () => source[Symbol.dispose]?.(),
  };
}

function embeddedTokenizer(metadata: ReadonlyMap<string, unknown>): Tokenizer | undefined {
  return metadata.has("tokenizer.ggml.tokens") ? tokenizerFromGguf(metadata) : undefined;
}

async function ropeFactors(
  source: ByteSource,
  tensor: Parameters<typeof formatOfGgufTensor>[0] | undefined,
): Promise<Float32Array | undefined> {
  if (!tensor || tensor.typeName !== "F32") return undefined;
  return new Float32Array((await source.read(tensor.offset, tensor.byteLength)).buffer);
}
