/**
 * Shaders of steps: what optimisers compute from losses, and how offsets move.
 *
 * @module
 */
import {
  DeviceTensor,
  Graph,
  moveOffsets,
  OffsetSet,
  optimiserStep,
  StepState,
  trainableOf,
} from "../kernels/mod.ts";
import { namedOptimisers, type OffsetForm, type Optimiser, tensorId } from "../optim/mod.ts";
import type { Layout } from "../quant/mod.ts";
import { isPlain } from "../optim/directions/direction_plan.ts";
import { hostScalarCount } from "../optim/steps/scalar_program.ts";
import { LAWS, MAX_BINDING, storage, type Texts } from "./shader_texts.ts";

const TRAINED: Readonly<Record<string, Layout>> = {
  "blk.0.attn_q.weight": { kind: "scalar", bits: 4, center: 8, second: "none", group: 32 },
  "blk.0.attn_k.weight": { kind: "scalar", bits: 4, center: 0, second: "zero", group: 32 },
  "blk.0.ffn_up.weight": { kind: "codebook", books: 1 },
  "blk.0.attn_norm.weight": { kind: "dense", type: "f32" },
};

/** Tensors to train, and their offsets. */
function trained(form: OffsetForm): { tensors: Map<string, DeviceTensor>; offsets: OffsetSet } {
  const tensors = new Map(
    Object.entries(TRAINED).map(([name, layout]) => [
      name,
      new DeviceTensor(name, layout, 8, 64, MAX_BINDING),
    ]),
  );
  const trainables = [...tensors.values()].map((tensor) =>
    trainableOf(tensor, tensorId(tensor.name), form, tensor.groupColumns)
  );
  return { tensors, offsets: new OffsetSet(trainables, MAX_BINDING) };
}

function step(texts: Texts, name: string, made: Optimiser, seeded: boolean): void {
  const { tensors, offsets } = trained(made.form);
  const graph = new Graph();
  optimiserStep(
    graph,
    made,
    new StepState(made, 8),
    storage("losses"),
    {
      branches: { storage: storage("inputs") },
      scalars: { storage: storage("scalars", Math.max(4, hostScalarCount(made) * 4)) },
      update: { storage: storage("update") },
      trial: made.accept && {
        branches: storage("trial"),
        places: made.accept.candidates.map((_, i) => i),
        evaluate: () => {},
      },
      ...seeded ? { seeds: { storage: storage("seeds") } } : {},
    },
    offsets,
    tensors,
  );
  texts.add(`step of ${name}${seeded ? ", seeds given" : ""}`, graph);
}

/** Steps of every optimiser, and moves of every law. */
export function stepCases(texts: Texts): void {
  for (const [name, make] of Object.entries(namedOptimisers)) {
    const options = name === "blockwiseZo" ? [{}, { blocks: "tensor" as const, blockCount: 4 }] : [
      {},
      ...make.shared.queries.max === 1 ? [] : [{ queries: 3 }],
      ...["zoSgdMomentum", "zoAdam", "zoAdamW"].includes(name)
        ? [{ state: "seeds" as const, length: 4 }]
        : [],
    ];
    for (const option of options) {
      const made = make(option);
      const named = `${name} ${JSON.stringify(option)}`;
      step(texts, named, made, true);
      if (isPlain(made.plan)) step(texts, named, made, false);
    }
  }
  for (const distribution of LAWS.keys()) {
    for (const projection of ["none", "keep-sign"] as const) {
      for (const form of ["relative", "absolute"] as const) {
        const { tensors, offsets } = trained(form);
        const graph = new Graph();
        moveOffsets(graph, { law: LAWS.get(distribution)!, projection }, offsets, tensors, {
          coefficients: storage("coefficients"),
          directions: 1,
          perStep: 1,
        });
        texts.add(`moves ${JSON.stringify({ distribution, projection, form })}`, graph);
      }
    }
  }
}
