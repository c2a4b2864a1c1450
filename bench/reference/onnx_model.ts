/**
 * Encodes an ONNX model with one `MatMulNBits` node as protobuf, with the few fields of onnx.proto3 that it needs.
 *
 * @module
 */

/** A field: its number, and its value, an integer (varint) or bytes. */
type Field = readonly [number: number, value: number | string | Uint8Array];

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value;; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push(rest % 128 + 128);
  }
}

/** Encodes fields in order. A nested message is given as its bytes. */
function message(...fields: Field[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = fields.map(([number, value]) => {
    if (typeof value === "number") return new Uint8Array([...varint(number * 8), ...varint(value)]);
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    const head = [...varint(number * 8 + 2), ...varint(bytes.length)];
    const part = new Uint8Array(head.length + bytes.length);
    part.set(head);
    part.set(bytes, head.length);
    return part;
  });
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const float32 = 1;
const uint8 = 2;

function integerAttribute(name: string, value: number): Uint8Array {
  const int = 2;
  return message([1, name], [3, value], [20, int]);
}

function tensor(name: string, type: number, dims: number[], data: Uint8Array): Uint8Array {
  return message(...dims.map((dim): Field => [1, dim]), [2, type], [8, name], [9, data]);
}

function valueInfo(name: string, dims: number[]): Uint8Array {
  const shape = message(...dims.map((dim): Field => [1, message([1, dim])]));
  return message([1, name], [2, message([1, message([1, float32], [2, shape])])]);
}

/** A 4-bit matmul of `M x K` activations with `N x K` weights in blocks of `block` columns. */
export interface MatMulNBitsOptions {
  readonly M: number;
  readonly K: number;
  readonly N: number;
  readonly block: number;
  /** Codes from 0 to 15, `[N][K]`. The weight is `(code - 8) * scale`. */
  readonly codes: Uint8Array;
  /** Scales, `[N][K / block]`. */
  readonly scales: Float32Array;
}

/** The bytes of the model: input `x` `[M][K]` f32, output `y` `[M][N]` f32, without zero points, which are then 8. */
export function matMulNBitsModel(options: MatMulNBitsOptions): Uint8Array<ArrayBuffer> {
  const { M, K, N, block, codes, scales } = options;
  if (K % block || codes.length !== N * K || scales.length !== N * K / block) {
    throw new TypeError(
      `Cannot build MatMulNBits ${N} x ${K}: ${codes.length} codes, ${scales.length} scales of ${block}`,
    );
  }
  const packed = new Uint8Array(N * K / 2);
  for (let i = 0; i < packed.length; i++) packed[i] = codes[2 * i] | codes[2 * i + 1] << 4;
  const scaleBytes = new Uint8Array(scales.buffer, scales.byteOffset, scales.byteLength);
  const node = message(
    [1, "x"],
    [1, "b"],
    [1, "s"],
    [2, "y"],
    [3, "matmul"],
    [4, "MatMulNBits"],
    ...Object.entries({ K, N, bits: 4, block_size: block }).map(
      ([name, value]): Field => [5, integerAttribute(name, value)],
    ),
    [7, "com.microsoft"],
  );
  const graph = message(
    [1, node],
    [2, "graph"],
    [5, tensor("b", uint8, [N, K / block, block / 2], packed)],
    [5, tensor("s", float32, [N * K / block], scaleBytes)],
    [11, valueInfo("x", [M, K])],
    [12, valueInfo("y", [M, N])],
  );
  const ir = 8;
  return message(
    [1, ir],
    [7, graph],
    [8, message([1, ""], [2, 17])],
    [8, message([1, "com.microsoft"], [2, 1])],
  );
}
