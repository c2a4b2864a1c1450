/**
 * Conversations against what Jinja2 and plain functions of Python make of them (tests/support/vectors/chat_vectors.py).
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ChatMessage,
  chatTemplateNames,
  chatText,
  scoredChat,
  tokenizerFromJson,
} from "../../../models/mod.ts";
import { namedChatTemplate } from "../../../models/tokenizers/named_chat_templates.ts";
import vectors from "../../fixtures/chat_vectors.json" with { type: "json" };

const tokenizer = tokenizerFromJson({
  model: { type: "BPE", vocab: { [vectors.bos]: 0, [vectors.eos]: 1 }, merges: [] },
  added_tokens: [vectors.bos, vectors.eos].map((content, id) => ({
    ...{ id, content, special: true, normalized: false },
  })),
  decoder: { type: "Fuse" },
}, { bos_token: vectors.bos, eos_token: vectors.eos });

/** Blocks of generation taken off, so that prefixes have to tell. */
const unmarked = (template: string) => template.replaceAll(/\{%\s*(?:end)?generation\s*%\}/g, "");

const answersOf = (messages: readonly ChatMessage[]) =>
  messages.filter(({ role }) => role === "assistant");

Deno.test("every named template lays out as published, and marks what an assistant says", () => {
  assertEquals([...new Set(vectors.layouts.map((it) => it.template))], [...chatTemplateNames]);
  for (const { template, messages, answer, text, scored } of vectors.layouts) {
    assertEquals(chatText(tokenizer, messages, { template, answer }), text);
    if (answer) continue;
    const found = scoredChat(tokenizer, messages, { template });
    assertEquals({ text: found.text, scored: found.scored }, {
      text,
      scored: scored.map(([first, end]) => [first, end] as const),
    });
  }
});

Deno.test("templates in the manner of models' own, as Jinja2 with the settings of transformers has them", () => {
  let marked = 0;
  for (const { name, template, cases } of vectors.templates) {
    for (const { messages, answer, text, scored } of cases) {
      assertEquals(chatText(tokenizer, messages, { template, answer }), text, name);
      if (answer || scored.length === 0) continue;
      marked++;
      const found = scoredChat(tokenizer, messages, { template });
      assertEquals(found.text, text, name);
      assertEquals(found.scored.map((it) => [...it]), scored, name);
    }
  }
  assert(marked >= 8);
});

Deno.test("without marks, prefixes find the same parts; white space behind them may be within", () => {
  for (const name of chatTemplateNames) {
    const template = unmarked(namedChatTemplate(name) ?? "");
    for (
      const { messages, text, scored } of vectors.layouts.filter((it) =>
        it.template === name && !it.answer
      )
    ) {
      const found = scoredChat(tokenizer, messages, { template });
      assertEquals(found.text, text);
      assert(!found.exact);
      assertEquals(
        found.scored.map(([first, end]) => text.slice(first, end).trim()),
        scored.map(([first, end]) => text.slice(first, end).trim()),
        name,
      );
    }
  }
});

Deno.test("a template that lays out earlier answers otherwise is refused by name, but for the last answer or all", () => {
  const { template, cases } = vectors.templates.find((it) => it.name.startsWith("forgets"))!;
  const { messages, text } = cases.find((it) => !it.answer && answersOf(it.messages).length === 2)!;
  const error = assertThrows(
    () => scoredChat(tokenizer, messages, { template }),
    RangeError,
    "Cannot tell which tokens belong to the assistant in message 3",
  );
  assert(error.message.includes("task.loss") && error.message.includes("task.chat_template"));
  const last = scoredChat(tokenizer, messages, { template, loss: "last" });
  assertEquals(last.scored.map(([first, end]) => text.slice(first, end)), [
    `<think>\n\n</think>\n\n${messages.at(-1)!.content}<|im_end|>\n`,
  ]);
  assertEquals(scoredChat(tokenizer, messages, { template, loss: "all" }).scored, [[
    0,
    text.length,
  ]]);
  // One that has no part without a last message of a user.
  const strict = "{% if messages|length == 1 %}{{ raise_exception('too short') }}{% endif %}" +
    "{% for m in messages %}{{ m.content }}{% endfor %}";
  assertThrows(
    () => scoredChat(tokenizer, messages.slice(1, 3), { template: strict }),
    RangeError,
    "too short",
  );
});

Deno.test("the last answer alone, answers left out, and conversations without any", () => {
  const messages =
    vectors.layouts.find((it) => !it.answer && answersOf(it.messages).length === 2)!.messages;
  for (const template of ["chatml", unmarked(namedChatTemplate("chatml") ?? "")]) {
    const said = (options = {}) => {
      const { text, scored } = scoredChat(tokenizer, messages, { template, ...options });
      return scored.map(([first, end]) => text.slice(first, end).replace(/<\|im_end\|>\n?$/, ""));
    };
    const [one, two] = answersOf(messages).map(({ content }) => content);
    assertEquals(said(), [one, two]);
    assertEquals(said({ loss: "last" }), [two]);
    assertEquals(said({ unscored: new Set([messages.length - 1]) }), [one]);
  }
  assertThrows(
    () => scoredChat(tokenizer, [{ role: "user", content: "a" }], { template: "chatml" }),
    RangeError,
    "it has no assistant message",
  );
  assertThrows(() => scoredChat(tokenizer, messages), RangeError, "no chat template");
});

Deno.test("messages may hold what marks and templates are made of", () => {
  for (
    const content of [
      "\uE0000\uE001",
      "{% generation %}",
      "<|im_end|>",
      "\x01\x02",
      "{{ bos_token }}",
    ]
  ) {
    const messages = [{ role: "user", content }, { role: "assistant", content }];
    const { text, scored } = scoredChat(tokenizer, messages, { template: "chatml" });
    assertEquals(scored.map(([first, end]) => text.slice(first, end)), [`${content}<|im_end|>`]);
    assert(text.startsWith(`<|im_start|>user\n${content}<|im_end|>\n`));
  }
});

Deno.test("what only the last message has behind it does not hide the answers before", () => {
  const ended = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<|end|>\n{% endfor %}" +
    "{% if add_generation_prompt %}<assistant>{% else %}{{ eos_token }}{% endif %}";
  const messages = [
    ...[{ role: "user", content: "a" }, { role: "assistant", content: " b " }],
    ...[{ role: "user", content: "c" }, { role: "assistant", content: "d" }],
  ];
  const { text, scored } = scoredChat(tokenizer, messages, { template: ended });
  assertEquals(scored.map(([first, end]) => text.slice(first, end)), [
    " b <|end|>\n<", // The sign that EOS and the next message begin with is no token's: it is left out with what stands behind the end.
    "d<|end|>\n</s>",
  ]);
  // Where what is said itself differs, nothing tells.
  const changed = ended.replace(
    "{{ m.content }}",
    "{{ m.content if loop.last else 'x' + m.content }}",
  );
  assertThrows(
    () => scoredChat(tokenizer, messages, { template: changed }),
    RangeError,
    "message 2",
  );
});
