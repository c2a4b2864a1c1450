import { assertEquals, assertThrows } from "@std/assert";
import {
  chatEnds,
  chatText,
  chatTokens,
  tokenizerFromGguf,
  tokenizerFromJson,
} from "../../../models/mod.ts";

const letters = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,!?|_\n0123456789"];
const special = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"];

function tokenizerWith(chatTemplate?: string) {
  const vocab = Object.fromEntries([...special, ...letters].map((text, id) => [text, id]));
  return tokenizerFromJson(
    {
      model: { type: "BPE", vocab, merges: [], fuse_unk: false, unk_token: null },
      added_tokens: special.map((content, id) => ({
        id,
        content,
        special: true,
        normalized: false,
      })),
      decoder: { type: "Fuse" },
    },
    {
      bos_token: "<s>",
      eos_token: "</s>",
      ...(chatTemplate ? { chat_template: chatTemplate } : {}),
    },
  );
}

/** As Qwen's files have it, shortened. */
const chatMl = `{%- if messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant") %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
`;

/** As Llama 2's: one that begins with its BOS token, ends answers with EOS, and wants turns. */
const turns =
  `{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}{% if m['role'] == 'user' %}{{ bos_token + '|INST| ' + m['content'].strip() + ' |INST|' }}{% else %}{{ ' ' + m['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}`;

Deno.test("conversations are laid out by the model's own template", () => {
  const tokenizer = tokenizerWith(chatMl);
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello" },
    { role: "user", content: "Why?" },
  ];
  assertEquals(
    chatText(tokenizer, messages),
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n",
  );
  const template = turns;
  const said = messages.slice(1);
  assertEquals(
    chatText(tokenizer, said, { template }),
    "<s>|INST| Hi |INST| Hello </s><s>|INST| Why? |INST|",
  );
  // The BOS token is there once, as its token.
  const ids = chatTokens(tokenizer, said, { template });
  assertEquals(ids.filter((id) => id === 0).length, 2);
  assertEquals(ids[0], 0);
  assertEquals(
    tokenizer.decode(ids, { skipSpecial: false }),
    chatText(tokenizer, said, { template }),
  );
});

Deno.test("answers end with what the template puts behind them, besides what the files name", () => {
  assertEquals(chatEnds(tokenizerWith(chatMl)), { tokens: [1, 3], texts: [] });
  assertEquals(chatEnds(tokenizerWith(), { template: turns }), { tokens: [1], texts: [] });
  const plain = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
  assertEquals(chatEnds(tokenizerWith(), { template: plain }), { tokens: [1], texts: [] });
  // What the model has no token for ends an answer as a text.
  const words = "{% for m in messages %}[{{ m.role }}]{{ m.content }} [/end]\n{% endfor %}";
  assertEquals(chatEnds(tokenizerWith(), { template: words }), { tokens: [1], texts: ["[/end]"] });
});

Deno.test("what no template allows is said, and a file's template fills no memory", () => {
  const tokenizer = tokenizerWith();
  const messages = [{ role: "user", content: "a" }];
  const lay = (template?: string, said = messages) => () => chatText(tokenizer, said, { template });
  assertThrows(lay(), RangeError, "no chat template");
  assertThrows(lay("{% for m in %}"), SyntaxError, "Cannot read a chat template");
  assertThrows(lay(turns, [...messages, ...messages]), TypeError, "turns must alternate");
  assertThrows(lay("{% for i in range(1000000000) %}x{% endfor %}"), TypeError, "range of");
  assertEquals(lay("{% for i in range(1, 7, 2) %}{{ i }}{% endfor %}")(), "135");
  assertEquals(lay("{{ strftime_now('%Y') }}")(), String(new Date().getFullYear()));
  assertThrows(lay("x".repeat(1 << 21)), RangeError, "characters");
});

Deno.test("what the tokenizer puts before every text is there once, whether the template brings it or not", () => {
  const vocab = Object.fromEntries([...special, ...letters].map((text, id) => [text, id]));
  const tokenizer = tokenizerFromJson(
    {
      model: { type: "BPE", vocab, merges: [] },
      added_tokens: special.map((content, id) => ({
        ...{ id, content, special: true, normalized: false },
      })),
      decoder: { type: "Fuse" },
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, {
          Sequence: { id: "A", type_id: 0 },
        }],
        pair: [],
        special_tokens: { "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] } },
      },
    },
    { bos_token: "<s>", eos_token: "</s>" },
  );
  const messages = [{ role: "user", content: "Hi" }];
  for (const template of [chatMl, turns, "{{ bos_token }}{{ messages[0].content }}"]) {
    const ids = chatTokens(tokenizer, messages, { template });
    assertEquals(ids.filter((id) => id === 0), [0]);
    assertEquals(ids[0], 0);
  }
});

Deno.test("every end that a model's files list ends an answer: of generation_config.json, and eot and eom of a GGUF file", () => {
  const vocab = Object.fromEntries([...special, ...letters].map((text, id) => [text, id]));
  const json = {
    model: { type: "BPE", vocab, merges: [] },
    added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
    decoder: { type: "Fuse" },
  };
  const listed = tokenizerFromJson(json, { eos_token: "</s>" }, {
    generation: { eos_token_id: [1, 2] },
  });
  assertEquals(chatEnds(listed, { template: chatMl }).tokens, [1, 2, 3]);
  const gguf = tokenizerFromGguf(
    new Map<string, unknown>([
      ["tokenizer.ggml.model", "gpt2"],
      ["tokenizer.ggml.pre", "gpt-2"],
      ["tokenizer.ggml.tokens", ["a", "b", "ab", "<end>", "<turn>", "<message>"]],
      ["tokenizer.ggml.token_type", [1, 1, 1, 3, 3, 3]],
      ["tokenizer.ggml.merges", ["a b"]],
      ["tokenizer.ggml.eos_token_id", 3],
      ["tokenizer.ggml.eot_token_id", 4],
      ["tokenizer.ggml.eom_token_id", 5],
      ["tokenizer.chat_template", "{% for m in messages %}{{ m.content }}<turn>{% endfor %}"],
    ]),
  );
  assertEquals(chatEnds(gguf).tokens.toSorted(), [3, 4, 5]);
});
