/**
 * Four-bit tensors of bitsandbytes (NF4 and FP4 of QLoRA, Dettmers et al. 2023, arXiv 2305.14314). Codes index a table;
 * two are stored per byte, the first in the high half, row-major. Each block has its largest magnitude (absmax) as f32.
 *
 * With double quantisation, the absmax values are 8-bit codes of a table with 256 values. The table value is multiplied
 * by one f32 per 256 blocks, and one offset for the whole tensor is added.
 *
 * @module
 */

import type { FloatCodec } from "../layouts/float_codecs.ts";
import type { PackedTensor, ScalarLayout } from "../layouts/layout.ts";
import { checkShape } from "../layouts/planes.ts";
import { packRows, wholeGroup } from "./row_packing.ts";
import { checkLength } from "./transposed.ts";

/** The stored planes of one linear layer. */
export interface BitsandbytesPlanes {
  /** Two codes per byte. */
  readonly codes: Uint8Array;
  /** The absmax of each block as f16 bits, row-major. */
  readonly absmax: Uint16Array;
}

/** The shape of a linear layer. */
export interface BitsandbytesShape {
  /** Table of the codes. */
  readonly type: "nf4" | "fp4";
  /** Elements that share an absmax: a multiple of 32 that divides the number of columns. */
  readonly block: number;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  /** Name for messages. Default "tensor". */
  readonly name?: string;
}

/**
 * The layout of such a tensor.
 *
 * @throws {RangeError} for an impossible shape, type or block.
 */
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
 * Converts a linear layer to the scalar layout with a table.
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

/** How the absmax values of a tensor are quantised. */
export interface NestedAbsmax {
  /** Table of 256 values. */
  readonly map: Float32Array;
  /** One second-level absmax per `block` values. */
  readonly absmax: Float32Array;
  /** Number of absmax values that share a second-level one. */
  readonly block: number;
  /** Added to every value. */
  readonly offset: number;
}

/**
 * Reads and writes the codes of doubly quantised absmax values: returns the codec of absmax `index`. Values are
 * computed in f32, as in bitsandbytes, and the nearest code is written.
 *
 * @throws {TypeError} for a map of any other length than 256.
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
