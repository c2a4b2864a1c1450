/**
 * GGUF files that are not a complete model: adapters, projectors, importance matrices, vocabularies, one part of several. One table says how to
 * recognise them, and what to do.
 *
 * @module
 */

import type { GgufFile } from "../../../quant/files/gguf.ts";

interface Purpose {
  readonly is: (file: GgufFile) => boolean;
  /** What it is and what to do, as a continuation of `Cannot load "...": it is `. */
  readonly says: (file: GgufFile) => string;
}

const typed = (type: string, key: string, architecture?: string) => ({ metadata }: GgufFile) =>
  metadata.get("general.type") === type || metadata.has(key) ||
  architecture !== undefined && metadata.get("general.architecture") === architecture;

const PURPOSES: readonly Purpose[] = [
  {
    is: typed("adapter", "adapter.type"),
    says: () =>
      "a LoRA adapter (general.type adapter), not a model: give the model's own file, and this one with --adapter",
  },
  {
    is: typed("mmproj", "clip.projector_type", "clip"),
    says: () =>
      "the part of a model that handles images or sound (mmproj), not its language model: give the language model's file",
  },
  {
    is: typed("imatrix", "imatrix.datasets"),
    says: () => "an importance matrix (imatrix), not a model: give the model's own file",
  },
  {
    is: typed("controlvector", "controlvector.layer_count", "controlvector"),
    says: () =>
      "a control vector, which is added to a model while it runs and is not read: give the model's own file",
  },
  {
    is: ({ metadata }) => Number(metadata.get("split.count") ?? 1) > 1,
    says: ({ metadata }) => {
      const count = String(metadata.get("split.count")).padStart(5, "0");
      return `part ${Number(metadata.get("split.no") ?? 0) + 1} of a model in ${
        Number(count)
      } files (split.count) that was renamed: put all of them into one folder under names like MODEL-00001-of-${count}.gguf, or merge them with llama-gguf-split --merge, and do not join them byte by byte`;
    },
  },
  {
    is: ({ tensors }) => tensors.length === 0,
    says: () => "a vocabulary alone, without a tensor: give the model's own file",
  },
];

/**
 * Rejects a file that was opened as the only one of its model but is not a complete model.
 *
 * @throws {RangeError} when it is something else. The message says what it is and what to do.
 */
export function refuseOtherPurposes(name: string, file: GgufFile): void {
  const found = PURPOSES.find(({ is }) => is(file));
  if (found) throw new RangeError(`Cannot load "${name}": it is ${found.says(file)}`);
}
