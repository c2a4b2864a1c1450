/**
 * What the f64 oracle says of a Llama model with a prefix or a prompt: what stands before every sequence, as a branch sees it.
 *
 * @module
 */
import type { Model, PrefixPlan } from "../../models/mod.ts";
import type { Leading } from "../reference/llama.ts";
import { seen, type SeenAdapter } from "./lora_oracle.ts";

/** What stands before every sequence of a model with a prefix or prompt adapter, as a branch sees it. */
export function leadingOf(model: Model, view: SeenAdapter = {}): Leading {
  const { adapter: { scheme, plan } } = model.adapter!;
  const values = (name: string) => seen(model, name, view);
  if (scheme === "prompt") return { vectors: values("prompt") };
  const { tokens, shift } = plan as PrefixPlan;
  return {
    shared: Array.from({ length: model.config.layers }, (_, layer) => ({
      k: values(`blk.${layer}.prefix_keys`),
      v: values(`blk.${layer}.prefix_values`),
    })),
    shift: shift ? tokens : 0,
  };
}
