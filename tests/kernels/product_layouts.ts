/**
 * Layouts whose products are differentiated in tests.
 *
 * @module
 */
import { FORMATS, type Layout } from "../../quant/mod.ts";

/** Four bits in groups of 32 columns, with a minimum or a zero point each. */
export const scalar = (second: "min" | "zero", center = 0): Layout => ({
  ...{ kind: "scalar", bits: 4, second, center, group: 32 },
});

/** Those of the formats that shaders read differently. */
const formats =
  /^(F32|F16|BF16|Q4_0|Q8_0|Q5_1|Q[2346]_K|IQ4_XS|MXFP4|IQ2_XXS|IQ3_S|IQ1_M|int3z_g64|nf4_g64|int4m_row|codebook[23]x8)$/;

/** Those that shaders read differently, by name. */
export const layouts: ReadonlyMap<string, Layout> = new Map<string, Layout>([
  ...FORMATS.filter(({ name }) => formats.test(name)).map(({ name, layout }) =>
    [name, layout] as const
  ),
  ["int4 min about 8", scalar("min", 8)],
  ["int4 zero", scalar("zero")],
  ["int4 by column", { kind: "column", bits: 4, classes: 8 }],
  ["codebook 2x9 of 16", { kind: "codebook", books: 2, bits: 9, vector: 16 }],
]);
