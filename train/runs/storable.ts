/**
 * Estimates before the first step what a file could store of the trained changes. Some formats store their scales so coarsely that small changes
 * are lost.
 *
 * @module
 */

import { keptOfRows, shareOf } from "../../models/checkpoints/derived/kept_share.ts";
import type { ModelSource } from "../../models/checkpoints/checkpoint.ts";
import type { Trainable } from "../../optim/trainable.ts";
import { fillNoise } from "../../optim/directions/noise.ts";
import { decode, readScales, readSeconds } from "../../quant/layouts/decode.ts";
import { float16ToNumber } from "../../quant/layouts/float16.ts";
import {
  groupColumns,
  hasIntegerScales,
  isQuantised,
  type PackedTensor,
  rowPeriod,
} from "../../quant/layouts/layout.ts";
import { rulesOf } from "../../quant/layouts/layout_table.ts";
import { offsetCount } from "../../quant/fold/fold_offsets.ts";
import { halves } from "../../quant/layouts/planes.ts";
import { partName, partOf, type TrainedPart } from "../../quant/layouts/trained_part.ts";
import type { PartOffsets } from "../../quant/fold/tuned_rows.ts";

/** Magnitudes of the changes to test, relative to the stored values: small, typical of training (`deno task bench export-gains`), and large. */
export const changeSizes: readonly number[] = [0.003, 0.03, 0.1];
/** The least fraction of changes of typical magnitude that a file should keep. */
const LEAST_KEPT = 0.9;

/** What a file would keep of changes to one kind of trained values. */
export interface Storable {
  /** Format of the tensors. */
  readonly format: string;
  /** The trained part of the tensors. */
  readonly part: TrainedPart;
  /** Number of columns that share an offset. 1 for dense tensors. */
  readonly span: number;
  /**
   * Whether several offsets apply to one super-block, whose scales are integers with a common factor. A single offset would change only the
   * factor.
   */
  readonly sharesFactor: boolean;
  /** For each of {@linkcode changeSizes}, the fraction of a random change that is kept, from 0 to 1. */
  readonly shares: readonly number[];
}

/** Enough rows to determine a fraction to two digits. */
const ROWS = 8;

/**
 * Estimates what a file would keep of the trained changes. For each kind, a random change of each magnitude is folded into some rows of one
 * tensor.
 */
export async function storable(
  source: ModelSource,
  trainables: readonly Trainable[],
): Promise<Storable[]> {
  const names = new Set(trainables.map(({ name }) => name));
  const kinds = new Map<string, Trainable>();
  for (const one of trainables) {
    const { tensor, part } = partOf(one.name);
    const format = source.tensors.get(tensor)?.format.name;
    const key = [format, part, one.span, one.form].join();
    if (format !== undefined && !kinds.has(key)) kinds.set(key, one);
  }
  return await Promise.all([...kinds.values()].map(async ({ name, span, form }) => {
    const { tensor: owner, part } = partOf(name);
    const { format, whole, rows, columns, read } = source.tensors.get(owner)!;
    const { layout } = format;
    const all = whole || rowPeriod(layout) !== undefined;
    const packed = await read(0, all ? rows : Math.min(rows, ROWS));
    const unit = form === "relative" ? 1 : sizeOf(packed, part);
    const shares = changeSizes.map((size) => {
      const offsets = new Float32Array(
        offsetCount(layout, packed.rows, packed.columns, span, part),
      );
      fillNoise("normal", [7, 11], 0, 0, offsets);
      const own: PartOffsets = { form, span, offsets: offsets.map((z) => z * size * unit) };
      const moves = part === "scales" && form === "relative" &&
        rulesOf(layout).addsMinima(layout) && !names.has(partName(owner, "minima"));
      const parts: [TrainedPart, PartOffsets][] = [[part, own]];
      if (moves) parts.push(["minima", own]);
      return Math.max(0, shareOf(keptOfRows(packed, new Map(parts))));
    });
    const sharesFactor = part === "scales" && hasIntegerScales(layout) && span > 0 &&
      span < Math.min(groupColumns(layout, columns), columns);
    return { format: format.name, part, span, sharesFactor, shares };
  }));
}

/** The mean magnitude of the values that absolute offsets are added to. */
function sizeOf(packed: PackedTensor, part: TrainedPart): number {
  const values = part === "codebook"
    ? Float32Array.from(halves(packed.codebook), float16ToNumber)
    : part === "minima"
    ? readSeconds(packed)
    : isQuantised(packed.layout)
    ? readScales(packed)
    : decode(packed);
  return values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** A description of one kind, such as "Q4_K (span 32): 19 %, 94 %, 99 % of changes of 0.3 %, 3 %, 10 %". */
export function storableText({ format, part, span, shares }: Storable): string {
  const sizes = changeSizes.map((size) => `${100 * size} %`).join(", ");
  const what = part === "scales" ? (span > 1 ? ` (span ${span})` : "") : ` (${part})`;
  return `${format}${what}: ${shares.map(percent).join(", ")} of changes of ${sizes}`;
}

/** Whether a file keeps less than half of even the largest change tested. */
function isLost({ shares }: Storable): boolean {
  return shares[shares.length - 1] < 0.5;
}

/** Whether a file would keep more with fewer offsets. */
function isTooFine({ sharesFactor, shares }: Storable): boolean {
  return sharesFactor && shares.slice(1).some((share) => share < LEAST_KEPT);
}

/**
 * Rejects training that no file could store, unless the ledger alone is accepted. If this concerns only a part of what is trained, returns
 * notes.
 *
 * @returns Notes, one sentence each.
 * @throws {RangeError} that suggests alternatives.
 */
export function assertStorable(kinds: readonly Storable[], ledgerOnly: boolean): string[] {
  const fine = kinds.filter((kind) => isTooFine(kind) && !isLost(kind));
  if (fine.length > 0 && !ledgerOnly) {
    throw new RangeError(
      `Cannot train for a file: an export would keep too little of such fine changes (${
        fine.map(storableText).join("; ")
      }), because the scales of a super-block are small integers with a common factor. ` +
        `Leave out trainables.span, which means one offset per super-block, or set it to a whole row (0): both are kept; ` +
        `or set trainables.ledger_only: true to keep the result in the ledger only`,
    );
  }
  const lost = kinds.filter((kind) => isLost(kind) || isTooFine(kind));
  if (lost.length === 0) return [];
  const what = lost.map(storableText).join("; ");
  if (lost.length === kinds.length && !ledgerOnly) {
    throw new RangeError(
      `Cannot train for a file: an export would keep too little (${what}), because these scales are stored as powers of two, or nearly so. ` +
        `Quantise to another format (quantize.format: Q4_0), train other kinds (trainables.kinds: norms), ` +
        `or set trainables.ledger_only: true to keep the result in the ledger only`,
    );
  }
  return [`An export will not contain what is trained here; only the ledger will: ${what}.`];
}

/**
 * Notes about combinations of trained parameters. Relative offsets of both scales and minima of the same tensor change two terms that nearly
 * cancel, and such training has diverged.
 */
export function pairNotes(trainables: readonly Trainable[]): string[] {
  const relative = new Set(
    trainables.filter(({ form }) => form === "relative").map(({ name }) => name),
  );
  const pairs = [...relative].filter((name) => {
    const { tensor, part } = partOf(name);
    return part === "minima" && relative.has(tensor);
  });
  if (pairs.length === 0) return [];
  return [
    `Scales and minima of ${pairs.length} tensors (such as "${
      partOf(pairs[0]).tensor
    }") are trained together with relative offsets, which move them apart where they nearly cancel: such runs diverge easily. ` +
    `Use optimiser.form: absolute, or train scales only; minima then follow them.`,
  ];
}
