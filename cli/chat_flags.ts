/**
 * Parts shared by the commands that chat: the flags of a conversation, its template, and the stops of an answer.
 *
 * @module
 */
import type { GenerateOptions, Tokenizer } from "../models/mod.ts";
import { readFileText } from "../models/checkpoints/disk/read_file.ts";
import { chatEnds } from "../models/tokenizers/chat_template.ts";
import { chatTemplateNames, namedChatTemplate } from "../models/tokenizers/named_chat_templates.ts";
import { instructionTemplate } from "../tasks/supervised/supervised_row.ts";
import { formOfConfig, type TrainConfig } from "../train/mod.ts";
import { chatTemplateOf } from "../train/runs/chat_layout.ts";
import type { Call, OptionSpec } from "./command.ts";
import { UsageError } from "./usage_error.ts";

/** Default maximum number of new tokens per answer. */
export const MOST_ANSWER_TOKENS = 512;

/** Flags of a conversation. */
export const chatFlags: Readonly<Record<string, OptionSpec>> = {
  system: { kind: "text", doc: "system prompt [none]" },
  "chat-template": {
    kind: "text",
    path: true,
    doc: `Jinja template file, or one of ${
      chatTemplateNames.join(", ")
    } [the run's or the model's]`,
  },
};

/** The template that a command line names, otherwise the one that a run was trained with. Undefined for the model's own. */
export async function chatTemplateFor(
  { options }: Call,
  config: TrainConfig,
): Promise<string | undefined> {
  const named = options.text("chat-template");
  if (named !== undefined) return namedChatTemplate(named) ?? await readFileText(named, "settings");
  return await chatTemplateOf(config);
}

/** The template to use with a model. Without any template, a configuration that trains on instructions uses the instruction template. */
export function templateFor(
  tokenizer: Tokenizer,
  template: string | undefined,
  config: TrainConfig,
): string | undefined {
  const bare = template === undefined && tokenizer.chatTemplate === undefined;
  return bare && formOfConfig(config) === "instruction" ? instructionTemplate : template;
}

/**
 * The stop tokens and stop strings of an answer, as {@linkcode generate} takes them, including those in `stop`. Needs no loaded model, so that a
 * missing template can be reported early.
 *
 * @throws {UsageError} when there is no chat template.
 */
export function answerEnds(
  tokenizer: Tokenizer,
  template: string | undefined,
  { name, stop = [] }: { readonly name: string; readonly stop?: readonly string[] | undefined },
): Required<Pick<GenerateOptions, "stopTokens" | "stop">> {
  if (template === undefined && tokenizer.chatTemplate === undefined) {
    throw new UsageError(
      `Cannot chat with "${name}": it has no chat template. Choose one with --chat-template, or let it continue a text: qzo generate`,
    );
  }
  const { tokens, texts } = chatEnds(tokenizer, { template });
  return { stopTokens: tokens, stop: [...texts, ...stop] };
}
