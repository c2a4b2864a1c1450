/**
 * A row of fine-tuning data as text, with the parts that count in the loss.
 *
 * @module
 */
import {
  type LossPart,
  scoredChat,
  type ScoredText,
} from "../../models/tokenizers/chat_answers.ts";
import type { ChatTokenizer } from "../../models/tokenizers/chat_template.ts";
import { fieldText, type Row } from "../data/row.ts";
import { type Conversation, conversationOf } from "./conversation.ts";
import { pairFields, type RowForm } from "./row_form.ts";

/** How rows are laid out, and which parts count in the loss. */
export interface SupervisedOptions {
  /** Form of the rows. */
  readonly form: RowForm;
  /** A chat template, or the name of one. Default: the model's own; for instructions, `alpaca` if the model has none. */
  readonly template?: string | undefined;
  /** The parts that count in the loss. Default `answers`. */
  readonly loss?: LossPart | undefined;
}

/** A row's text, with information for the user. */
export interface SupervisedText extends ScoredText {
  /** Whether the tokenizer's EOS token must follow, as after a completion, whose text does not end with one. */
  readonly ended: boolean;
  /** Whether its conversation began with an assistant message, which was dropped. */
  readonly answeredFirst: boolean;
  /** Whether prompt and completion are joined without white space between them. */
  readonly joined: boolean;
}

/** The template for instructions if the model has none. */
export const instructionTemplate = "alpaca";

/**
 * The text of a row.
 *
 * @throws {RangeError} for a row without the form's fields, an empty answer, or a conversation that cannot be laid out.
 * @throws {TypeError} for a field without text, or a conversation that the template rejects.
 */
export function supervisedText(
  tokenizer: ChatTokenizer,
  row: Row,
  { form, template, loss }: SupervisedOptions,
): SupervisedText {
  if (form === "completion") return completionText(row, loss);
  const bare = form === "instruction" && tokenizer.chatTemplate === undefined;
  const chosen = template ?? (bare ? instructionTemplate : undefined);
  const { messages, unscored, answeredFirst, tools } = form === "chat"
    ? conversationOf(row)
    : instructionOf(row, chosen);
  return {
    ...scoredChat(tokenizer, messages, { template: chosen, loss, unscored, tools }),
    ended: false,
    answeredFirst,
    joined: false,
  };
}

function completionText(row: Row, loss: LossPart = "answers"): SupervisedText {
  const { asked, answer } = pairOf("completion", row);
  const text = asked + answer;
  return {
    text,
    scored: [[loss === "all" ? 0 : asked.length, text.length]],
    exact: true,
    ended: true,
    answeredFirst: false,
    joined: /\S$/.test(asked) && /^[^\s\p{P}]/u.test(answer),
  };
}

function instructionOf(row: Row, template: string | undefined): Conversation {
  const { asked, more, answer } = pairOf("instruction", row);
  const between = template === instructionTemplate ? "\n\n### Input:\n" : "\n\n";
  const content = more === "" ? asked : asked + between + more;
  const system = ["system", "system_prompt"].map((name) => row[name])
    .find((value) => typeof value === "string" && value !== "");
  return {
    messages: [
      ...typeof system === "string" ? [{ role: "system", content: system }] : [],
      { role: "user", content },
      { role: "assistant", content: answer },
    ],
    unscored: new Set(),
    answeredFirst: false,
  };
}

/** The request and the answer of a row. */
function pairOf(
  form: keyof typeof pairFields,
  row: Row,
): { readonly asked: string; readonly more: string; readonly answer: string } {
  const what = `read ${form === "instruction" ? "an instruction" : "a prompt and its completion"}`;
  const pairs: readonly {
    readonly asked: string;
    readonly answered: readonly string[];
    readonly more: readonly string[];
  }[] = pairFields[form];
  const pair = pairs.find(({ asked }) => Object.hasOwn(row, asked)) ?? pairs[0];
  const answered = pair.answered.find((name) => Object.hasOwn(row, name)) ?? pair.answered[0];
  const asked = fieldText(row, pair.asked, what);
  const answer = fieldText(row, answered, what);
  if (answer.trim() === "") {
    throw new RangeError(`Cannot ${what}: its field ${JSON.stringify(answered)} is empty`);
  }
  const extra = pair.more.find((name) => typeof row[name] === "string");
  return { asked, more: extra === undefined ? "" : fieldText(row, extra, what), answer };
}
