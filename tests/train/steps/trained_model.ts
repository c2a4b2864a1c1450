/**
 * A small quantised model with offsets, and the oracle's view of it at any offsets and noise.
 *
 * @module
 */
import { type Gpu, type OffsetSet, offsetWidth, type Trainable } from "../../../kernels/mod.ts";
import { loadModel, type Model, type ModelSource, quantizedSource } from "../../../models/mod.ts";
import { planOffsets, type Selection } from "../../../train/selection.ts";
import { type Law, type Seed, tensorId } from "../../../optim/mod.ts";
import type { PackedTensor } from "../../../quant/mod.ts";
import { noiseTerm, type OffsetForm } from "../../reference/effective_weights.ts";
import type { LlamaShape } from "../../reference/llama.ts";
import { randomLlama } from "../../support/random_llama.ts";
import { ggufInMemory, smallShape, weightsOf } from "../../models/small_model.ts";

/** One layer of {@linkcode smallShape}. */
export const oneLayer: LlamaShape = { ...smallShape, layers: 1 };

/** A loaded model, where it came from, and its packed tensors. */
export class TrainedModel implements Disposable {
  readonly shape: LlamaShape;
  readonly source: ModelSource;
  readonly model: Model;
  readonly packed: ReadonlyMap<string, PackedTensor>;

  constructor(
    shape: LlamaShape,
    source: ModelSource,
    model: Model,
    packed: ReadonlyMap<string, PackedTensor>,
  ) {
    this.shape = shape;
    this.source = source;
    this.model = model;
    this.packed = packed;
  }

  /** Allocated offsets of a selection. */
  offsets(form: OffsetForm, selection?: Selection): OffsetSet {
    const { gpu } = this.model;
    return planOffsets(this.model, form, gpu.maxBinding, selection).allocate(gpu);
  }

  /** The oracle's weights at given offsets, moved by `amplitude` along the direction of `seed`. */
  weights(
    trainables: readonly Trainable[],
    offsets: ReadonlyMap<string, Float32Array>,
    noise?: { law: Law; seed: Seed; amplitude: number },
  ): Promise<Record<string, Float64Array>> {
    const byName = new Map(trainables.map((t) => [t.name, t]));
    return weightsOf(this.source, (name) => {
      const trainable = byName.get(name);
      return trainable && {
        form: trainable.form,
        span: trainable.span,
        offsets: offsets.get(name) ?? null,
        noise: noise
          ? noiseTerm(
            noise.law,
            noise.seed,
            tensorId(name),
            noise.amplitude,
            { width: offsetWidth(trainable) },
          )
          : null,
      };
    });
  }

  [Symbol.dispose](): void {
    this.model[Symbol.dispose]();
    this.source[Symbol.dispose]();
  }
}

/** Loads {@linkcode oneLayer} with random weights in `format`; embedding and head too when `everything`. */
export async function trainedModel(
  gpu: Gpu,
  format: string,
  everything = false,
  shape: LlamaShape = oneLayer,
): Promise<TrainedModel> {
  const dense = await ggufInMemory(shape, randomLlama(shape, { seed: 4 }));
  const source = quantizedSource(dense, { format, ...everything ? { embedding: format } : {} });
  const model = await loadModel(gpu, source);
  const packed = new Map<string, PackedTensor>();
  for (const [name, tensor] of source.tensors) {
    packed.set(name, await tensor.read(0, tensor.rows));
  }
  return new TrainedModel(shape, source, model, packed);
}
