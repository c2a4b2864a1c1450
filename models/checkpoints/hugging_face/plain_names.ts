/**
 * Names of tensors without what wrappers of training put around them: `torch.compile`, data parallelism, sharding, checkpoints of
 * activations, adapters.
 *
 * @module
 */

import type { SafetensorsTensor } from "../../../quant/files/safetensors.ts";
import type { StoredTensorPlace } from "./stored_tensors.ts";
import { few } from "../tensor_places.ts";

/** Anywhere in a name; all of it is the same model without. */
const SEGMENTS = /(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g;
/** In front of a whole model. */
const FRONTS =
  /^(?:(?:module|base_model\.model)\.)+(?=(?:model|lm_head|score|embed_tokens|layers|norm)\.)/;
/** What a model without its head calls its parts; transformers takes those too. */
const HEADLESS = /^(embed_tokens|layers\.\d+|norm|rotary_emb)\./;

/** Tensors by their plain names. */
export interface PlainTensors {
  /** By plain name, in the order of the files. */
  readonly tensors: ReadonlyMap<string, StoredTensorPlace>;
  /** A sentence when names were not plain. */
  readonly notes: readonly string[];
}

/**
 * The same tensors by plain names.
 *
 * @param what The model, for messages
 * @throws {RangeError} When two tensors have the same plain name.
 */
export function plainTensors(
  what: string,
  stored: ReadonlyMap<string, StoredTensorPlace>,
): PlainTensors {
  const headless = ![...stored.keys()].some((name) => /(^|\.)model\./.test(unwrapped(name)));
  const plain = (name: string): string => {
    const bare = unwrapped(name);
    return headless && HEADLESS.test(bare) ? `model.${bare}` : bare;
  };
  const renamed = [...stored.keys()].filter((name) => unwrapped(name) !== name);
  if (renamed.length === 0 && !headless) return { tensors: stored, notes: [] };
  const planes = new Map<StoredTensorPlace["planes"], Map<string, SafetensorsTensor>>();
  const tensors = new Map<string, StoredTensorPlace>();
  const owners = new Map<string, string>();
  for (const [name, place] of stored) {
    const to = plain(name);
    const owner = owners.get(to);
    if (owner !== undefined) {
      throw new RangeError(
        `Cannot load "${what}": both ${few([owner])} and ${few([name])} would be ${
          few([to])
        } without what wrappers of training add to names; remove the one that does not count`,
      );
    }
    owners.set(to, name);
    const own = planes.get(place.planes) ??
      new Map([...place.planes].map(([other, it]) => [plain(other), it]));
    planes.set(place.planes, own);
    tensors.set(to, { ...place, planes: own });
  }
  const parts = new Set(renamed.flatMap((name) => [...addedTo(name)]));
  return {
    tensors,
    notes: renamed.length === 0 ? [] : [
      `Names of ${renamed.length} tensors are read without ${
        [...parts].map((part) => `"${part}."`).join(", ")
      }, which wrappers of training add: ${few(renamed)}.`,
    ],
  };
}

function unwrapped(name: string): string {
  return name.replace(SEGMENTS, "").replace(/^\./, "").replace(FRONTS, "");
}

/** What was taken away from a name. */
function addedTo(name: string): Set<string> {
  const inside = name.matchAll(SEGMENTS).map(([, , part]) => part);
  const [front = ""] = FRONTS.exec(name.replace(SEGMENTS, "").replace(/^\./, "")) ?? [];
  return new Set([...inside, ...front.match(/base_model\.model|module/g) ?? []]);
}
