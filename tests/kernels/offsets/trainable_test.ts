import { assertEquals } from "@std/assert";
import {
  bindPerturbation,
  DeviceTensor,
  OffsetSet,
  Storage,
  trainableOf,
} from "../../../kernels/mod.ts";
import { offsetWidth, type Trainable } from "../../../optim/mod.ts";
import type { Layout, TrainedPart } from "../../../quant/mod.ts";
import { noisePlace } from "../../../optim/trainable.ts";

const cases: readonly {
  readonly layout: Layout;
  readonly rows: number;
  readonly span: number;
  readonly part?: TrainedPart;
  readonly width: number;
}[] = [
  { layout: { kind: "dense", type: "f16" }, rows: 6, span: 1, width: 256 },
  {
    layout: { kind: "scalar", bits: 4, second: "min", group: 32, center: 0 },
    rows: 6,
    span: 64,
    width: 8,
  },
  {
    layout: { kind: "scalar", bits: 4, second: "min", group: 32, center: 0 },
    rows: 13,
    span: 256,
    part: "minima",
    width: 16,
  },
  { layout: { kind: "column", bits: 4, classes: 12 }, rows: 48, span: 32, width: 12 },
  { layout: { kind: "codebook", books: 2 }, rows: 5, span: 256, width: 8 },
  { layout: { kind: "codebook", books: 2 }, rows: 5, span: 1, part: "codebook", width: 8 },
];

for (const { layout, rows, span, part, width } of cases) {
  const name = `${layout.kind}, ${part ?? "scales"}`;
  Deno.test(`${name}: the matrix of the offsets holds them all, and noise and kernels hear of it`, () => {
    const tensor = new DeviceTensor("w", layout, rows, 256, 2 ** 20);
    const trainable: Trainable = {
      ...trainableOf(tensor, 77, "relative", span, part),
      share: 5,
      gain: -2,
    };
    assertEquals(offsetWidth(trainable), width);
    assertEquals(trainable.count % width, 0);
    if (trainable.span > 1) {
      assertEquals(trainable.count, width * Math.ceil(256 / trainable.span));
    }
    assertEquals(noisePlace(trainable), { id: 77, width, share: 5, gain: -2 });

    const offsets = new OffsetSet([trainable], 2 ** 20);
    assertEquals(offsets.perturbation("other"), undefined);
    const branches = new Storage("branches", 32, "scratch");
    const noise = { law: { dense: "normal" }, branches } as const;
    const perturbation = offsets.perturbation(trainable.name, noise)!;
    assertEquals(perturbation, {
      offsets: offsets.range(trainable.name)!,
      id: 77,
      form: "relative",
      span: trainable.span,
      stride: width,
      share: 5,
      gain: -2,
      noise,
    });
    const { key, reads, parameters } = bindPerturbation(perturbation);
    assertEquals([key.FORM, key.NOISE, key.LAW], ["relative", true, "normal"]);
    assertEquals(reads, { 8: perturbation.offsets, 9: branches });
    // -2 in the highest byte, 1 more than the share in the lowest 17 bits.
    assertEquals(parameters, [77, 0xfe000006, width / 4]);
    assertEquals(bindPerturbation(offsets.perturbation(trainable.name)).key.NOISE, false);
  });
}
