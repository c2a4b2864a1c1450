/**
 * The layout of a configuration's conversations, instructions and completions for a model.
 *
 * @module
 */
import { readFileText } from "../../models/checkpoints/disk/read_file.ts";
import { chatEnds } from "../../models/tokenizers/chat_template.ts";
import { namedChatTemplate } from "../../models/tokenizers/named_chat_templates.ts";
import type { Tokenizer } from "../../models/tokenizers/tokenizer.ts";
import {
  instructionTemplate,
  type SupervisedOptions,
} from "../../tasks/supervised/supervised_row.ts";
import type { TrainConfig } from "../config/schema.ts";
import { formOfConfig } from "../config/task.ts";

/** A layout, and a sentence about where it comes from. */
export interface ChatLayout extends SupervisedOptions {
  /** For the notes shown to the user. */
  readonly note: string;
}

/**
 * The layout. Undefined for tasks without one.
 *
 * @throws {RangeError} for conversations, when the model has no chat template and none is configured.
 * @throws whatever reading the template's file throws.
 */
export async function chatLayout(
  config: TrainConfig,
  tokenizer: Tokenizer,
): Promise<ChatLayout | undefined> {
  const { chatTemplate } = tokenizer;
  const form = formOfConfig(config);
  if (form === undefined) return undefined;
  const { loss = "answers" } = config.task;
  const of = {
    answers: form === "completion" ? "completions" : "the assistant's messages",
    last: form === "completion" ? "completions" : "the assistant's last message",
    all: "everything",
  }[loss];
  if (form === "completion") return { form, loss, note: `the loss covers ${of}` };
  const template = await chatTemplateOf(config);
  if (template === undefined && chatTemplate === undefined && form === "chat") {
    throw new RangeError(
      "Cannot render conversations: the model has no chat template. Choose one with task.chat_template, such as vicuna, which needs no special tokens",
    );
  }
  const whose = template !== undefined
    ? `the chat template ${config.task.chatTemplate}`
    : chatTemplate !== undefined
    ? "the model's chat template"
    : `the template ${instructionTemplate}, because the model has none`;
  const note = `rendered with ${whose}; the loss covers ${of}${spelledEnd(tokenizer, template)}`;
  return { form, loss, template, note };
}

/** Describes an end of answers for which the model has no token. */
function spelledEnd(tokenizer: Tokenizer, template: string | undefined): string {
  if (template === undefined && tokenizer.chatTemplate === undefined) return "";
  try {
    const [text] = chatEnds(tokenizer, { template }).texts;
    if (text === undefined) return "";
    return `. ${
      JSON.stringify(text)
    } after an answer is not a token of the model, and is learned as text`;
  } catch {
    return ""; // The template rejects so short a conversation.
  }
}

/**
 * The text of the configured chat template, and its name if it has one. Undefined if none is configured.
 *
 * @throws whatever reading its file throws.
 */
export async function chatTemplateOf(
  { task: { chatTemplate } }: Pick<TrainConfig, "task">,
): Promise<string | undefined> {
  if (chatTemplate === undefined || namedChatTemplate(chatTemplate) !== undefined) {
    return chatTemplate?.toLowerCase();
  }
  return await readFileText(chatTemplate, "settings");
}
