// Conversations with tools: laid out by templates that know them, refused where one would leave something out.
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { tokenizerFromJson } from "../../../models/mod.ts";
import { conversationOf } from "../../../tasks/mod.ts";
import { supervisedText } from "../../../tasks/supervised/supervised_row.ts";

const tokenizer = tokenizerFromJson({ model: { type: "BPE", vocab: { a: 0 }, merges: [] } });

/** In the manner of ChatML with tools, as Qwen2.5 and Hermes have it. */
const template = `{%- if tools %}<|system|>Tools:
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}<|end|>
{%- endif %}
{%- for m in messages %}
{%- if m.role == "assistant" %}<|assistant|>{{ m.content }}
{%- if m.tool_calls %}{%- for call in m.tool_calls %}<call>{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}</call>
{%- endfor %}{%- endif %}<|end|>
{%- elif m.role == "tool" %}<|tool|>{{ m.name }}: {{ m.content }}<|end|>
{%- else %}<|{{ m.role }}|>{{ m.content }}<|end|>
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}`;

const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: {} } } },
};
const call = {
  id: "c1",
  type: "function",
  function: { name: "weather", arguments: '{"city": "Ulm"}' },
};
const row = {
  tools: [weather],
  messages: [
    { role: "user", content: "Rain?" },
    { role: "assistant", content: null, tool_calls: [call] },
    { role: "tool", tool_call_id: "c1", name: "weather", content: '{"rain": true}' },
    { role: "assistant", content: "Yes." },
  ],
};

Deno.test("tools: what is called and returned is in the text, and the loss is of calls and answers", () => {
  const { text, scored } = supervisedText(tokenizer, row, { form: "chat", template });
  for (
    const part of [
      '"name": "weather"',
      '<call>{"name": "weather", "arguments": {"city": "Ulm"}}</call>',
      '<|tool|>weather: {"rain": true}<|end|>',
    ]
  ) assertStringIncludes(text, part);
  assertEquals(scored.map(([first, end]) => text.slice(first, end)), [
    '<call>{"name": "weather", "arguments": {"city": "Ulm"}}</call><|end|>',
    "Yes.<|end|>",
  ]);
  // Tools as the text of a list, and arguments that are an object already.
  const other = { ...call, function: { name: "weather", arguments: { city: "Ulm" } } };
  const messages = row.messages.map((it) => it.tool_calls ? { ...it, tool_calls: [other] } : it);
  const same = { messages, tools: JSON.stringify([weather]) };
  assertEquals(supervisedText(tokenizer, same, { form: "chat", template }).text, text);
  assertEquals(conversationOf(row).messages[2].fields, { tool_call_id: "c1", name: "weather" });
  // Arguments that are no object stay as they are.
  const odd = { ...call, function: { name: "weather", arguments: "Ulm" } };
  const { messages: [, asks] } = conversationOf({
    messages: [row.messages[0], { role: "assistant", tool_calls: [odd] }],
  });
  assertEquals(asks, { role: "assistant", content: "", fields: { tool_calls: [odd] } });
});

Deno.test("tools: a template that leaves out tools, calls or what is returned is refused by what it leaves out", () => {
  const [ask, calls, returned, says] = row.messages;
  const cases: [object, string][] = [
    [{ tools: row.tools, messages: [ask, says] }, 'the tool "weather"'],
    [{ messages: [ask, { ...calls, content: "Hm." }, says] }, 'the call to "weather" in message 2'],
    [{ messages: [ask, says, returned, says] }, "the tool result in message 3"],
  ];
  for (const [it, message] of cases) {
    // Without words for tools, and without those for their results.
    const plain =
      "{% for m in messages %}{% if m.role != 'tool' %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
    for (const loss of ["answers", "all"] as const) {
      assertThrows(
        () => supervisedText(tokenizer, { ...it }, { form: "chat", template: plain, loss }),
        RangeError,
        message,
      );
    }
  }
});
