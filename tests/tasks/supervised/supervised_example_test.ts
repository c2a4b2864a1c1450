/**
 * Rows in the tokens of a real tokenizer: what is scored spells what is said, and is what generation would go on with.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type ChatMessage,
  chatTemplateNames,
  chatTokens,
  openModelSource,
  scoredChat,
  type Tokenizer,
  tokenizerFromJson,
} from "../../../models/mod.ts";
import type { Example } from "../../../models/batch.ts";
import { supervisedExample } from "../../../tasks/mod.ts";
import { namedChatTemplate } from "../../../models/tokenizers/named_chat_templates.ts";
import vectors from "../../fixtures/chat_vectors.json" with { type: "json" };

const demo = new URL("../../../demo/model.gguf", import.meta.url).pathname;
using source = await openModelSource(demo);
const plain: Tokenizer = source.tokenizer!;

/** The tokens that the loss is of, in ranges, and all of them. */
function partsOf(
  { prompt, candidates: [own], scored }: Example,
): { all: number[]; ranges: number[][] } {
  const first = prompt.length === 0 ? 1 : 0;
  const ranges = (scored ?? [[first, own.length]]).map(([a, b]) => own.slice(a, b));
  return { all: [...prompt, ...own], ranges };
}

const text = (tokenizer: Tokenizer, ids: readonly number[]) =>
  tokenizer.decode(ids, { skipSpecial: false });

const conversations = vectors.layouts.filter((it) => it.template === "chatml" && !it.answer)
  .map((it): ChatMessage[] => it.messages);

Deno.test("under every template the scored tokens spell the answers, and the others what stands around them", () => {
  for (const template of chatTemplateNames) {
    for (const messages of conversations) {
      const example = supervisedExample(plain, { messages }, { form: "chat", template })!;
      const { all, ranges } = partsOf(example);
      const whole = scoredChat(plain, messages, { template });
      const answers = whole.scored.map(([first, end]) => whole.text.slice(first, end));
      assertEquals(ranges.map((ids) => text(plain, ids)), answers, template);
      assertEquals(
        all,
        [...chatTokens(plain, messages, { template, answer: false })].slice(0, all.length),
      );
      // What the first answer is predicted from is what a conversation's prompt is.
      const asked = messages.slice(0, messages.findIndex(({ role }) => role === "assistant"));
      assertEquals(example.prompt, chatTokens(plain, asked, { template }), template);
    }
  }
});

Deno.test("prefixes give the same examples as marks, without white space behind an end", () => {
  const template = namedChatTemplate("llama3")!.replaceAll(/\{%\s*(?:end)?generation\s*%\}/g, "");
  for (const messages of conversations) {
    assertEquals(
      supervisedExample(plain, { messages }, { form: "chat", template }),
      supervisedExample(plain, { messages }, { form: "chat", template: "llama3" }),
    );
  }
});

Deno.test("a line's end behind the token that ends an answer is not learned", () => {
  const letters = [..."abcdefghijklmnopqrstuvwxyz \n"];
  const special = ["<|im_start|>", "<|im_end|>"];
  const tokenizer = tokenizerFromJson({
    model: {
      type: "BPE",
      vocab: Object.fromEntries([...special, ...letters].map((it, id) => [it, id])),
      merges: [],
    },
    added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
    decoder: { type: "Fuse" },
  });
  const template = namedChatTemplate("chatml")!.replaceAll(/\{%\s*(?:end)?generation\s*%\}/g, "");
  const messages = [
    ...[{ role: "user", content: "hi" }, { role: "assistant", content: "yes" }],
    ...[{ role: "user", content: "so" }, { role: "assistant", content: "no" }],
  ];
  const { ranges } = partsOf(
    supervisedExample(tokenizer, { messages }, { form: "chat", template })!,
  );
  assertEquals(ranges.map((ids) => text(tokenizer, ids)), ["yes<|im_end|>", "no<|im_end|>"]);
});

Deno.test("completions end with EOS, and may be the loss alone or not", () => {
  const row = { prompt: "a film that", completion: " never ends" };
  const alone = partsOf(supervisedExample(plain, row, { form: "completion" })!);
  assertEquals(alone.ranges.map((ids) => plain.decode(ids)), [" never ends"]);
  assertEquals(alone.ranges[0].at(-1), plain.eos);
  const all = supervisedExample(plain, row, { form: "completion", loss: "all" })!;
  assertEquals(partsOf(all).all, alone.all);
  assertEquals(all.prompt, []);
  assertThrows(
    () => supervisedExample(plain, { prompt: "a", completion: " " }, { form: "completion" }),
    RangeError,
    'its field "completion" is empty',
  );
  assertThrows(
    () => supervisedExample(plain, { prompt: "a" }, { form: "completion" }),
    RangeError,
    'unknown field "completion"',
  );
});

Deno.test("instructions take the model's template, else Alpaca's with its place for the input", () => {
  const row = { instruction: "Sum up.", input: "A film.", output: "Film.", system: "" };
  const spelled = (options = {}) => {
    const { all, ranges } = partsOf(
      supervisedExample(plain, row, { form: "instruction", ...options })!,
    );
    return [text(plain, all), ranges.map((ids) => text(plain, ids)).join("|")];
  };
  const eos = text(plain, [plain.eos!]);
  const start = text(plain, plain.start);
  assertEquals(spelled(), [
    `${start}Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\nSum up.\n\n### Input:\nA film.\n\n### Response:\nFilm.${eos}`,
    `Film.${eos}`,
  ]);
  const [chat] = spelled({ template: "chatml" });
  assertEquals(
    chat,
    `${start}<|im_start|>user\nSum up.\n\nA film.<|im_end|>\n<|im_start|>assistant\nFilm.<|im_end|>`,
  );
});

Deno.test("what is too long loses its end; where no answer is left there is no example", () => {
  const messages = conversations.find((it) => it.length === 5)!;
  const options = { form: "chat", template: "chatml" } as const;
  const whole = supervisedExample(plain, { messages }, options)!;
  const { all } = partsOf(whole);
  let seen = 0;
  for (let maximumLength = 1; maximumLength <= all.length; maximumLength++) {
    const cut = supervisedExample(plain, { messages }, { ...options, maximumLength });
    if (cut === undefined) {
      assert(maximumLength <= whole.prompt.length);
      continue;
    }
    seen++;
    const parts = partsOf(cut);
    assert(parts.all.length <= maximumLength);
    assertEquals(parts.all, all.slice(0, parts.all.length));
    const [wanted, found] = [partsOf(whole).ranges.flat(), parts.ranges.flat()];
    assertEquals(found, wanted.slice(0, found.length));
    assert(found.length > 0);
  }
  assertEquals(seen, all.length - whole.prompt.length);
});
