import { assertEquals, assertThrows } from "@std/assert";
import { conversationOf, type Row } from "../../../tasks/mod.ts";

Deno.test("messages of either spelling are a conversation", () => {
  const messages = [
    { role: "system", content: "S" },
    { role: "user", content: "a" },
    { role: "assistant", content: "b" },
  ];
  const rows: Row[] = [
    { messages },
    { messages: messages.slice(1), system: "S" },
    {
      conversations: [{ from: "System", value: "S" }, { from: "human", value: "a" }, {
        from: "gpt",
        value: "b",
      }],
    },
    {
      conversation: [
        messages[0],
        { role: "user", content: [{ type: "text", text: "a" }] },
        messages[2],
      ],
    },
    { prompt: messages.slice(0, 2), completion: messages.slice(2) },
    {
      conversations: [{ from: "gpt", value: "hello" }, { from: "human", value: "a" }, {
        from: "gpt",
        value: "b",
      }],
      system: "S",
    },
  ];
  for (const [i, row] of rows.entries()) {
    const found = conversationOf(row);
    assertEquals(found.messages, messages);
    assertEquals(found.answeredFirst, i === 5);
    assertEquals(found.unscored.size, 0);
  }
  const weighted = messages.map((it) => it.role === "assistant" ? { ...it, weight: 0 } : it);
  assertEquals(
    conversationOf({ messages: [...weighted, ...messages.slice(1)] }).unscored,
    new Set([2]),
  );
  // What stands in a prompt is context, whoever says it.
  const turns = [messages[1], messages[2], messages[1]];
  assertEquals(conversationOf({ prompt: turns, completion: [messages[2]] }).unscored, new Set([1]));
});

Deno.test("what is no conversation is refused by the message", () => {
  const user = { role: "user", content: "a" };
  const cases: [Row, ErrorConstructor | typeof RangeError | typeof TypeError, string][] = [
    [{ messages: [] }, RangeError, "no messages"],
    [
      { messages: [user, { role: "wizard", content: "b" }] },
      RangeError,
      'message 2: unknown role "wizard"',
    ],
    [
      { messages: [user, { role: "assistant", content: " \n" }] },
      RangeError,
      "message 2: the assistant's message is empty",
    ],
    [
      { messages: [user, { role: "assistant", content: null }] },
      TypeError,
      'field "content" is null',
    ],
    [{ messages: [user, { role: "assistant" }] }, RangeError, 'unknown field "content"'],
    [{ messages: [user, { content: "a" }] }, RangeError, 'unknown field "role"'],
    [{ messages: [user, null] }, TypeError, "message 2: expected an object"],
    [{ messages: [user, ["a"]] }, TypeError, "message 2"],
    [{ messages: "a" }, TypeError, "expected a list of messages"],
    [
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: "x" }] }] },
      RangeError,
      "only text",
    ],
    [
      { messages: [user, { role: "assistant", content: "a", tool_calls: [{}] }] },
      TypeError,
      "message 2: expected an object",
    ],
    [{ messages: [user, { role: "assistant", tool_calls: {} }] }, TypeError, "not a list"],
    [
      { messages: [{ ...user, tool_calls: [{ function: { name: "f" } }] }] },
      RangeError,
      '"user" has tool_calls',
    ],
    [
      { messages: [user, { role: "assistant", content: "a", function_call: { name: "f" } }] },
      RangeError,
      "write it as tool_calls",
    ],
    [{ messages: [user], tools: { a: 1 } }, TypeError, "tools are not a list"],
    [{ messages: [{ ...user, role: "assistant", weight: 0.5 }] }, RangeError, "expected 0 or 1"],
    [{ messages: [{ role: "constructor", content: "a" }] }, RangeError, "unknown role"],
    [{ text: "a" }, TypeError, 'none of the fields "messages"'],
  ];
  for (const [row, kind, message] of cases) {
    assertThrows(() => conversationOf(row), kind, message, JSON.stringify(row));
  }
});
