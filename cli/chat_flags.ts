/**
 * What commands share that talk: the flags of a conversation, its template and what ends an answer.
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

/** Most new tokens of an answer, unless a flag says otherwise. */
export const MOST_ANSWER_TOKENS = 512;

/** The flags. */
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

/** The template that a command line names, else the one that a run was trained with; undefined: the model's own. */
export async function chatTemplateFor(
  { options }: Call,
  config: TrainConfig,
): Promise<string | undefined> {
  const named = options.text("chat-template");
  if (named !== undefined) return namedChatTemplate(named) ?? await readFileText(named, "settings");
  return await chatTemplateOf(config);
}

/** The template that holds for a model. Instructions were trained without a model's template where it brings none. */
export function templateFor(
  tokenizer: Tokenizer,
  template: string | undefined,
  config: TrainConfig,
): string | undefined {
  const bare = template === undefined && tokenizer.chatTemplate === undefined;
  return bare && formOfConfig(config) === "instruction" ? instructionTemplate : template;
}

/**
 * What ends an answer, as {@linkcode generate} takes it, with the stops of a flag; looked for before the model is loaded, as a template may be
 * missing.
 *
 * @throws {UsageError} When it is
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
