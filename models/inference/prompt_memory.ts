/**
 * Keys and values kept from one prompt to the next.
 *
 * @module
 */

import type { OffsetSet } from "../../kernels/mod.ts";
import { Decoding } from "./decoding.ts";
import type { Model } from "./model.ts";

/** Cached keys and values of successive prompts, made by {@linkcode promptMemory}. Dispose it to free them. */
export interface PromptMemory extends Disposable {
  /** Number of tokens in the last prompt. If the next prompt starts with the same tokens, they are not computed again. */
  readonly length: number;
}

/**
 * Creates a cache of keys and values for successive prompts. If a prompt starts like the last one, as the turns of a conversation do, only its
 * new tokens are computed. The generated text is exactly the same. Only one generation can use a memory at a time.
 *
 * @param offsets Offsets of a fine-tune. If they change, create a new memory.
 *
 * @example The second turn of a conversation reuses the first
 * ```ts
 * import { generate, loadModel, openGpu, openModelSource, promptMemory } from "@qzo/qzo";
 * import { assertEquals } from "@std/assert";
 *
 * using gpu = await openGpu();
 * using source = await openModelSource("demo/model.gguf");
 * using model = await loadModel(gpu, source);
 * using memory = promptMemory(model);
 * const first = Array.from({ length: 70 }, (_, i) => 5 + i);
 * const tokens = async (prompt: number[], more = {}) =>
 *   (await Array.fromAsync(generate(model, prompt, { maxTokens: 3, ...more }))).map((it) => it.token);
 * const second = [...first, ...await tokens(first, { memory }), 9];
 * assertEquals(await tokens(second, { memory }), await tokens(second));
 * ```
 */
export function promptMemory(model: Model, offsets?: OffsetSet): PromptMemory {
  return new Remembered(model, offsets);
}

class Remembered implements PromptMemory {
  readonly #model: Model;
  readonly #offsets: OffsetSet | undefined;
  #decoding: Decoding | undefined;
  #state: "free" | "taken" | "disposed" = "free";

  constructor(model: Model, offsets?: OffsetSet) {
    this.#model = model;
    this.#offsets = offsets;
  }

  get length(): number {
    return this.#decoding?.kept ?? 0;
  }

  /** Lends the working state to a generation, until `free` is called. */
  lend(model: Model, offsets?: OffsetSet): Lent {
    const why = this.#state === "disposed"
      ? "it was disposed"
      : this.#state === "taken"
      ? "another generation is using it"
      : model !== this.#model
      ? "it belongs to another model"
      : offsets !== this.#offsets
      ? "it belongs to other offsets"
      : undefined;
    if (why !== undefined) throw new TypeError(`Cannot generate with this memory: ${why}`);
    this.#state = "taken";
    this.#decoding ??= new Decoding(model, offsets);
    return {
      decoding: this.#decoding,
      [Symbol.dispose]: () => {
        if (this.#state === "disposed") this.#free();
        else this.#state = "free";
      },
    };
  }

  #free(): void {
    this.#decoding?.[Symbol.dispose]();
    this.#decoding = undefined;
  }

  [Symbol.dispose](): void {
    // If a generation is using it, the generation frees it when it ends.
    if (this.#state === "free") this.#free();
    this.#state = "disposed";
  }
}

/** The working state of one generation. */
export interface Lent extends Disposable {
  readonly decoding: Decoding;
}

/**
 * The working state of a generation: taken from a memory, or its own, which is freed at its end.
 *
 * @throws {TypeError} for a memory of another model or other offsets, or one that another generation is using.
 */
export function decodingFor(
  model: Model,
  { memory, offsets }: {
    readonly memory?: PromptMemory | undefined;
    readonly offsets?: OffsetSet | undefined;
  },
): Lent {
  if (memory === undefined) {
    const decoding = new Decoding(model, offsets);
    return { decoding, [Symbol.dispose]: () => decoding[Symbol.dispose]() };
  }
  if (memory instanceof Remembered) return memory.lend(model, offsets);
  throw new TypeError("Cannot generate with this memory: create one with promptMemory");
}
