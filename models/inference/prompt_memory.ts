/**
 * Keys and values that stay from one prompt to the next.
 *
 * @module
 */

import type { OffsetSet } from "../../kernels/mod.ts";
import { Decoding } from "./decoding.ts";
import type { Model } from "./model.ts";

/** Keys and values of prompts, one after another, made by {@linkcode promptMemory}. Disposing frees them. */
export interface PromptMemory extends Disposable {
  /** Tokens of the last prompt that the next one, if it begins alike, need not read again. */
  readonly length: number;
}

/**
 * Room for keys and values of prompts, one after another: of a prompt that begins as the last one did, as those of a conversation do, only what is new
 * is read. The text is the same to the bit. One generation at a time has it.
 *
 * @param offsets A fine-tune's; where they are changed, another memory is to be made.
 *
 * @example A conversation's second turn goes on from the first
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

  /** Lends what a generation works on until `free` is called. */
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
    // A generation that has it frees it at its end.
    if (this.#state === "free") this.#free();
    this.#state = "disposed";
  }
}

/** A sequence for the time of a generation. */
export interface Lent extends Disposable {
  readonly decoding: Decoding;
}

/**
 * What a generation works on: a memory's, or its own, freed at its end.
 *
 * @throws {TypeError} For a memory of another model or other offsets, or one that another generation has
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
