/**
 * What is trained of a tensor: the one type that says so, from a selection to the ledger and to the kernels. What a part of the library needs
 * to know of it is picked from it.
 *
 * @module
 */
import type { TrainedGroup } from "./group.ts";
import type { OffsetForm } from "./offset.ts";

/** Halves of a layer. */
export type LayerPart = "attention" | "mlp";

/** All halves, in the order of their numbers from 1. */
export const layerParts: readonly LayerPart[] = ["attention", "mlp"];

/** What is trained of one tensor, or of a part of it. */
export interface Trainable {
  /** The tensor's name, or that of its part (`partName` of the room quant). */
  readonly name: string;
  /** Its id in the noise, a u32: see {@linkcode tensorId}. */
  readonly id: number;
  /** f32 offsets, padding rows included; a multiple of 4. */
  readonly count: number;
  /** How an offset changes its base. */
  readonly form: OffsetForm;
  /** Columns that share an offset; 1 for dense tensors and codebooks. */
  readonly span: number;
  /** Rows of the tensor; of column layouts classes of rows, of codebooks their entries. */
  readonly rows: number;
  /** Columns of the tensor; of codebooks those of an entry. */
  readonly columns: number;
  /** What a mask leaves of it, in 65536ths, where tensors differ (see {@linkcode Mask}); what the seed says by default. */
  readonly share?: number | undefined;
  /** z of its offsets is multiplied by 2 to this power, -{@linkcode largestGain} to {@linkcode largestGain}, where tensors differ; 0 by default. */
  readonly gain?: number | undefined;
  /** Its group, where it has an epsilon or a learning rate of its own; the optimiser's if absent. */
  readonly group?: TrainedGroup | undefined;
  /** Whether its gradient is exact, where others move along noise; absent where all move alike. */
  readonly exact?: true | undefined;
  /** Its layer, counted from 0; absent if it is in none. */
  readonly layer?: number | undefined;
  /** The half of its layer that it is in; absent if it is in none. */
  readonly part?: LayerPart | undefined;
}

/** What is known of where a tensor belongs. */
export type Placed = Pick<Trainable, "layer" | "part">;

/** What noise needs to know of a tensor besides its id. */
export interface NoisePlace extends Pick<Trainable, "share" | "gain"> {
  /** Elements of a row of its matrix, for low-rank directions; all by default. */
  readonly width?: number | undefined;
}

/**
 * Elements of a row of the matrix that a tensor's offsets are: the offsets of a span, which are as many as its rows, rounded up to 4; where
 * every element has its own, its columns, rounded up alike.
 *
 * @example Of scales, and of a dense tensor
 * ```ts
 * import { offsetWidth } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(offsetWidth({ span: 32, rows: 6, columns: 96 }), 8);
 * assertEquals(offsetWidth({ span: 1, rows: 6, columns: 96 }), 96);
 * ```
 */
export function offsetWidth(
  { span, rows, columns }: Pick<Trainable, "span" | "rows" | "columns">,
): number {
  return Math.ceil((span === 1 ? columns : rows) / 4) * 4;
}

/** What noise needs to know of what is trained. */
export function noisePlace(trainable: Trainable): NoisePlace & Pick<Trainable, "id" | "group"> {
  const { id, share, gain, group } = trainable;
  return { id, width: offsetWidth(trainable), share, gain, ...(group ? { group } : {}) };
}
