/**
 * Writes codes and scales of scalar layouts group by group and row by row, for quantisers.
 *
 * @module
 */

import { CODE_TABLES } from "../layouts/code_tables.ts";
import type { GroupFit } from "./fitted_group.ts";
import { float16ToNumber } from "../layouts/float16.ts";
import { groupsPerRow, type PackedTensor, type ScalarLayout } from "../layouts/layout.ts";
import { halves, planeBytes } from "../layouts/planes.ts";
import { writeCodes } from "../layouts/scalar_codes.ts";
import { nearestCode } from "./table_fit.ts";

/** Conversion between values and codes for a group's scale. */
export interface GroupCodes {
  /** Returns the code with the nearest value. */
  readonly code: (value: number) => number;
  /** Returns the value of a code. */
  readonly value: (code: number) => number;
}

/** Returns a function that gives the codes for a group's fit. */
export function groupCodes(layout: ScalarLayout): (found: GroupFit) => GroupCodes {
  const { center, second: kind, table } = layout;
  const largest = (layout.levels ?? 2 ** layout.bits) - 1;
  const meanings = table && CODE_TABLES[table];
  const nearest = table && nearestCode(table);
  return (found) => {
    const scale = float16ToNumber(found.scale);
    const second = float16ToNumber(found.second);
    const inverse = scale === 0 ? 0 : 1 / scale;
    if (meanings && nearest) {
      return { code: (x) => nearest(x * inverse), value: (code) => scale * meanings[code] };
    }
    const origin = kind === "zero" ? second : center;
    const added = kind === "min" ? second : 0;
    const shift = origin - added * inverse;
    return {
      code: (x) => {
        const code = Math.floor(x * inverse + shift + 0.5);
        return code < 0 ? 0 : code > largest ? largest : code;
      },
      value: (code) => scale * (code - origin) + added,
    };
  };
}

/** Writes scales and codes into the planes of a tensor. */
export class GroupPlanes {
  readonly #tensor: PackedTensor;
  readonly #layout: ScalarLayout;
  readonly #scales: Uint16Array;
  readonly #bytes: Uint8Array;

  /** `tensor` must have the given layout and codes that are zero. */
  constructor(tensor: PackedTensor, layout: ScalarLayout) {
    this.#tensor = tensor;
    this.#layout = layout;
    this.#scales = halves(tensor.scales);
    this.#bytes = planeBytes(tensor.codes);
  }

  /** Sets the scale, and the zero point or minimum, of a group. */
  setGroup(row: number, group: number, { scale, second }: GroupFit): void {
    const index = row * groupsPerRow(this.#layout, this.#tensor.columns) + group;
    if (this.#layout.second === "none") this.#scales[index] = scale;
    else {
      this.#scales[2 * index] = scale;
      this.#scales[2 * index + 1] = second;
    }
  }

  /** Sets the codes of a row. */
  setCodes(row: number, codes: Uint8Array): void {
    const { columns } = this.#tensor;
    const { bits } = this.#layout;
    writeCodes(codes, bits, columns / 32, this.#bytes, row * columns * bits / 8);
  }
}
