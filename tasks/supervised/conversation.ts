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
  /** Tools that the model may call, in OpenAI's form; absent where there are none. */
  readonly tools?: readonly unknown[];
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
 * `{ from, value }`; `weight: 0` leaves an assistant's message without loss. A list of parts of text is one text. `tools`, `tool_calls` and what tools return are
 * given to the template.
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

/** The tools of a row: a list, or the JSON of one. */
function toolsOf({ tools }: Row): readonly unknown[] {
  if (tools === undefined || tools === null || tools === "") return [];
  const list = typeof tools === "string" ? jsonOf(tools) : tools;
  if (Array.isArray(list)) return list;
  throw new TypeError(`Cannot ${what}: its tools are not a list`);
}

/** The value of a text of JSON; undefined where it is none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * What an assistant asks tools to do. Arguments that are the text of an object become the object: templates write it as JSON themselves, and would
 * write a text with quotes around it.
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
  // Who calls a tool may say nothing.
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

/** What tells which call a tool answers, as far as it is there. */
function namesOf({ tool_call_id, name }: Row): Row {
  return {
    ...(typeof tool_call_id === "string" ? { tool_call_id } : {}),
    ...(typeof name === "string" ? { name } : {}),
  };
}

/** A text, or a list of parts of text. */
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
