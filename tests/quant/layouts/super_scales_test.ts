import { assertEquals } from "@std/assert";
import type { SuperScales } from "../../../quant/mod.ts";
import { GRIDS } from "../../../quant/layouts/grids.ts";
import {
  emptySuperBlock,
  readSuperBlock,
  SUPER_SCALES,
  superWords,
  writeSuperBlock,
} from "../../../quant/layouts/super_scales.ts";
import { randomBytes } from "../random.ts";

for (const packing of Object.keys(SUPER_SCALES) as SuperScales[]) {
  const { words, columns, group, range } = SUPER_SCALES[packing];
  Deno.test(`scales of ${packing} are read and written without loss, in their range`, () => {
    const length = words === 0 ? 1 : 4 * words;
    const seen = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const bytes = randomBytes(seed, length + 3);
      const block = emptySuperBlock(packing);
      assertEquals(block.scales.length, columns / group);
      readSuperBlock(packing, bytes, 2, block);
      const integers = packing === "e8m0" ? [block.d] : [...block.scales];
      for (const integer of integers) {
        assertEquals(integer >= range[0] && integer <= range[1], true, `${integer}`);
        seen.add(integer);
      }
      // Padding and upper bits of codes are not touched, nor is what lies around.
      const again = bytes.slice();
      const shared = packing === "q3_k" || packing === "q6_k" || packing in GRIDS;
      if (!shared) again.fill(0, 2, 2 + length);
      writeSuperBlock(packing, again, 2, block);
      assertEquals(again, bytes);
    }
    if (packing !== "e8m0") assertEquals([Math.min(...seen), Math.max(...seen)], [...range]);
    assertEquals(superWords(packing, 512), words === 0 ? 4 : 2 * words);
  });
}
