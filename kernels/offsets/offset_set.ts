/**
 * The offsets of all trained tensors, in as few buffers as bindings allow: what a fine-tune is on the device.
 *
 * @module
 */

import { type BlockPlace, blockPlace, packPlace } from "../../optim/directions/blocks.ts";
import type { OffsetForm } from "../../optim/offset.ts";
import { offsetWidth, type Trainable } from "../../optim/trainable.ts";
import type { UpdateRule } from "../../optim/updates/update_rule.ts";
import { isQuantised, isRelativeOnly, scaleRows } from "../../quant/layouts/layout.ts";
import { rulesOf } from "../../quant/layouts/layout_table.ts";
import { offsetCount, offsetStride } from "../../quant/fold/fold_offsets.ts";
import { checkPart, partName, partOf, type TrainedPart } from "../../quant/layouts/trained_part.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Range } from "../device/graph.ts";
import { GradientSet } from "./gradient_set.ts";
import { type BranchNoise, packNoise, type Perturbation } from "./perturbation.ts";
import { Storage } from "../device/storage.ts";
import type { DeviceTensor } from "../device/tensor.ts";

/**
 * Describes what is trained of `tensor`: scales with one offset per `span` columns, or every element of a dense tensor; or a part
 * beside the scales, minima with one offset per `span` columns, or every entry of the codebooks.
 *
 * @throws {RangeError} for absolute offsets that do not belong to one scale or minimum each, for spans that end within 32 columns of a
 * super-block or within the columns of a minimum, and for a part that the tensor does not have.
 */
export function trainableOf(
  tensor: DeviceTensor,
  id: number,
  form: OffsetForm,
  span: number,
  part: TrainedPart = "scales",
): Trainable {
  const { columns, layout, groupColumns } = tensor;
  checkPart(layout, part);
  const name = partName(tensor.name, part);
  const rows = scaleRows(layout, tensor.rows);
  if (!isQuantised(layout)) {
    const count = offsetCount(layout, rows, columns, 0);
    return { name, id, count, form, span: 1, rows, columns };
  }
  if (part === "codebook") {
    const { shape: [books, entries, vector] } = rulesOf(layout)
      .planeShapes(layout, tensor.rows, columns).find(({ plane }) => plane === "codebook")!;
    const count = offsetCount(layout, tensor.rows, columns, 0, part);
    return { name, id, count, form, span: 1, rows: books * entries, columns: vector };
  }
  if (isRelativeOnly(layout)) {
    checkWeightOffsets(name, columns, form, span);
  }
  if (form === "absolute" && Math.min(span, columns) !== groupColumns) {
    throw new RangeError(
      `Cannot train "${name}" absolutely with one offset per ${span} columns: an absolute offset belongs to one scale, which spans ${groupColumns}`,
    );
  }
  if (part === "minima" && span % groupColumns !== 0 && span < columns) {
    throw new RangeError(
      `Cannot train "${name}" with one offset per ${span} columns: a minimum or zero point spans ${groupColumns}`,
    );
  }
  const count = Math.ceil(columns / span) * offsetStride(rows);
  return { name, id, count, form, span: Math.min(span, columns), rows, columns };
}

/** Whether a projection that keeps signs keeps those of what `trainable` tunes: of scales only, all else may have either sign. */
export function hasSign({ name, span }: Pick<Trainable, "name" | "span">): boolean {
  return span !== 1 && partOf(name).part === "scales";
}

export { offsetStride, offsetWidth, type Trainable };

/**
 * Checks that a tensor can be trained in a form and span where offsets multiply weights: super-blocks, scales per column.
 *
 * @throws {RangeError} naming the tensor when they cannot.
 */
export function checkWeightOffsets(
  name: string,
  columns: number,
  form: OffsetForm,
  span: number,
): void {
  if (form === "absolute") {
    throw new RangeError(
      `Cannot train tensor "${name}" absolutely: its scales are integers within super-blocks or of single columns, which only relative offsets can train`,
    );
  }
  if (span % 32 !== 0 && span < columns) {
    throw new RangeError(
      `Cannot train tensor "${name}" with one offset per ${span} columns: expected a multiple of 32`,
    );
  }
}

/** Words of a section in the update kernel's table. */
const SECTION_WORDS = 7;
/** The same where tensors are in groups. */
const GROUPED_SECTION_WORDS = 9;

/** The bits of an f32. */
function floatBits(value: number): number {
  return new Uint32Array(new Float32Array([value]).buffer)[0];
}

interface Section {
  readonly trainable: Trainable;
  readonly arena: number;
  /** Bytes from the arena's start; a multiple of 256. */
  readonly offset: number;
  readonly place: BlockPlace;
}

/** One fine-tune's offsets. Several may exist beside one loaded model. */
export class OffsetSet implements Disposable {
  /** What is trained, in order. */
  readonly trainables: readonly Trainable[];
  /** The arenas that hold them. */
  readonly arenas: readonly Storage[];
  /** Per arena the update kernel's table: first quad, quads, tensor id, 1 if relative with a sign to keep plus 2 if it moves along its gradient where others move along noise, packed place, quads of a row, traits of its noise; in groups the pace and the index of the rate. */
  readonly tables: readonly Storage[];
  /** Whether some tensor is in a group. */
  readonly grouped: boolean;
  /** Learning rates of an update rule, as multiples of the optimiser's: 1 alone where nothing is in a group. */
  readonly rates: readonly number[];
  /** Multiples of the amplitudes of branches, in the order of {@linkcode OffsetSet.reachOf}: 1 alone where nothing is in a group. */
  readonly reaches: readonly number[];
  readonly #sections = new Map<string, Section>();
  #gpu: Gpu | undefined;
  #gradients: GradientSet | undefined;
  #moments: { readonly rule: string; readonly storages: Storage[][] } | undefined;

  /** Describes the memory; `allocate` makes it, zeroed. */
  constructor(trainables: readonly Trainable[], maxBinding: number) {
    this.trainables = trainables;
    const groups = trainables.map(({ group }) => group);
    this.grouped = groups.some((group) => group !== undefined);
    this.rates = [...new Set(groups.map((group) => group?.rate ?? 1))];
    this.reaches = [...new Set(groups.map((group) => group?.reach ?? 1))];
    const sizes: number[] = [];
    for (const trainable of trainables) {
      const bytes = Math.ceil(trainable.count * 4 / 256) * 256;
      if (bytes > maxBinding) {
        throw new RangeError(
          `Cannot train "${trainable.name}": its ${trainable.count} offsets exceed one binding of ${maxBinding} bytes`,
        );
      }
      if (sizes.length === 0 || sizes[sizes.length - 1] + bytes > maxBinding) sizes.push(0);
      const arena = sizes.length - 1;
      const place = blockPlace(trainable, this.#sections.size);
      this.#sections.set(trainable.name, { trainable, arena, offset: sizes[arena], place });
      sizes[arena] += bytes;
    }
    this.arenas = sizes.map((bytes, i) => new Storage(`offsets ${i}`, bytes, "offsets"));
    this.tables = sizes.map((_, i) =>
      new Storage(`offset table ${i}`, this.#table(i).byteLength, "offsets")
    );
  }

  /** The index in `reaches` of what multiplies the amplitudes of the tensor `name`. */
  reachOf(name: string): number {
    return this.reaches.indexOf(this.trainable(name)?.group?.reach ?? 1);
  }

  #table(arena: number): Uint32Array<ArrayBuffer> {
    const rows: number[] = [];
    for (const section of this.#sections.values()) {
      if (section.arena !== arena) continue;
      const { trainable, offset, place } = section;
      const { count, id, form } = trainable;
      const width = offsetWidth(trainable) / 4;
      const bounded = form === "relative" && partOf(trainable.name).part === "scales";
      const kinds = (bounded ? 1 : 0) + (trainable.exact ? 2 : 0);
      rows.push(offset / 16, count / 4, id, kinds, packPlace(place), width);
      rows.push(packNoise(trainable));
      if (!this.grouped) continue;
      const { pace = 1, rate = 1 } = trainable.group ?? {};
      rows.push(floatBits(pace), this.rates.indexOf(rate));
    }
    return new Uint32Array(rows);
  }

  /** Sections in an arena. */
  sections(arena: number): number {
    return this.#table(arena).length / (this.grouped ? GROUPED_SECTION_WORDS : SECTION_WORDS);
  }

  /** Trained scalars, without padding rows. */
  get scalars(): number {
    return this.trainables.reduce(
      (sum, t) => sum + Math.ceil(t.columns / t.span) * t.rows,
      0,
    );
  }

  /** Allocates all memory; offsets start at zero. */
  allocate(gpu: Gpu): this {
    this.#gpu = gpu;
    this.arenas.forEach((arena) => arena.allocate(gpu));
    this.tables.forEach((table, i) => {
      gpu.write(table.allocate(gpu).buffer, this.#table(i));
    });
    return this;
  }

  /**
   * Per arena the values that an update rule keeps beside each offset, to be allocated: zero at first, then what training or replay
   * with that rule left. Another rule begins at zero.
   */
  moments(rule: UpdateRule | undefined): readonly (readonly Storage[])[] {
    if (!rule || rule.stateSize === 0) return this.arenas.map(() => []);
    if (this.#moments?.rule !== rule.name) {
      this.freeMoments();
      const storages = this.arenas.map(({ bytes }, arena) =>
        Array.from(
          { length: rule.stateSize },
          (_, i) => new Storage(`${rule.name} state ${i} of offsets ${arena}`, bytes, "optimiser"),
        )
      );
      this.#moments = { rule: rule.name, storages };
    }
    return this.#moments!.storages;
  }

  /** Whether there is what `rule` keeps beside offsets that were trained or replayed. */
  hasMoments(rule: UpdateRule): boolean {
    return rule.stateSize === 0 || this.#moments?.rule === rule.name;
  }

  /** Frees what update rules keep: only who goes on training needs it. */
  freeMoments(): void {
    for (const storage of this.#moments?.storages.flat() ?? []) storage[Symbol.dispose]();
    this.#moments = undefined;
  }

  /** What is trained of the tensor `name`, if anything. */
  trainable(name: string): Trainable | undefined {
    return this.#sections.get(name)?.trainable;
  }

  /** Where the slopes of a loss by the offsets are collected, to be allocated: for optimisers that take the gradient itself. */
  get gradients(): GradientSet {
    return this.#gradients ??= new GradientSet(this);
  }

  /** Where the tensor `name` belongs, if it is trained. */
  place(name: string): BlockPlace | undefined {
    return this.#sections.get(name)?.place;
  }

  /** Where the offsets of `name` lie. */
  range(name: string): Range | undefined {
    const section = this.#sections.get(name);
    return section && {
      storage: this.arenas[section.arena],
      offset: section.offset,
      bytes: section.trainable.count * 4,
    };
  }

  /** What changes the weights of the tensor `name`, if it is trained: its offsets, and for each branch a multiple of fresh noise. */
  perturbation(name: string, noise?: BranchNoise): Perturbation | undefined {
    const section = this.#sections.get(name);
    if (!section) return undefined;
    const { id, form, span, share, gain } = section.trainable;
    const stride = offsetWidth(section.trainable);
    return { offsets: this.range(name)!, id, form, span, stride, share, gain, noise };
  }

  /** Copies the offsets of all tensors back, by name. Throws a TypeError when they are not allocated. */
  async read(gpu: Gpu | undefined = this.#gpu): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    if (!gpu) throw new TypeError("Cannot read offsets: they are not allocated");
    const arenas = await gpu.read(this.arenas.map((a) => ({ buffer: a.buffer })));
    const out = new Map<string, Float32Array<ArrayBuffer>>();
    for (const [name, { trainable, arena, offset }] of this.#sections) {
      out.set(name, new Float32Array(arenas[arena], offset, trainable.count).slice());
    }
    return out;
  }

  /** Writes offsets by name; those not named keep their values. */
  write(gpu: Gpu, offsets: ReadonlyMap<string, Float32Array<ArrayBuffer>>): void {
    for (const [name, values] of offsets) {
      const section = this.#sections.get(name);
      if (!section || values.length !== section.trainable.count) {
        throw new RangeError(
          `Cannot write ${values.length} offsets of "${name}": ${
            section ? `it has ${section.trainable.count}` : "it is not trained"
          }`,
        );
      }
      gpu.write(this.arenas[section.arena].buffer, values, section.offset);
    }
  }

  /** Copies all offsets from `other`, which must have the same trainables. */
  copyFrom(gpu: Gpu, other: OffsetSet): void {
    const encoder = gpu.device.createCommandEncoder();
    this.arenas.forEach((arena, i) => {
      encoder.copyBufferToBuffer(
        other.arenas[i].buffer.buffer,
        0,
        arena.buffer.buffer,
        0,
        arena.bytes,
      );
    });
    gpu.device.queue.submit([encoder.finish()]);
  }

  /** Frees its memory. */
  [Symbol.dispose](): void {
    this.freeMoments();
    this.#gradients?.[Symbol.dispose]();
    for (const storage of [...this.arenas, ...this.tables]) storage[Symbol.dispose]();
  }
}
