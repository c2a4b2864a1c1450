/**
 * This library's own integer formats: 2, 3, 4 or 8 bits with an f16 scale per group of columns or per row.
 *
 * `int4_g128` is `scale * (q - 8)`; `int4z_g128` has an f16 zero point per group next to the scale, `scale * (q - zero)`; `int4m_g128` has an f16
 * that is added, `scale * (q - 8) + min`; `int4_row` has one scale per row. `nf4_g64` and `fp4_g64` are `scale * table[q]`.
 *
 * @module
 */

import type { Format } from "./format.ts";
import { planeFormat } from "./plane_format.ts";

const GROUPS = { g32: 32, g64: 64, g128: 128, row: 0 } as const;

/** `int{2,3,4,8}[z]_{g32,g64,g128,row}`, `{nf4,fp4}_{g32,g64,g128,row}` and `int4m_{g32,g64,g128,g256,row}`. */
export const GROUP_FORMATS: readonly Format[] = [
  ...Object.entries(GROUPS).flatMap(([suffix, group]) => [
    ...([2, 3, 4, 8] as const).flatMap((bits) =>
      (["none", "zero"] as const).map((second) =>
        planeFormat(`int${bits}${second === "zero" ? "z" : ""}_${suffix}`, {
          kind: "scalar",
          bits,
          center: second === "zero" ? 0 : 2 ** (bits - 1),
          second,
          group,
        })
      )
    ),
    ...(["nf4", "fp4"] as const).map((table) =>
      planeFormat(`${table}_${suffix}`, {
        kind: "scalar",
        bits: 4,
        center: 0,
        second: "none",
        group,
        table,
      })
    ),
  ]),
  ...Object.entries({ ...GROUPS, g256: 256 }).map(([suffix, group]) =>
    planeFormat(`int4m_${suffix}`, { kind: "scalar", bits: 4, center: 8, second: "min", group })
  ),
];
