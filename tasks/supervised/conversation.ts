/**
 * Conversations in data files: OpenAI's `messages`, ShareGPT's `conversations`, and variants of both.
 *
 * @module
 */
import type { ChatMessage } from "../../models/tokenizers/chat_template.ts";
import { asRow, fieldText, type Row } from "../data/row.ts";
import { conversationFields } from "./row_form.ts";

/** A conversation, with additional facts about its messages. */
export interface Conversation {
  /** The messages, with the roles that chat templates use. */
  readonly messages: readonly ChatMessage[];
  /** Indices of assistant messages that do not count in the loss. */
  readonly unscored: ReadonlySet<number>;
  /** Tools that the model can call, in OpenAI's form. Absent if there are none. */
  readonly tools?: readonly unknown[];
  /** Whether it began with an assistant message, which was dropped because most templates do not allow it. */
  readonly answeredFirst: boolean;
}

const what = "read a conversation";

/** Standard roles by the names that files use, in lower case. */
const roles: Readonly<Record<string, string>> = {
  ...{ system: "system", developer: "developer", user: "user", assistant: "assistant" },
  ...{ tool: "tool", function: "tool", human: "user", prompter: "user" },
  ...{ gpt: "assistant", chatgpt: "assistant", bing: "assistant", bard: "assistant" },
  ...{ model: "assistant", bot: "assistant", ai: "assistant" },
};

/**
 * The conversation of a row: its list of messages, preceded by its `system` prompt if the row has one. Messages are `{ role, content }` or `{
 * from, value }`. With `weight: 0`, an assistant message does not count in the loss. A list of text parts is joined into one text. `tools`,
 * `tool_calls` and tool results are passed to the template.
 *
 * @throws {RangeError} for an unknown role, an empty list, or an assistant message without text.
 * @throws {TypeError} for something that is not a message, or contains anything except text.
 *
 * @example ShareGPT's names
 * ```ts
 * import { conversationOf } from "@qzo/qzo/tasks";
 * import { assertEquals } from "@std/assert";
 *
 * const row = { conversations: [{ from: "human", value: "Hi" }, { from: "gpt", value: "Hello" }] };
 * const { messages } = conversationOf(row);
 * assertEquals(messages.map(({ role }) => role), ["user", "assistant"]);
 * ```
 */
export function conversationOf(row: Row): Conversation {
  const lists = listsOf(row);
  // Messages in `prompt` belong to the request, whatever their role.
  const asked = lists.length > 1 ? lists[0].length : 0;
  const items = lists.flat();
  if (items.length === 0) throw new RangeError(`Cannot ${what}: it has no messages`);
  const tools = toolsOf(row);
  const all = items.map((item, i) => messageOf(item, i, i >= asked));
  if (typeof row.system === "string" && row.system !== "" && all[0].role !== "system") {
    all.unshift({ role: "system", content: row.system, scored: true });
  }
  const first = all.findIndex(({ role }) => role !== "system" && role !== "developer");
  const answeredFirst = first >= 0 && all[first].role === "assistant";
  if (answeredFirst) all.splice(first, 1);
  return {
    messages: all.map(({ role, content, fields }) =>
      fields ? { role, content, fields } : { role, content }
    ),
    ...(tools.length > 0 ? { tools } : {}),
    unscored: new Set(
      all.flatMap(({ role, scored }, i) => role === "assistant" && !scored ? [i] : []),
    ),
    answeredFirst,
  };
}

/** The tools of a row: a list, or JSON text of a list. */
function toolsOf({ tools }: Row): readonly unknown[] {
  if (tools === undefined || tools === null || tools === "") return [];
  const list = typeof tools === "string" ? jsonOf(tools) : tools;
  if (Array.isArray(list)) return list;
  throw new TypeError(`Cannot ${what}: its tools are not a list`);
}

/** Parses JSON text. Undefined if it is not JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The tool calls of an assistant message. Arguments given as JSON text are parsed, because templates convert them to JSON themselves and would
 * write the text in quotes.
 */
function callsOf({ tool_calls: calls }: Row, where: string): readonly unknown[] {
  if (calls === undefined || calls === null) return [];
  if (!Array.isArray(calls)) throw new TypeError(`Cannot ${where}: its tool_calls are not a list`);
  return calls.map((call) => {
    const { function: asked, ...rest } = asRow(call, where);
    const own = asRow(asked, where);
    fieldText(own, "name", where);
    const { arguments: given } = own;
    const read = typeof given === "string" ? jsonOf(given) : undefined;
    const isObject = typeof read === "object" && read !== null && !Array.isArray(read);
    return { ...rest, function: isObject ? { ...own, arguments: read } : own };
  });
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
  const { function_call: older } = message;
  if (older !== undefined && older !== null) {
    throw new RangeError(
      `Cannot ${where}: it has function_call, which chat templates do not support; write it as tool_calls`,
    );
  }
  const calls = role === "assistant" ? callsOf(message, where) : [];
  if (role !== "assistant" && callsOf(message, where).length > 0) {
    throw new RangeError(`Cannot ${where}: ${JSON.stringify(role)} has tool_calls`);
  }
  const fields = {
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    ...(role === "tool" ? namesOf(message) : {}),
  };
  const field = share && !Object.hasOwn(message, "content") ? "value" : "content";
  // A message with tool calls may have no content.
  const silent = calls.length > 0 && (message[field] === undefined || message[field] === null);
  const content = silent ? "" : contentOf(message, field, where);
  if (role === "assistant" && calls.length === 0 && content.trim() === "") {
    throw new RangeError(`Cannot ${where}: the assistant's message is empty`);
  }
  const scored = answers && scoredOf(message, where);
  return Object.keys(fields).length > 0
    ? { role, content, fields, scored }
    : { role, content, scored };
}

/** The fields that say which call a tool result belongs to, as far as they exist. */
function namesOf({ tool_call_id, name }: Row): Row {
  return {
    ...(typeof tool_call_id === "string" ? { tool_call_id } : {}),
    ...(typeof name === "string" ? { name } : {}),
  };
}

/** A text, or a list of text parts. */
function contentOf(message: Row, field: string, where: string): string {
  const value = message[field];
  if (!Array.isArray(value)) return fieldText(message, field, where);
  return value.map((part) => {
    const { type } = asRow(part, where);
    if (type !== undefined && type !== "text") {
      throw new RangeError(
        `Cannot ${where}: it contains ${
          JSON.stringify(type)?.slice(0, 40)
        }, but only text is supported`,
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
