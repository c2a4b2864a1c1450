/**
 * `qzo generate`: text after a prompt, as it is made.
 *
 * @module
 */
import { chatTokens, generate } from "../../models/mod.ts";
import { longPromptTokens } from "../../tasks/tokenise.ts";
import {
  answerEnds,
  chatFlags,
  chatTemplateFor,
  MOST_ANSWER_TOKENS,
  templateFor,
} from "../chat_flags.ts";
import type { Command } from "../command.ts";
import { samplingOf, samplingOptions, Speed } from "../sampling.ts";
import {
  besideOf,
  chosenLedger,
  loadSession,
  tokenizerOf,
  tunedOffsets,
  tunedOptions,
} from "../tuned.ts";
import { UsageError } from "../usage_error.ts";

/** `qzo generate`. */
export const generateCommand: Command = {
  name: "generate",
  summary: "continue a prompt with a model or a fine-tune",
  positional: "model",
  first: ["model", "prompt", "chat", "max-tokens", "temperature", "ledger"],
  examples: [
    'generate model.gguf --prompt "Once upon a time"',
    'generate runs/a --prompt "A film that" --temperature 0.8 --top-p 0.95 --seed 1',
    'generate model.gguf --chat --prompt "Why is the sky blue?" --system "Answer briefly."',
    "generate model.gguf < prompt.txt",
  ],
  options: {
    prompt: { kind: "text", doc: "text to continue [standard input]" },
    "max-tokens": {
      kind: "number",
      min: 1,
      whole: true,
      doc: `maximum number of new tokens [128, with --chat ${MOST_ANSWER_TOKENS}]`,
    },
    chat: {
      kind: "flag",
      doc: "take the prompt as a message and print the answer, by the chat template",
    },
    ...chatFlags,
    ...samplingOptions,
    base: { kind: "flag", doc: "use the base model even if a run is named" },
    ...tunedOptions,
  },
  keys: ["model", "seed", "device", "quantize"],
  run: async (call) => {
    const { options, terminal, signal } = call;
    const config = call.config();
    const prompt = options.text("prompt") ??
      (await terminal.input())?.replace(/\r?\n$/, "");
    if (prompt === undefined) {
      throw new UsageError('Missing --prompt, for example "Once upon a time"');
    }
    const asChat = options.flag("chat");
    const needsChat = ["system", "chat-template"].find((name) => options.text(name) !== undefined);
    if (!asChat && needsChat !== undefined) {
      throw new UsageError(`Cannot use --${needsChat} without --chat`);
    }
    const asked = asChat ? await chatTemplateFor(call, config) : undefined;
    const sampling = samplingOf(options);
    const chosen = options.flag("base") ? undefined : await chosenLedger(call);
    using session = await loadSession(config, call, {
      check: ({ name, tokenizer }) => {
        if (asChat && tokenizer) {
          void answerEnds(tokenizer, templateFor(tokenizer, asked, config), { name });
        }
      },
      beside: besideOf(chosen, call),
    });
    using offsets = chosen && await tunedOffsets(session, chosen, call);
    const maxTokens = options.number("max-tokens");
    const tokenizer = tokenizerOf(session);
    const template = templateFor(tokenizer, asked, config);
    const system = options.text("system");
    const messages = [
      ...system === undefined ? [] : [{ role: "system", content: system }],
      { role: "user", content: prompt },
    ];
    const promptIds = asChat
      ? chatTokens(tokenizer, messages, { template })
      : await longPromptTokens(tokenizer, prompt, signal);
    const { name } = session.source;
    const ends = asChat ? answerEnds(tokenizer, template, { name, stop: sampling.stop }) : {};
    const tokens = generate(session.model, promptIds, {
      seed: config.seed,
      signal,
      ...sampling,
      ...ends,
      ...(offsets ? { offsets } : {}),
      ...(maxTokens === undefined
        ? asChat ? { maxTokens: MOST_ANSWER_TOKENS } : {}
        : { maxTokens }),
    });
    const speed = new Speed();
    if (!asChat) terminal.write(prompt);
    try {
      for await (const { token, text } of tokens) {
        if (token >= 0) speed.add();
        terminal.write(text);
      }
    } finally {
      terminal.write("\n");
      terminal.note(String(speed));
    }
  },
};
