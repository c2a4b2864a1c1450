/**
 * `qzo generate`: text after a prompt, as it is made.
 *
 * @module
 */
import { generate } from "../../models/mod.ts";
import { longPromptTokens } from "../../tasks/tokenise.ts";
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
  first: ["model", "prompt", "max-tokens", "temperature", "ledger", "base"],
  examples: [
    'generate model.gguf --prompt "Once upon a time"',
    'generate runs/a --prompt "A film that" --temperature 0.8 --top-p 0.95 --seed 1',
    "generate model.gguf < prompt.txt",
  ],
  options: {
    prompt: { kind: "text", doc: "text to continue [standard input]" },
    "max-tokens": {
      kind: "number",
      min: 1,
      whole: true,
      doc: "maximum number of new tokens [128]",
    },
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
    const chosen = options.flag("base") ? undefined : await chosenLedger(call);
    using session = await loadSession(config, call, { beside: besideOf(chosen, call) });
    using offsets = chosen && await tunedOffsets(session, chosen, call);
    const maxTokens = options.number("max-tokens");
    const promptIds = await longPromptTokens(tokenizerOf(session), prompt, signal);
    const tokens = generate(session.model, promptIds, {
      seed: config.seed,
      signal,
      ...samplingOf(options),
      ...(offsets ? { offsets } : {}),
      ...(maxTokens === undefined ? {} : { maxTokens }),
    });
    const speed = new Speed();
    terminal.write(prompt);
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
