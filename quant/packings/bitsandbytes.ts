/**
 * Four-bit tensors of bitsandbytes (NF4 and FP4 of QLoRA, Dettmers et al. 2023, arXiv 2305.14314): codes of a table, two in a
 * byte with the first in the high half, row-major, and the largest magnitude (absmax) of every block as f32.
 *
 * With double quantisation the absmax are 8-bit codes of a table of 256 values, which a f32 per 256 blocks multiplies and one
 * offset for the whole tensor is added to.
 *
 * @module
 */

import type { FloatCodec } from "../layouts/float_codecs.ts";
import type { PackedTensor, ScalarLayout } from "../layouts/layout.ts";
import { checkShape } from "../layouts/planes.ts";
import { packRows, wholeGroup } from "./row_packing.ts";
import { checkLength } from "./transposed.ts";

/** What a file has of one linear layer. */
export interface BitsandbytesPlanes {
  /** Two codes a byte. */
  readonly codes: Uint8Array;
  /** The absmax of every block as f16 bits, row-major. */
  readonly absmax: Uint16Array;
}

/** Shape of a linear layer. */
export interface BitsandbytesShape {
  /** What codes stand for. */
  readonly type: "nf4" | "fp4";
  /** Elements that share an absmax: a multiple of 32 that divides the columns. */
  readonly block: number;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** For messages. Default "tensor". */
  readonly name?: string;
}

/** The layout of such a tensor. @throws {RangeError} for an impossible shape, type or block. */
export function bitsandbytesLayout(
  { type, block, rows, columns, name = "tensor" }: BitsandbytesShape,
): ScalarLayout {
  if (type !== "nf4" && type !== "fp4") {
    throw new RangeError(
      `Cannot unpack "${name}": type ${JSON.stringify(type)}; expected one of nf4, fp4`,
    );
  }
  const group = wholeGroup(block, columns, name);
  const layout: ScalarLayout = {
    kind: "scalar",
    bits: 4,
    center: 0,
    second: "none",
    group,
    table: type,
  };
  checkShape(layout, rows, columns);
  return layout;
}

/**
 * The planes of a linear layer in the scalar layout with a table.
 *
 * @throws {RangeError} for an impossible shape, type or block.
 * @throws {TypeError} for a plane of the wrong length.
 *
 * @example The first element is in the high half
 * ```ts
 * import { bitsandbytesToPacked, decode } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const planes = { codes: new Uint8Array(16).fill(0xf0), absmax: Uint16Array.of(0x4000) };
 * const packed = bitsandbytesToPacked(planes, { type: "nf4", block: 32, rows: 1, columns: 32 });
 * assertEquals([...decode(packed).subarray(0, 2)], [2, -2]);
 * ```
 */
export function bitsandbytesToPacked(
  planes: BitsandbytesPlanes,
  shape: BitsandbytesShape,
): PackedTensor {
  const layout = bitsandbytesLayout(shape);
  const { block, rows, columns, name = "tensor" } = shape;
  const groups = columns / block;
  checkLength(name, "weight", planes.codes, rows * columns / 2);
  checkLength(name, "absmax", planes.absmax, rows * groups);
  return packRows(layout, rows, columns, {
    codes(row, codes) {
      const from = row * columns / 2;
      for (let i = 0; i < columns / 2; i++) {
        const byte = planes.codes[from + i];
        codes[2 * i] = byte >> 4;
        codes[2 * i + 1] = byte & 15;
      }
    },
    scale: (row, g) => planes.absmax[row * groups + g],
  });
}

/** How the absmax of a tensor are quantised themselves. */
export interface NestedAbsmax {
  /** 256 values. */
  readonly map: Float32Array;
  /** One per `block` absmax. */
  readonly absmax: Float32Array;
  /** Absmax that share one. */
  readonly block: number;
  /** Added to all. */
  readonly offset: number;
}

/**
 * How to read and write the codes of doubly quantised absmax: the codec of absmax `index`. Values are computed in f32, as
 * bitsandbytes does; the nearest code is written.
 *
 * @throws {TypeError} for a map of another length.
 */
export function nestedCodecs({ map, absmax, block, offset }: NestedAbsmax): (
  index: number,
) => FloatCodec {
  checkLength("tensor", "nested_quant_map", map, 256);
  const offset32 = Math.fround(offset);
  const codecs = Array.from(absmax, (scale): FloatCodec => {
    const toNumber = (code: number) => Math.fround(Math.fround(map[code] * scale) + offset32);
    return {
      toNumber,
      toBits(value) {
        let nearest = 0;
        for (let code = 1; code < 256; code++) {
          const off = Math.abs(toNumber(code) - value);
          if (off < Math.abs(toNumber(nearest) - value)) nearest = code;
        }
        return nearest;
      },
    };
  });
  return (index) => codecs[Math.floor(index / block)];
}
