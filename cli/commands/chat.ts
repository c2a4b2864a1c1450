/**
 * `qzo chat`: a conversation with a model that is loaded once.
 *
 * @module
 */
import {
  type ChatMessage,
  chatTokens,
  generate,
  type GenerateOptions,
  promptMemory,
  type Tokenizer,
} from "../../models/mod.ts";
import type { RunSession } from "../../train/mod.ts";
import { answeringOptions, maxTokensOption, openAnswering } from "../answering.ts";
import { chatFlags, MOST_ANSWER_TOKENS } from "../chat_flags.ts";
import type { Call, Command } from "../command.ts";
import { Speed } from "../sampling.ts";

/** `qzo chat`. */
export const chatCommand: Command = {
  name: "chat",
  summary: "chat with a model or a fine-tune, using its chat template",
  positional: "model",
  examples: [
    "chat model.gguf",
    'chat runs/a --system "Answer in one sentence." --temperature 0.7',
    "chat model.gguf < questions.txt",
    "chat model.gguf --adapter one --adapter other=0.5",
  ],
  options: {
    ...chatFlags,
    "max-tokens": maxTokensOption(` per answer [${MOST_ANSWER_TOKENS}]`),
    ...answeringOptions,
  },
  first: ["system", "temperature", "max-tokens", "step"],
  keys: ["model", "seed", "device", "quantize"],
  run: async (call) => {
    const { options, terminal } = call;
    using answering = await openAnswering(call, { chat: true });
    const { session, tokenizer, template, offsets, settings } = answering;
    using memory = promptMemory(session.model, offsets);
    const maxTokens = options.number("max-tokens") ?? MOST_ANSWER_TOKENS;
    const conversation = new Conversation(session, tokenizer, {
      template,
      system: options.text("system"),
      settings: { ...settings, maxTokens, memory },
    });
    if (terminal.keyboard) {
      terminal.note(
        `${session.source.name} on ${session.gpu.description}. Ctrl-C ends an answer, Ctrl-D the conversation`,
      );
    }
    await talk(call, conversation);
  },
};

/** Answers one message after another, one line each, typed or read from a pipe. */
async function talk(call: Call, conversation: Conversation): Promise<void> {
  const { terminal, signal } = call;
  const keyboard = terminal.keyboard ?? false;
  let answer: AbortController | undefined;
  let pressed = false;
  using _interrupts = call.onInterrupt?.(() => {
    if (pressed) return false;
    pressed = true;
    if (answer) answer.abort();
    else terminal.note("\nPress Ctrl-C again, or Ctrl-D, to leave");
    return true;
  });
  const lines = (terminal.lines?.() ?? noLines())[Symbol.asyncIterator]();
  const stopped = new Promise<never>((_, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  stopped.catch(() => {}); // If nothing awaits it any more, its rejection must not end the process.
  for (;;) {
    if (keyboard) terminal.write("> ");
    const { value: line, done } = await Promise.race([lines.next(), stopped]);
    if (done) break;
    if (line.trim() === "") continue;
    pressed = false;
    answer = new AbortController();
    try {
      const speed = new Speed();
      const pieces = conversation.answer(line, AbortSignal.any([answer.signal, signal]));
      for await (const { token, text } of pieces) {
        if (token >= 0) speed.add();
        terminal.write(text);
      }
      terminal.write("\n");
      for (const note of conversation.notes()) terminal.note(`note: ${note}`);
      terminal.note(`${speed}${answer.signal.aborted ? ", ended by Ctrl-C" : ""}`);
    } catch (error) {
      // A message that is too long does not end the conversation.
      if (!keyboard || !(error instanceof RangeError)) throw error;
      terminal.note(error.message);
    } finally {
      answer = undefined;
    }
  }
  if (keyboard) terminal.write("\n");
}

async function* noLines(): AsyncGenerator<string> {}

/** The messages so far, and the settings for generating answers. */
class Conversation {
  readonly #session: RunSession;
  readonly #tokenizer: Tokenizer;
  readonly #template: string | undefined;
  readonly #settings: GenerateOptions;
  readonly #system: readonly ChatMessage[];
  #messages: ChatMessage[] = [];
  #notes: string[] = [];
  #turn = 0;

  constructor(
    session: RunSession,
    tokenizer: Tokenizer,
    { template, system, settings }: {
      readonly template: string | undefined;
      readonly system: string | undefined;
      readonly settings: GenerateOptions;
    },
  ) {
    this.#session = session;
    this.#tokenizer = tokenizer;
    this.#template = template;
    this.#settings = settings;
    this.#system = system === undefined ? [] : [{ role: "system", content: system }];
  }

  /** Generates the answer to a message in pieces. If the signal ends it early, the pieces so far stay in the conversation. */
  async *answer(
    content: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly token: number; readonly text: string }> {
    this.#messages.push({ role: "user", content });
    let said = "";
    let begun = false;
    try {
      const { model } = this.#session;
      const prompt = this.#prompt();
      const seed = (this.#settings.seed ?? 0) + this.#turn++;
      for await (const piece of generate(model, prompt, { ...this.#settings, seed, signal })) {
        begun = true;
        said += piece.text;
        yield piece;
      }
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) {
        if (!begun) this.#messages.pop();
        throw error;
      }
    }
    this.#messages.push({ role: "assistant", content: said });
  }

  /** Notes for the user since the last call. */
  notes(): string[] {
    return this.#notes.splice(0);
  }

  /** The conversation in tokens. Its oldest messages are dropped if it is too long for the model. */
  #prompt(): number[] {
    const { maxPositions } = this.#session.model;
    const room = Math.min(
      this.#settings.maxTokens ?? MOST_ANSWER_TOKENS,
      Math.floor(maxPositions / 4),
    );
    let left = 0;
    for (;;) {
      const tokens = chatTokens(this.#tokenizer, [...this.#system, ...this.#messages], {
        template: this.#template,
      });
      if (tokens.length + room <= maxPositions || this.#messages.length < 3) {
        if (left > 0) {
          this.#notes.push(
            `the conversation is longer than the model's ${maxPositions} positions: its ${left} oldest messages are left out`,
          );
        }
        return tokens;
      }
      this.#messages = this.#messages.slice(2);
      left += 2;
    }
  }
}
