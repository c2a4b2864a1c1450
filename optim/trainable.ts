/**
 * What is trained of a tensor: one type used from the selection to the ledger and the kernels. Each part of the library picks the properties
 * that it needs.
 *
 * @module
 */
import type { TrainedGroup } from "./group.ts";
import type { OffsetForm } from "./offset.ts";

/** Halves of a layer. */
export type LayerPart = "attention" | "mlp";

/** Both halves, in the order of their numbers from 1. */
export const layerParts: readonly LayerPart[] = ["attention", "mlp"];

/** What is trained of one tensor, or of a part of it. */
export interface Trainable {
  /** Name of the tensor, or of its part (`partName` in quant). */
  readonly name: string;
  /** Id in the noise generator, a u32; see {@linkcode tensorId}. */
  readonly id: number;
  /** Number of f32 offsets, including padding; a multiple of 4. */
  readonly count: number;
  /** How an offset is applied to its base. */
  readonly form: OffsetForm;
  /** Number of columns that share an offset. 1 for dense tensors and codebooks. */
  readonly span: number;
  /** Rows of the tensor. For column layouts the number of row classes, for codebooks the number of entries. */
  readonly rows: number;
  /** Columns of the tensor. For codebooks, those of an entry. */
  readonly columns: number;
  /**
   * Fraction of its elements that a mask keeps, in units of 1/65536, if tensors differ (see {@linkcode Mask}). Default: the fraction in the
   * seed.
   */
  readonly share?: number | undefined;
  /** z is multiplied by 2 to this power, from -{@linkcode largestGain} to {@linkcode largestGain}, if tensors differ. Default 0. */
  readonly gain?: number | undefined;
  /** Its group, if it has its own epsilon or learning rate. If absent, those of the optimiser apply. */
  readonly group?: TrainedGroup | undefined;
  /** Whether its gradient is exact while others move along noise. Absent if all move in the same way. */
  readonly exact?: true | undefined;
  /** Index of its layer, from 0. Absent if it belongs to none. */
  readonly layer?: number | undefined;
  /** The half of the layer that it belongs to. Absent if it belongs to none. */
  readonly part?: LayerPart | undefined;
}

/** The position of a tensor in the model. */
export type Placed = Pick<Trainable, "layer" | "part">;

/** The properties of a tensor, besides its id, that determine its noise. */
export interface NoisePlace extends Pick<Trainable, "share" | "gain"> {
  /** Number of elements per row of its matrix, for low-rank directions. Default: all. */
  readonly width?: number | undefined;
}

/**
 * Number of elements per row of the matrix formed by a tensor's offsets. This is the number of offsets per span, the tensor's rows rounded up to
 * a multiple of 4. If every element has its own offset, it is the number of columns, rounded up in the same way.
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

/** The properties of a trainable that determine its noise. */
export function noisePlace(trainable: Trainable): NoisePlace & Pick<Trainable, "id" | "group"> {
  const { id, share, gain, group } = trainable;
  return { id, width: offsetWidth(trainable), share, gain, ...(group ? { group } : {}) };
}
