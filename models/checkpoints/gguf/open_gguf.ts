/**
 * Opens a model in one or several GGUF files.
 *
 * @module
 */

import { formatOfGgufTensor, type GgufTensor, readGguf } from "../../../quant/files/gguf.ts";
import { checkParts, type GgufPart } from "../../../quant/files/gguf_split.ts";
import type { ByteSource } from "../../../quant/files/byte_source.ts";
import { architectureOf, ARCHITECTURES, weightsOf } from "../../architectures.ts";
import { configFromGguf } from "../../config/config_gguf.ts";
import { checkGain } from "../check_gain.ts";
import { refuseOtherPurposes } from "./gguf_purpose.ts";
import { readFactors, readRopeFactors } from "../rope_factors.ts";
import { ROPE_FACTORS_NAME } from "../../rope_scaling.ts";
import type { ModelSource, TensorSource } from "../checkpoint.ts";
import { fileRows } from "../file_rows.ts";
import { few, leftOut } from "../tensor_places.ts";
import {
  type SpelledTokenizer,
  tokenizerFromGguf,
  tokenizerJsonFromGguf,
} from "../../tokenizers/tokenizer_gguf.ts";

const LARGEST_BIAS = 2 ** 22;

/** Tables of rotary frequencies, which are recomputed. llama.cpp ignores them too. */
const ROTARY_TABLES = /rot_embd|rotary_emb/;

/**
 * Reads the header of a GGUF file and checks that the file, together with `others` for a split model, contains the whole model. Tensors are read on
 * demand.
 *
 * @throws {SyntaxError | RangeError} when the file is damaged, the architecture or a tensor's type is not supported, or a tensor is missing, has the
 * wrong shape, or is one that the architecture does not have (a bias, an expert, an NVFP4 scale).
 */
export async function ggufModelSource(
  source: ByteSource & Partial<Disposable>,
  others: readonly (ByteSource & Partial<Disposable>)[] = [],
): Promise<ModelSource> {
  const file = await readGguf(source);
  const parts: GgufPart[] = [{ source, file }];
  for (const other of others) parts.push({ source: other, file: await readGguf(other) });
  if (parts.length > 1) checkParts(parts);
  else refuseOtherPurposes(source.name, file);
  const stored = new Map(
    parts.flatMap(({ source, file }) => file.tensors.map((t) => [t.name, { ...t, source }])),
  );
  const embedding = stored.get("token_embd.weight");
  if (!embedding) {
    throw new RangeError(`Cannot load "${source.name}": it has no tensor "token_embd.weight"`);
  }
  const notes: string[] = [];
  const vectors = new Map<string, Float32Array>();
  const named = ARCHITECTURES.find(({ name }) =>
    name === file.metadata.get("general.architecture")
  );
  for (const name of named?.gguf?.vectors?.names ?? []) {
    const vector = stored.get(name);
    if (vector) vectors.set(name, await readFactors(vector));
  }
  const config = configFromGguf(
    file.metadata,
    {
      embeddingRows: embedding.dimensions[1] ?? 0,
      hasHead: stored.has("output.weight"),
      vectors,
    },
    source.name,
    (sentence) => notes.push(sentence),
  );
  const tensors = new Map<string, TensorSource>();
  for (const { name, rows, columns, role } of weightsOf(config)) {
    const tensor = stored.get(name);
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
    checkGain({ name, rows, format });
    tensors.set(name, {
      name,
      role,
      rows,
      columns,
      format,
      read: fileRows(tensor.source, tensor.offset, { format, columns }),
    });
  }
  const factors = architectureOf(config).gguf?.ropeFactors && stored.get(ROPE_FACTORS_NAME);
  const tables: string[] = [];
  const strangers: string[] = [];
  for (const [name, tensor] of stored) {
    if (
      tensors.has(name) || vectors.has(name) || name === factors?.name || await isZeroBias(tensor)
    ) continue;
    (ROTARY_TABLES.test(name) ? tables : strangers).push(name);
  }
  if (strangers.length > 0) {
    const [tensor, it] = strangers.length === 1 ? ["tensor", "it"] : ["tensors", "them"];
    throw new RangeError(
      `Cannot load ${tensor} ${
        few(strangers)
      }: architecture "${config.architecture}" does not use ${it} here, and leaving ${it} out would change the model`,
    );
  }
  notes.push(
    ...leftOut("tables of rotary frequencies, which are recomputed, as in llama.cpp", tables),
  );
  const embedded = embeddedTokenizer(file.metadata);
  notes.push(...embedded.tokenizer?.notes ?? []);
  return {
    name: source.name,
    config,
    tensors,
    ...embedded,
    ropeFactors: factors && await readRopeFactors(factors, config),
    gguf: parts.length === 1 ? parts[0] : undefined,
    split: parts.length === 1 ? undefined : parts,
    header: file,
    notes,
    [Symbol.dispose]: () => {
      for (const one of [source, ...others]) one[Symbol.dispose]?.();
    },
  };
}

/** Whether a tensor is a bias of zeros, which some writers give every layer. */
async function isZeroBias(
  { name, source, offset, byteLength }: GgufTensor & { readonly source: ByteSource },
): Promise<boolean> {
  if (!name.endsWith(".bias") || byteLength > LARGEST_BIAS) return false;
  return (await source.read(offset, byteLength)).every((byte) => byte === 0);
}

/** The tokenizer in a file's metadata. Its Hugging Face files are created on demand, because they are large and only folders need them. */
function embeddedTokenizer(
  metadata: ReadonlyMap<string, unknown>,
): Pick<ModelSource, "tokenizer" | "tokenizerFiles"> {
  if (!metadata.has("tokenizer.ggml.tokens")) return { tokenizer: undefined };
  let files: SpelledTokenizer | undefined;
  const spelled = () => files ??= tokenizerJsonFromGguf(metadata);
  return {
    tokenizer: tokenizerFromGguf(metadata),
    tokenizerFiles: {
      get json() {
        return spelled().json;
      },
      get config() {
        return spelled().config;
      },
      get texts() {
        return spelled().texts;
      },
      get mergeOrder() {
        return spelled().mergeOrder;
      },
    },
  };
}
