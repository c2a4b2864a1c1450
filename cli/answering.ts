/**
 * The setup shared by `chat` and `generate`: the model, the chosen fine-tune and the chat template.
 *
 * @module
 */
import type { OffsetSet } from "../kernels/mod.ts";
import type { GenerateOptions, Tokenizer } from "../models/mod.ts";
import type { RunSession } from "../train/mod.ts";
import { answerEnds, chatTemplateFor, templateFor } from "./chat_flags.ts";
import type { Call, OptionSpec } from "./command.ts";
import { samplingOf, samplingOptions } from "./sampling.ts";
import {
  besideOf,
  chosenLedger,
  loadSession,
  tokenizerOf,
  tunedOffsets,
  tunedOptions,
} from "./tuned.ts";

/** Flags that both commands share. */
export const answeringOptions: Readonly<Record<string, OptionSpec>> = {
  ...samplingOptions,
  base: { kind: "flag", doc: "use the base model even if a run is named" },
  ...tunedOptions,
};

/** The `--max-tokens` flag. `standard` is appended to its description and gives the default. */
export function maxTokensOption(standard: string): OptionSpec {
  return { kind: "number", min: 1, whole: true, doc: `maximum number of new tokens${standard}` };
}

/** A loaded model and the settings to generate with. */
export interface Answering extends Disposable {
  /** The model on its device. */
  readonly session: RunSession;
  /** The model's tokenizer. */
  readonly tokenizer: Tokenizer;
  /** The chat template. Undefined for the tokenizer's own. */
  readonly template: string | undefined;
  /** Offsets of the fine-tune, if one was chosen. */
  readonly offsets: OffsetSet | undefined;
  /** Seed, sampling, offsets and, for a chat, the stop tokens and stop strings. */
  readonly settings: GenerateOptions;
}

/** Loads the model, fine-tune and template that a command line names. With `chat`, a missing template is reported before the model is loaded. */
export async function openAnswering(
  call: Call,
  { chat }: { readonly chat: boolean },
): Promise<Answering> {
  const config = call.config();
  const asked = chat ? await chatTemplateFor(call, config) : undefined;
  const sampling = samplingOf(call.options);
  const chosen = call.options.flag("base") ? undefined : await chosenLedger(call);
  using opened = new DisposableStack();
  const session = opened.use(
    await loadSession(config, call, {
      check: ({ name, tokenizer }) => {
        if (!chat || !tokenizer) return;
        void answerEnds(tokenizer, templateFor(tokenizer, asked, config), { name });
      },
      beside: besideOf(chosen, call),
    }),
  );
  const tokenizer = tokenizerOf(session);
  const template = templateFor(tokenizer, asked, config);
  const { name } = session.source;
  const ends = chat ? answerEnds(tokenizer, template, { name, stop: sampling.stop }) : {};
  const offsets = chosen && opened.use(await tunedOffsets(session, chosen, call));
  const settings = { seed: config.seed, ...sampling, ...ends, ...offsets ? { offsets } : {} };
  const held = opened.move();
  return {
    ...{ session, tokenizer, template, offsets, settings },
    [Symbol.dispose]: () => held.dispose(),
  };
}
