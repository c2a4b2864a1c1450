/**
 * Conversations of data files: OpenAI's `messages`, ShareGPT's `conversations`, and what is between them.
 *
 * @module
 */
import type { ChatMessage } from "../../models/tokenizers/chat_template.ts";
import { asRow, fieldText, type Row } from "../data/row.ts";
import { conversationFields } from "./row_form.ts";

/** A conversation, and what is known of its messages besides. */
export interface Conversation {
  /** Roles are those that chat templates know. */
  readonly messages: readonly ChatMessage[];
  /** Indices of messages of an assistant that nothing is learned from. */
  readonly unscored: ReadonlySet<number>;
  /** Whether it began with a message of an assistant, which was left out as most templates take none there. */
  readonly answeredFirst: boolean;
}

const what = "read a conversation";

/** Roles as they are written, in lower case. */
const roles: Readonly<Record<string, string>> = {
  ...{ system: "system", developer: "developer", user: "user", assistant: "assistant" },
  ...{ tool: "tool", function: "tool", human: "user", prompter: "user" },
  ...{ gpt: "assistant", chatgpt: "assistant", bing: "assistant", bard: "assistant" },
  ...{ model: "assistant", bot: "assistant", ai: "assistant" },
};

/**
 * The conversation of a row: its list of messages, behind its `system` prompt if the row has one. Messages are `{ role, content }` or
 * `{ from, value }`; `weight: 0` leaves an assistant's message without loss. A list of parts of text is one text.
 *
 * @throws RangeError for an unknown role, an empty list, a message without text of an assistant; TypeError for what is no message, or
 * holds more than text.
 */
export function conversationOf(row: Row): Conversation {
  const lists = listsOf(row);
  // What stands in `prompt` is asked, whoever says it.
  const asked = lists.length > 1 ? lists[0].length : 0;
  const items = lists.flat();
  if (items.length === 0) throw new RangeError(`Cannot ${what}: it has no messages`);
  if (Array.isArray(row.tools) && row.tools.length > 0) {
    throw new RangeError(`Cannot ${what}: it has tools, which are not laid out here`);
  }
  const all = items.map((item, i) => messageOf(item, i, i >= asked));
  if (typeof row.system === "string" && row.system !== "" && all[0].role !== "system") {
    all.unshift({ role: "system", content: row.system, scored: true });
  }
  const first = all.findIndex(({ role }) => role !== "system" && role !== "developer");
  const answeredFirst = first >= 0 && all[first].role === "assistant";
  if (answeredFirst) all.splice(first, 1);
  return {
    messages: all.map(({ role, content }) => ({ role, content })),
    unscored: new Set(
      all.flatMap(({ role, scored }, i) => role === "assistant" && !scored ? [i] : []),
    ),
    answeredFirst,
  };
}

function listsOf(row: Row): unknown[][] {
  const field = conversationFields.find((name) => Object.hasOwn(row, name));
  if (field !== undefined) return [listOf(row, field)];
  if (Array.isArray(row.prompt)) {
    const answered = ["completion", "response"].find((name) => Object.hasOwn(row, name));
    if (answered !== undefined) return [row.prompt, listOf(row, answered)];
  }
  throw new TypeError(
    `Cannot ${what}: the row has none of the fields ${
      conversationFields.map((name) => JSON.stringify(name)).join(", ")
    }`,
  );
}

function listOf(row: Row, field: string): unknown[] {
  const value = row[field];
  if (Array.isArray(value)) return value;
  throw new TypeError(
    `Cannot ${what}: ${JSON.stringify(field)} is ${
      value === null ? "null" : `a ${typeof value}`
    }, expected a list of messages`,
  );
}

interface ReadMessage extends ChatMessage {
  readonly scored: boolean;
}

function messageOf(value: unknown, index: number, answers: boolean): ReadMessage {
  const where = `${what}, message ${index + 1}`;
  const message = asRow(value, where);
  const share = !Object.hasOwn(message, "role") && Object.hasOwn(message, "from");
  const written = fieldText(message, share ? "from" : "role", where);
  const known = written.trim().toLowerCase();
  if (!Object.hasOwn(roles, known)) {
    throw new RangeError(
      `Cannot ${where}: unknown role ${JSON.stringify(written.slice(0, 40))}; expected one of ${
        Object.keys(roles).join(", ")
      }`,
    );
  }
  const role = roles[known];
  for (const field of ["tool_calls", "function_call"]) {
    const calls = message[field];
    if (calls !== undefined && calls !== null && !(Array.isArray(calls) && calls.length === 0)) {
      throw new RangeError(`Cannot ${where}: it has ${field}, which are not laid out here`);
    }
  }
  const content = contentOf(
    message,
    share && !Object.hasOwn(message, "content") ? "value" : "content",
    where,
  );
  if (role === "assistant" && content.trim() === "") {
    throw new RangeError(`Cannot ${where}: what the assistant says is empty`);
  }
  return { role, content, scored: answers && scoredOf(message, where) };
}

/** A text, or a list of parts of text. */
function contentOf(message: Row, field: string, where: string): string {
  const value = message[field];
  if (!Array.isArray(value)) return fieldText(message, field, where);
  return value.map((part) => {
    const { type } = asRow(part, where);
    if (type !== undefined && type !== "text") {
      throw new RangeError(
        `Cannot ${where}: it holds ${
          JSON.stringify(type)?.slice(0, 40)
        }, and only text is learned from`,
      );
    }
    return fieldText(asRow(part, where), "text", where);
  }).join("");
}

function scoredOf({ weight }: Row, where: string): boolean {
  if (weight === undefined || weight === null || weight === 1) return true;
  if (weight === 0) return false;
  throw new RangeError(
    `Cannot ${where}: its weight is ${JSON.stringify(weight)?.slice(0, 40)}, expected 0 or 1`,
  );
}
