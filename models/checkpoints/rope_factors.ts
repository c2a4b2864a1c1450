/**
 * Divisors of the rotary frequencies in a GGUF file.
 *
 * @module
 */

import { decode } from "../../quant/layouts/decode.ts";
import { formatOfGgufTensor, type GgufTensor } from "../../quant/files/gguf.ts";
import type { ByteSource } from "../../quant/files/byte_source.ts";

/** Number of rotated pairs in the widest head supported. */
const LONGEST = 512;

const DENSE_TYPES = ["F32", "F16", "BF16"];

/**
 * Reads the divisors from a tensor of a GGUF file: one for each rotated pair of a head.
 *
 * @throws {RangeError} when the tensor's type is not F32, F16 or BF16, its length is wrong, or a value is not positive and finite. The message names
 * the tensor.
 */
export async function readRopeFactors(
  tensor: GgufTensor & { readonly source: ByteSource },
  { headDimension }: { readonly headDimension: number },
): Promise<Float32Array<ArrayBuffer>> {
  const attempt = `Cannot load tensor "${tensor.name}"`;
  const pairs = headDimension / 2;
  const [length, ...rest] = tensor.dimensions;
  if (length !== pairs || rest.some((dimension) => dimension !== 1)) {
    throw new RangeError(
      `${attempt}: its shape is ${
        tensor.dimensions.join(" x ")
      }, expected ${pairs}, one for each pair of a head of ${headDimension}`,
    );
  }
  return await readFactors(tensor);
}

/**
 * Reads a short vector of positive numbers from a GGUF file.
 *
 * @throws {RangeError} when the tensor's type is not F32, F16 or BF16, it is longer than the widest head allows, or a value is not positive and
 * finite. The message names the tensor.
 */
export async function readFactors(
  tensor: GgufTensor & { readonly source: ByteSource },
): Promise<Float32Array<ArrayBuffer>> {
  const attempt = `Cannot load tensor "${tensor.name}"`;
  const [length = 0, ...rest] = tensor.dimensions;
  if (length > LONGEST || rest.some((dimension) => dimension !== 1)) {
    throw new RangeError(
      `${attempt}: its shape is ${
        tensor.dimensions.join(" x ")
      }, expected one number for each pair of a head`,
    );
  }
  if (!DENSE_TYPES.includes(tensor.typeName)) {
    throw new RangeError(
      `${attempt}: its type is ${tensor.typeName}; expected ${DENSE_TYPES.join(", ")}`,
    );
  }
  const bytes = await tensor.source.read(tensor.offset, tensor.byteLength);
  const factors = decode(formatOfGgufTensor(tensor).unpack(bytes, 1, length));
  const wrong = factors.findIndex((value) => !(value > 0 && value < Infinity));
  if (wrong >= 0) {
    throw new RangeError(
      `${attempt}: value ${wrong} is ${
        factors[wrong]
      }, expected a positive number that divides a frequency`,
    );
  }
  return factors;
}
