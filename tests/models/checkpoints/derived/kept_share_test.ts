/** What a file keeps of a trained change: every writable format, fine and coarse spans, three sizes of offsets. */
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { keptOfRows, shareOf } from "../../../../models/checkpoints/derived/kept_share.ts";
import {
  decode,
  foldScales,
  FORMATS,
  offsetCount,
  type OffsetForm,
  type PackedTensor,
  type PartOffsets,
  quantize,
  type TrainedPart,
  tunedRows,
} from "../../../../quant/mod.ts";
import { fitSuperBlock } from "../../../../quant/fold/super_fit.ts";
import { float16ToNumber, numberToFloat16 } from "../../../../quant/layouts/float16.ts";
import {
  emptySuperBlock,
  SUPER_SCALES,
  superFactor,
  type SuperScales,
} from "../../../../quant/layouts/super_scales.ts";
import { groupColumns } from "../../../../quant/layouts/layout.ts";
import { randomNumbers } from "../../../support/random_llama.ts";

const random = randomNumbers(19);
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const [rows, columns] = [16, 512];
const values = Float32Array.from({ length: rows * columns }, () => 0.05 * normal());
const sizes = [0.003, 0.02, 0.1];

function offsetsOf(t: PackedTensor, span: number, size: number, part: TrainedPart = "scales") {
  return Float32Array.from(
    { length: offsetCount(t.layout, t.rows, t.columns, span, part) },
    () => size * normal(),
  );
}

/** Relative offsets of scales, with the minima that they move. */
function relative(t: PackedTensor, span: number, offsets: Float32Array) {
  const own: PartOffsets = { form: "relative", span, offsets };
  const moves = t.layout.kind === "scalar" && t.layout.second === "min";
  return new Map<TrainedPart, PartOffsets>([
    ["scales", own],
    ...moves ? [["minima", own] as const] : [],
  ]);
}

/** Spans that a format can be trained at. */
function spansOf(t: PackedTensor): number[] {
  if (t.layout.kind === "dense") return [1];
  const group = t.layout.kind === "super" ? 32 : groupColumns(t.layout, columns);
  return [...new Set([group, 32, 64, 128, 256, 0])].filter((span) =>
    span === 0 || group > 0 && span % group === 0 && group < columns
  );
}

/**
 * Least shares, at offsets of 0.3, 2 and 10 %: of what is trained at the default span, and finer. Integer scales of 3 to 6 bits (super-blocks below
 * the block, IQ, bf16 with its 8) hold small changes in part; powers of two (MXFP4) hold none below 50 %.
 */
function leastOf(name: string, fine: boolean): readonly number[] {
  if (name === "MXFP4") return [0, 0, 0];
  if (name === "BF16") return [0.5, 0.95, 0.99];
  if (!fine) return [0.95, 0.99, 0.99];
  if (name === "Q2_K") return [0, 0.1, 0.75];
  if (name.startsWith("IQ1")) return [0, 0, 0.5];
  if (name.startsWith("IQ2")) return [0, 0.2, 0.9];
  return [0, 0.3, 0.9];
}

// Of codebooks with 16 bits a code only files exist; the layout is that of the others.
for (const format of FORMATS.filter(({ name }) => name !== "codebook1x16")) {
  Deno.test(`${format.name}: a file keeps of a trained change what its type holds, and never less than the base`, () => {
    const t = quantize(values, rows, columns, format.name);
    for (const span of spansOf(t)) {
      const fine = t.layout.kind === "super" && span > 0 && span < 256;
      sizes.forEach((size, i) => {
        const parts = relative(t, span, offsetsOf(t, span, size));
        const share = shareOf(keptOfRows(t, parts));
        const least = leastOf(format.name, fine)[i];
        assert(share >= least && share <= 1, `span ${span}, ${size}: ${share} of ${least}`);
      });
    }
  });
}

/** A super-block as numbers: what each group's codes are, and the pair of scale and minimum that is wanted of them. */
function randomBlock(packing: SuperScales, size: number) {
  const { group: count, range: [low, high], minima, plus = 0 } = SUPER_SCALES[packing];
  const block = emptySuperBlock(packing);
  block.d = numberToFloat16(1e-3 * (1 + random()));
  if (minima) block.dmin = numberToFloat16(7e-3 * (1 + random()));
  const within = (from: number) => Math.round(from + (high - from) * (0.4 + 0.5 * random()));
  const [d, dmin] = [superFactor(packing, block.d), float16ToNumber(block.dmin)];
  const groups = Array.from(block.scales, (_, g) => {
    block.scales[g] = low < 0 && random() < 0.5 ? -within(0) : within(Math.max(0, low));
    if (minima) block.minima[g] = within(0);
    const codes = Array.from({ length: count }, () => Math.floor(16 * random()) - (minima ? 0 : 8));
    const moments = {
      sum: codes.reduce((sum, q) => sum + q, 0),
      squares: codes.reduce((sum, q) => sum + q * q, 0),
    };
    const [scale, min] = [d * (block.scales[g] + plus), dmin * block.minima[g]];
    const factor = 1 + size * normal();
    const error = (s: number, m: number) => {
      const [a, b] = [s - scale * factor, m - min * factor];
      return a * a * moments.squares - 2 * a * b * moments.sum + b * b * count;
    };
    return { moments, wanted: { scale: scale * factor, min: min * factor }, error, scale, min };
  });
  return { block, groups };
}

/**
 * The least error of what a file could store: every pair of integers under every f16 factor up to twice the least that reaches; every third where
 * there are two.
 */
function leastError(packing: SuperScales, groups: ReturnType<typeof randomBlock>["groups"]) {
  const { range: [low, high], minima, plus = 0, group: count } = SUPER_SCALES[packing];
  const factors = (largest: number) => {
    const [first, last] = [largest * 0.93, largest * 2].map(numberToFloat16);
    const step = minima ? 3 : 1;
    return Array.from(
      { length: Math.floor((last - first) / step) + 1 },
      (_, i) => float16ToNumber(first + i * step),
    );
  };
  const most = (of: readonly number[]) => of.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const ends = low < 0 ? [low, high] : [high];
  const scales = ends.flatMap((end) =>
    factors(most(groups.map(({ wanted }) => wanted.scale)) / (Math.abs(end) + plus))
      .flatMap((d) => low < 0 ? [d, -d] : [d])
  );
  const within = (integer: number) => Math.min(high, Math.max(low, integer));
  let least = Infinity;
  if (!minima) {
    for (const d of scales) {
      let sum = 0;
      for (let g = 0; g < groups.length && sum < least; g++) {
        sum += groups[g].error(
          d * (within(Math.round(groups[g].wanted.scale / d - plus)) + plus),
          0,
        );
      }
      least = Math.min(least, sum);
    }
    return least;
  }
  const mins = factors(most(groups.map(({ wanted }) => wanted.min)) / high);
  const tried = scales.map((d) => {
    // Integers that come into question, and what the codes make of the scale's error: minima of the group are all that is left.
    const near = groups.map(({ wanted: { scale } }) =>
      Array.from({ length: 13 }, (_, i) => within(Math.round(scale / d - plus) + i - 6))
    );
    // No minimum makes less of it than the best one of all numbers does.
    const bound = groups.reduce((sum, { moments, wanted }, g) => {
      const off = near[g].map((integer) => (d * (integer + plus) - wanted.scale) ** 2);
      return sum + (moments.squares - moments.sum ** 2 / count) * Math.min(...off);
    }, 0);
    return { d, near, bound };
  }).sort((one, other) => one.bound - other.bound);
  for (const { d, near, bound } of tried) {
    if (bound * (1 - 1e-9) >= least) break;
    for (const dmin of mins) {
      let sum = 0;
      for (let g = 0; g < groups.length && sum < least; g++) {
        const { error, moments, wanted } = groups[g];
        let own = Infinity;
        for (const integer of near[g]) {
          const s = d * (integer + plus);
          const asked = wanted.min + (s - wanted.scale) * moments.sum / count;
          const m = Math.min(high, Math.max(0, Math.round(asked / dmin)));
          own = Math.min(own, error(s, dmin * m));
        }
        sum += own;
      }
      least = Math.min(least, sum);
    }
  }
  return least;
}

// A share of 0.9 is not to be had where offsets are a fraction of an integer's step: no number that the file could hold is nearer.
for (
  const [packing, sizes] of [
    ["q4_k", [0.02, 0.05]],
    ["q2_k", [0.05]],
    ["q3_k", [0.003, 0.02, 0.1]],
    ["q6_k", [0.003, 0.02, 0.1]],
    ["iq4_xs", [0.003, 0.02, 0.1]],
    ["iq2_xs", [0.02, 0.1]],
    ["iq3_s", [0.02, 0.1]],
  ] as const
) {
  Deno.test(`${packing}: of all scales and minima that a file could hold, those chosen are among the nearest`, () => {
    const { minima } = SUPER_SCALES[packing];
    for (const size of sizes) {
      let [wanted, chosen, best] = [0, 0, 0];
      for (let trial = 0; trial < (minima ? 2 : 12); trial++) {
        const { block, groups } = randomBlock(packing, size);
        const before = groups.reduce((sum, { error, scale, min }) => sum + error(scale, min), 0);
        const fitted = { ...block, scales: block.scales.slice(), minima: block.minima.slice() };
        fitSuperBlock(
          packing,
          fitted,
          groups.map((group) => group.wanted),
          groups.map(({ moments }) => moments),
        );
        const { plus = 0 } = SUPER_SCALES[packing];
        const [d, dmin] = [superFactor(packing, fitted.d), float16ToNumber(fitted.dmin)];
        wanted += before;
        chosen += groups.reduce(
          (sum, { error }, g) =>
            sum + error(d * (fitted.scales[g] + plus), dmin * fitted.minima[g]),
          0,
        );
        best += Math.min(before, leastError(packing, groups));
      }
      const [share, least] = [1 - chosen / wanted, 1 - best / wanted];
      assert(
        share > least - (minima ? 0.08 : 0.05),
        `${size}: ${share} kept, ${least} is possible`,
      );
      assert(share >= 0, `${size}: ${share}`);
    }
  });
}

Deno.test("absolute offsets, and those of minima and entries, are kept too", () => {
  for (
    const [name, part] of [["Q4_0", "scales"], ["int4_g64", "scales"], ["Q4_1", "minima"], [
      "codebook2x8",
      "codebook",
    ]] as const
  ) {
    const t = quantize(values, rows, columns, name);
    const span = part === "codebook" ? 0 : groupColumns(t.layout, columns);
    for (const form of ["absolute", "relative"] as OffsetForm[]) {
      // Scales are about 0.01 here, entries about 1.
      const unit = form === "relative" ? 1 : part === "codebook" ? 1 : 0.003;
      const offsets = offsetsOf(t, span, 0.1 * unit, part);
      const share = shareOf(keptOfRows(t, new Map([[part, { form, span, offsets }]])));
      assert(share > 0.99 && share <= 1, `${name} ${part} ${form}: ${share}`);
    }
  }
});

Deno.test("tuned rows are what folding comes near to, in every layout", () => {
  for (
    const name of [
      "F32",
      "Q8_0",
      "Q4_1",
      "Q5_1",
      "int4_g64",
      "nf4_g64",
      "codebook2x8",
      "Q6_K",
      "Q4_K",
    ]
  ) {
    if (!FORMATS.some((format) => format.name === name)) continue;
    const t = quantize(values, rows, columns, name);
    const span = t.layout.kind === "super"
      ? 256
      : t.layout.kind === "dense"
      ? 1
      : groupColumns(t.layout, columns);
    const parts = relative(t, span, offsetsOf(t, span, 0.2));
    let folded = t;
    for (const [part, { form, offsets }] of parts) {
      folded = foldScales(folded, offsets, form, span, { part }).tensor;
    }
    const after = decode(folded);
    const tuned = tunedRows(t, parts);
    for (const row of [0, 7, 15]) {
      tuned(row).forEach((value, k) =>
        assertAlmostEquals(after[row * columns + k], value, 2e-3 * 0.2, name)
      );
    }
  }
});

Deno.test("a super-block's scale and minimum are chosen together: the best of all pairs, and never worse than none", () => {
  // One group alone differs, by an offset too small for the integers: the old pair is the best.
  const t = quantize(values, rows, columns, "Q4_K");
  const offsets = new Float32Array(offsetCount(t.layout, rows, columns, 32));
  offsets[0] = 1e-4;
  const folded = foldScales(t, offsets, "relative", 32);
  const error = (after: PackedTensor) => {
    const tuned = tunedRows(t, new Map([["scales", { form: "relative", span: 32, offsets }]]))(0);
    return decode(after).slice(0, 256).reduce((sum, x, k) => sum + (x - tuned[k]) ** 2, 0);
  };
  assert(error(folded.tensor) <= error(t));
});

Deno.test("numbers beyond f16 are counted apart, refused where that is asked, or the largest there is", () => {
  for (const name of ["Q4_0", "Q4_1", "Q4_K", "F16", "codebook2x8"]) {
    const t = quantize(values, rows, columns, name);
    const span = t.layout.kind === "dense" ? 1 : t.layout.kind === "codebook" ? 0 : 256;
    const offsets = new Float32Array(offsetCount(t.layout, rows, columns, span));
    offsets[0] = 1e9;
    offsets[1] = 0.5;
    const kept = foldScales(t, offsets, "relative", span);
    assert((kept.exceeded ?? 0) > 0, name);
    assert(kept.changed > 0 && kept.swallowed >= kept.exceeded!, name);
    const error = assertThrows(
      () => foldScales(t, offsets, "relative", span, { beyond: "refuse" }),
      RangeError,
    );
    assert(error.message.includes(`${kept.exceeded} of `), error.message);
    const clamped = foldScales(t, offsets, "relative", span, { beyond: "clamp" });
    assertEquals(clamped.exceeded, kept.exceeded);
    const after = decode(clamped.tensor);
    assert(after.every(Number.isFinite));
    const largest = (list: Float32Array) =>
      list.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    assert(largest(after) > 1e3 * largest(decode(t)), name);
    const fine = foldScales(t, new Float32Array(offsets.length).fill(0.5), "relative", span, {
      beyond: "refuse",
    });
    assertEquals(fine.exceeded, undefined);
  }
});
