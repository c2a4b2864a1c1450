/** What is refused before the first step, and that all else reaches the file: every writable format, every span, three sizes. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { ModelSource, TensorSource } from "../../../models/mod.ts";
import type { Trainable } from "../../../optim/mod.ts";
import { FORMATS, type PackedTensor, quantize } from "../../../quant/mod.ts";
import { groupColumns } from "../../../quant/layouts/layout.ts";
import {
  assertStorable,
  changeSizes,
  type Storable,
  storable,
} from "../../../train/runs/storable.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { sampled } from "../../support/sampled.ts";

const random = randomNumbers(23);
const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const [rows, columns] = [8, 512];
const values = Float32Array.from({ length: rows * columns }, () => 0.05 * normal());

/** By format: some take long. */
const quantised = new Map<string, PackedTensor>();

function sourceOf(format: typeof FORMATS[number]): Pick<ModelSource, "tensors"> {
  const packed = quantised.get(format.name) ?? quantize(values, rows, columns, format.name);
  quantised.set(format.name, packed);
  const tensor: TensorSource = {
    ...{ name: "blk.0.ffn_up.weight", rows, columns, format, whole: true },
    read: () => Promise.resolve(packed),
  };
  return { tensors: new Map([[tensor.name, tensor]]) };
}

async function storableOf(format: typeof FORMATS[number], span: number): Promise<Storable> {
  const trained = {
    ...{ name: "blk.0.ffn_up.weight", form: "relative", span },
  } as Trainable;
  const [found] = await storable(sourceOf(format) as ModelSource, [trained]);
  return found;
}

const spansOf = (format: typeof FORMATS[number]): number[] => {
  if (format.layout.kind === "dense") return [1];
  const group = format.layout.kind === "super" ? 32 : groupColumns(format.layout, columns);
  return [...new Set([group, 32, 64, 128, 256, 0])].filter((span) =>
    span === 0 || group > 0 && span % group === 0 && group < columns
  );
};

/** Those that are refused, of all formats and spans. */
const refused: string[] = [];

const formats = sampled("storable", FORMATS.filter(({ name }) => name !== "codebook1x16"));

for (const format of formats) {
  Deno.test(`${format.name}: at every span nine tenths of changes that trainings reach are kept, or the training is refused`, async () => {
    for (const span of spansOf(format)) {
      const kind = await storableOf(format, span);
      assert(kind.shares.every((share) => share >= 0 && share <= 1));
      const isKept = kind.shares.slice(1).every((share) => share >= 0.9);
      if (isKept) assertEquals(assertStorable([kind], false), []);
      else {
        refused.push(`${format.name} ${span}`);
        assertThrows(() => assertStorable([kind], false), RangeError, "Cannot train for a file");
        assertEquals(assertStorable([kind], true).length, 1);
      }
    }
  });
}

Deno.test("refused are powers of two, and fine spans of the coarsest integer scales alone", () => {
  const kinds = new Map<string, number[]>();
  for (const one of refused) {
    const [name, span] = one.split(" ");
    kinds.set(name, [...kinds.get(name) ?? [], Number(span)]);
  }
  for (const { name } of formats) {
    if (name === "MXFP4" || name === "Q2_K") assert(kinds.has(name), name);
  }
  for (const [name, spans] of kinds) {
    if (name === "MXFP4") continue;
    const { layout } = FORMATS.find((format) => format.name === name)!;
    assertEquals(layout.kind, "super", name);
    assert(spans.every((span) => span > 0 && span < 256), `${name}: ${spans}`);
  }
});

Deno.test("what is too fine is told with the way out", async () => {
  const q2 = await storableOf(FORMATS.find(({ name }) => name === "Q2_K")!, 32);
  const error = assertThrows(() => assertStorable([q2], false), RangeError) as RangeError;
  for (const part of ["Q2_K (span 32)", "trainables.span", "trainables.ledger_only: true"]) {
    assert(error.message.includes(part), error.message);
  }
  assertEquals(changeSizes, [0.003, 0.03, 0.1]);
});
