/**
 * `qzo generate`: continues a prompt and prints the text as it is generated.
 *
 * @module
 */
import { chatTokens, generate } from "../../models/mod.ts";
import { longPromptTokens } from "../../tasks/tokenise.ts";
import { answeringOptions, maxTokensOption, openAnswering } from "../answering.ts";
import { chatFlags, MOST_ANSWER_TOKENS } from "../chat_flags.ts";
import type { Command } from "../command.ts";
import { Speed } from "../sampling.ts";
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
    'generate model.gguf --adapter one --adapter other=0.5 --prompt "A film that"',
  ],
  options: {
    prompt: { kind: "text", doc: "text to continue [standard input]" },
    "max-tokens": maxTokensOption(` [128, with --chat ${MOST_ANSWER_TOKENS}]`),
    chat: {
      kind: "flag",
      doc: "send the prompt as a chat message and print the answer, using the chat template",
    },
    ...chatFlags,
    ...answeringOptions,
  },
  keys: ["model", "seed", "device", "quantize"],
  run: async (call) => {
    const { options, terminal, signal } = call;
    call.config(); // Reports mistakes in it before waiting for a prompt.
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
    using answering = await openAnswering(call, { chat: asChat });
    const { session, tokenizer, template, settings } = answering;
    const maxTokens = options.number("max-tokens");
    const system = options.text("system");
    const messages = [
      ...system === undefined ? [] : [{ role: "system", content: system }],
      { role: "user", content: prompt },
    ];
    const promptIds = asChat
      ? chatTokens(tokenizer, messages, { template })
      : await longPromptTokens(tokenizer, prompt, signal);
    const tokens = generate(session.model, promptIds, {
      ...settings,
      signal,
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
