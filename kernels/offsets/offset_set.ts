/**
 * The offsets of all trained tensors, in as few buffers as bindings allow. They are the state of a fine-tune on the device.
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
 * Describes the trained part of `tensor`. Scales and minima have one offset per `span` columns; dense tensors have one per element, and
 * codebooks one per entry.
 *
 * @throws {RangeError} for absolute offsets that do not correspond to exactly one scale or minimum, for spans that end within 32 columns of a
 * super-block or within the columns of a minimum, and for a part that the tensor does not have.
 *
 * @example A matrix with one offset per 128 columns
 * ```ts
 * import { DeviceTensor, trainableOf } from "@qzo/qzo/kernels";
 * import { tensorId } from "@qzo/qzo/optim";
 * import { formatByName } from "@qzo/qzo/quant";
 * import { assertEquals } from "@std/assert";
 *
 * const { layout } = formatByName("Q4_0");
 * const tensor = new DeviceTensor("blk.0.attn_q.weight", layout, 64, 256, 2 ** 27);
 * assertEquals(trainableOf(tensor, tensorId(tensor.name), "relative", 128).count, 2 * 64);
 * ```
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

/**
 * Whether a projection that keeps signs applies to what `trainable` tunes. True only for scales; everything else may have either sign.
 *
 * @example Scales, and the minima beside them
 * ```ts
 * import { hasSign } from "@qzo/qzo/kernels";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(hasSign({ name: "blk.0.attn_q.weight", span: 32 }), true);
 * assertEquals(hasSign({ name: "blk.0.attn_q.weight.minima", span: 32 }), false);
 * ```
 */
export function hasSign({ name, span }: Pick<Trainable, "name" | "span">): boolean {
  return span !== 1 && partOf(name).part === "scales";
}

export { offsetStride, offsetWidth, type Trainable };

/**
 * Checks that a tensor can be trained with this form and span, for layouts in which offsets multiply weights: super-blocks and column layouts.
 *
 * @throws {RangeError} naming the tensor, when it cannot.
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

/** Words per section in the update kernel's table. */
const SECTION_WORDS = 7;
/** The same if tensors are in groups. */
const GROUPED_SECTION_WORDS = 9;

/** The bit pattern of an f32. */
function floatBits(value: number): number {
  return new Uint32Array(new Float32Array([value]).buffer)[0];
}

interface Section {
  readonly trainable: Trainable;
  readonly arena: number;
  /** Offset from the start of the arena in bytes, a multiple of 256. */
  readonly offset: number;
  readonly place: BlockPlace;
}

/**
 * The offsets of one fine-tune. Several sets can be used with the same loaded model.
 *
 * @example Write and read the offsets of one norm
 * ```ts
 * import { DeviceTensor, OffsetSet, openGpu, trainableOf } from "@qzo/qzo/kernels";
 * import { tensorId } from "@qzo/qzo/optim";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * const norm = new DeviceTensor("output_norm.weight", { kind: "dense", type: "f32" }, 1, 4, gpu.maxBinding);
 * const trainable = trainableOf(norm, tensorId(norm.name), "absolute", 1);
 * using offsets = new OffsetSet([trainable], gpu.maxBinding).allocate(gpu);
 * offsets.write(gpu, new Map([[norm.name, Float32Array.of(0.5, 0.25, 0, -1)]]));
 * assertEquals((await offsets.read()).get(norm.name), Float32Array.of(0.5, 0.25, 0, -1));
 * ```
 */
export class OffsetSet implements Disposable {
  /** The trained tensors and parts, in order. */
  readonly trainables: readonly Trainable[];
  /** The buffers that hold the offsets. */
  readonly arenas: readonly Storage[];
  /**
   * The update kernel's table, per arena. Each section has: first quad, quads, tensor id, flags, packed place, quads per row, traits of its noise. With
   * groups, it also has the pace and the index of the rate. Flags are 1 if relative with a sign to keep, plus 2 if it moves along its gradient while
   * others move along noise.
   */
  readonly tables: readonly Storage[];
  /** Whether any tensor is in a group. */
  readonly grouped: boolean;
  /** Learning rates of an update rule, as multiples of the optimiser's rate. Contains only 1 if no tensor is in a group. */
  readonly rates: readonly number[];
  /** Multiples of the branches' amplitudes, indexed by {@linkcode OffsetSet.reachOf}. Contains only 1 if no tensor is in a group. */
  readonly reaches: readonly number[];
  readonly #sections = new Map<string, Section>();
  #gpu: Gpu | undefined;
  #gradients: GradientSet | undefined;
  #moments: { readonly rule: string; readonly storages: Storage[][] } | undefined;

  /** Describes the memory. `allocate` creates it, filled with zeros. */
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

  /** The index in `reaches` of the multiple of amplitudes for the tensor `name`. */
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

  /** Number of sections in an arena. */
  sections(arena: number): number {
    return this.#table(arena).length / (this.grouped ? GROUPED_SECTION_WORDS : SECTION_WORDS);
  }

  /** Number of trained scalars, without padding. */
  get scalars(): number {
    return this.trainables.reduce(
      (sum, t) => sum + Math.ceil(t.columns / t.span) * t.rows,
      0,
    );
  }

  /** Allocates all memory. Offsets start at zero. */
  allocate(gpu: Gpu): this {
    this.#gpu = gpu;
    this.arenas.forEach((arena) => arena.allocate(gpu));
    this.tables.forEach((table, i) => {
      gpu.write(table.allocate(gpu).buffer, this.#table(i));
    });
    return this;
  }

  /**
   * The state that an update rule keeps for each offset, per arena, to be allocated. It is zero at first, and afterwards it is what training or
   * replay with that rule left. A different rule starts from zero.
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

  /** Whether the state of `rule` exists for these offsets, from training or replay. */
  hasMoments(rule: UpdateRule): boolean {
    return rule.stateSize === 0 || this.#moments?.rule === rule.name;
  }

  /** Frees the state of update rules. It is needed only to continue training. */
  freeMoments(): void {
    for (const storage of this.#moments?.storages.flat() ?? []) storage[Symbol.dispose]();
    this.#moments = undefined;
  }

  /** What is trained of the tensor `name`, or undefined. */
  trainable(name: string): Trainable | undefined {
    return this.#sections.get(name)?.trainable;
  }

  /** Where the gradient of a loss with respect to the offsets is accumulated, to be allocated. Used by optimisers that take the exact gradient. */
  get gradients(): GradientSet {
    return this.#gradients ??= new GradientSet(this);
  }

  /** The block that the tensor `name` belongs to. Undefined if it is not trained. */
  place(name: string): BlockPlace | undefined {
    return this.#sections.get(name)?.place;
  }

  /** Position of the offsets of `name`. Undefined if it is not trained. */
  range(name: string): Range | undefined {
    const section = this.#sections.get(name);
    return section && {
      storage: this.arenas[section.arena],
      offset: section.offset,
      bytes: section.trainable.count * 4,
    };
  }

  /** The perturbation of the tensor `name`: its offsets and, for each branch, a multiple of fresh noise. Undefined if it is not trained. */
  perturbation(name: string, noise?: BranchNoise): Perturbation | undefined {
    const section = this.#sections.get(name);
    if (!section) return undefined;
    const { id, form, span, share, gain } = section.trainable;
    const stride = offsetWidth(section.trainable);
    return { offsets: this.range(name)!, id, form, span, stride, share, gain, noise };
  }

  /**
   * Reads the offsets of all tensors, by name.
   *
   * @throws {TypeError} when they are not allocated.
   */
  async read(gpu: Gpu | undefined = this.#gpu): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    if (!gpu) throw new TypeError("Cannot read offsets: they are not allocated");
    const arenas = await gpu.read(this.arenas.map((a) => ({ buffer: a.buffer })));
    const out = new Map<string, Float32Array<ArrayBuffer>>();
    for (const [name, { trainable, arena, offset }] of this.#sections) {
      out.set(name, new Float32Array(arenas[arena], offset, trainable.count).slice());
    }
    return out;
  }

  /** Writes offsets by name. Tensors that are not named keep their offsets. */
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
