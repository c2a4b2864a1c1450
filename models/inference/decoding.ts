/**
 * A sequence that is extended token by token, with cached keys and values.
 *
 * @module
 */

import {
  batchLayout,
  type BatchShape,
  compileGraph,
  type OffsetSet,
  type Plan,
  SHADER_LIBRARY,
  Storage,
  submitPlanInTurns,
  type Value,
} from "../../kernels/mod.ts";
import { FIRST_VIRTUAL_TOKEN } from "../../kernels/operations/leading/virtual_tokens.ts";
import { leadOf } from "../batch.ts";
import { recordLogits } from "../forward.ts";
import { windowOf } from "../model_config.ts";
import type { KeyValueCache } from "../recorder.ts";
import { assertNotDisposed, type Model } from "./model.ts";

/** Number of rows in which a prompt is processed at once. */
const PROMPT_ROWS = 64;

/**
 * Number of tokens that a layer with a window keeps in addition to the window: all tokens of a piece are stored before the first of them is computed,
 * and a sequence may be resumed some distance before its end.
 */
const KEPT_BEHIND = 512;

interface LogitsPlan {
  readonly plan: Plan;
  readonly input: Storage;
  readonly logits: Value;
  readonly shape: BatchShape;
}

/** A sequence being extended: the cache and the plans for a prompt's pieces and for one token. */
export class Decoding implements Disposable {
  readonly #model: Model;
  readonly #cache: KeyValueCache;
  readonly #offsets: OffsetSet | undefined;
  readonly #plans = new Map<number, LogitsPlan>();
  /** Tokens of the prompt whose keys and values were computed as whole pieces. */
  readonly #kept: number[] = [];
  /** How far before the end of the written slots a sequence can be resumed. */
  readonly #behind: number;
  /** Ids of the tokens that an adapter puts before every sequence. */
  readonly #leading: readonly number[];
  /** Difference between positions and slots. */
  readonly #shift: number;
  #length = 0;
  /** One more than the highest slot written, including those written by unused rows of a piece. */
  #written = 0;

  constructor(model: Model, offsets: OffsetSet | undefined) {
    const { config, maxPositions, gpu } = model;
    const rowBytes = config.keyValueHeads * config.headDimension * 4;
    const lead = leadOf(model);
    const slots = maxPositions + lead.tokens;
    const rows = Array.from({ length: config.layers }, (_, layer) => {
      const window = windowOf(config, layer) ?? slots;
      return Math.min(slots, window + KEPT_BEHIND);
    });
    const shared = (layer: number) => {
      const names = model.adapter?.sharedKeys?.(layer);
      return names ? model.tensors.get(names.keys)!.rows : 0;
    };
    const make = (what: string) =>
      rows.map((count, i) =>
        new Storage(`${what} ${i}`, (count + shared(i)) * rowBytes, "activations").allocate(gpu)
      );
    this.#leading = Array.from({ length: lead.tokens }, (_, i) => FIRST_VIRTUAL_TOKEN + i);
    this.#shift = lead.positions - lead.tokens;
    this.#model = model;
    this.#offsets = offsets;
    this.#cache = { slots, rows, keys: make("keys"), values: make("values") };
    this.#behind = rows.every((count) => count === slots) ? Infinity : KEPT_BEHIND;
  }

  /** Number of tokens that another sequence can reuse. */
  get kept(): number {
    return this.#kept.length;
  }

  /**
   * Begins a sequence with a prompt, and returns the logits after it. Cached keys and values of an earlier prompt with the same beginning are reused
   * in whole pieces, so that every key and value is computed together with the same rows as without reuse.
   */
  async begin(own: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    const prompt = [...this.#leading, ...own];
    // At least one token is processed, for its logits.
    const most = Math.min(this.#kept.length, prompt.length - 1);
    let alike = 0;
    while (alike < most && this.#kept[alike] === prompt[alike]) alike++;
    const whole = alike - alike % PROMPT_ROWS;
    this.#length = this.#written - whole <= this.#behind ? whole : 0;
    if (this.#length === 0) this.#written = 0;
    this.#kept.length = this.#length;
    return await this.feed(prompt.slice(this.#length), signal, this.#kept);
  }

  /** Appends tokens, and adds those of whole pieces to `kept`. Returns the logits after the last token. */
  async feed(
    tokens: readonly number[],
    signal?: AbortSignal,
    kept?: number[],
  ): Promise<Float32Array> {
    assertNotDisposed(this.#model, "generate");
    for (let first = 0; first < tokens.length; first += PROMPT_ROWS) {
      const piece = tokens.slice(first, first + PROMPT_ROWS);
      const { plan, input, logits, shape } = this.#plan(piece.length === 1 ? 1 : PROMPT_ROWS);
      const { gpu } = this.#model;
      gpu.write(input.buffer, this.#words(piece, shape));
      this.#written = Math.max(this.#written, this.#length + shape.rows);
      await submitPlanInTurns(gpu, plan, { signal });
      this.#length += piece.length;
      if (piece.length === PROMPT_ROWS) kept?.push(...piece);
      if (first + PROMPT_ROWS >= tokens.length) {
        const values = await gpu.readFloats(plan.buffer(logits), this.#model.config.vocabulary);
        gpu.pipelines.check();
        return values;
      }
    }
    throw new RangeError("Cannot extend a sequence by no tokens");
  }

  #words(tokens: readonly number[], shape: BatchShape): Uint32Array<ArrayBuffer> {
    const at = batchLayout(shape);
    const words = new Uint32Array(at.words);
    for (let i = 0; i < shape.rows; i++) {
      const slot = Math.min(this.#length + i, this.#cache.slots - 1);
      words[at.tokens + i] = tokens[i] ?? 0;
      words[at.positions + i] = slot + this.#shift;
      // Unused rows write to slots that the next tokens will overwrite.
      words[at.slots + i] = slot;
    }
    words[at.lossRows] = tokens.length - 1;
    return words;
  }

  #plan(rows: number): LogitsPlan {
    const found = this.#plans.get(rows);
    if (found) return found;
    const { gpu } = this.#model;
    const shape = { rows, lossRows: 1, candidates: 1, examples: 1 };
    const input = new Storage("tokens", batchLayout(shape).words * 4, "activations").allocate(gpu);
    const { graph, logits } = recordLogits(
      this.#model,
      shape,
      input,
      this.#offsets && { offsets: this.#offsets },
      this.#cache,
    );
    const made = { plan: compileGraph(gpu, graph, SHADER_LIBRARY, [logits]), input, logits, shape };
    this.#plans.set(rows, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const { plan, input } of this.#plans.values()) {
      plan[Symbol.dispose]();
      input[Symbol.dispose]();
    }
    for (const storage of [...this.#cache.keys, ...this.#cache.values]) storage[Symbol.dispose]();
  }
}
