/**
 * Named chat templates against FastChat, whose own conversations Vicuna was trained and is served with: its code was run by
 * tests/support/vectors/fastchat_vectors.py, and of it only what it rendered is kept.
 */
import { assert, assertEquals } from "@std/assert";
import { chatEnds, chatText, scoredChat, tokenizerFromJson } from "../../../models/mod.ts";
import vectors from "../../fixtures/fastchat_vectors.json" with { type: "json" };

const SPECIAL = ["<s>", "</s>", "<bos>", "<end_of_turn>", "<|begin_of_text|>", "<|eot_id|>"];

const tokenizerBeginning = (bos_token: string, eos_token = "</s>") =>
  tokenizerFromJson({
    model: {
      type: "BPE",
      vocab: Object.fromEntries(SPECIAL.map((it, id) => [it, id])),
      merges: [],
    },
    added_tokens: SPECIAL.map((content, id) => ({ id, content, special: true, normalized: false })),
    decoder: { type: "Fuse" },
  }, { bos_token, eos_token });

/** What FastChat leaves to the tokenizer, and what it writes out itself. */
const BEGINS = {
  vicuna: { bos: "<s>", added: "<s>" },
  llama2: { bos: "<s>", added: "<s>" },
  llama3: { bos: "<|begin_of_text|>", added: "" },
  gemma: { bos: "<bos>", added: "" },
};

for (const [template, { bos, added }] of Object.entries(BEGINS)) {
  const cases = vectors.cases.filter((it) => it.template === template);
  const tokenizer = tokenizerBeginning(bos);
  Deno.test(`${template} lays out ${cases.length} conversations as FastChat does: one and several turns, system prompts, separators`, () => {
    assert(cases.length >= 3 && cases.some(({ messages }) => messages.length >= 5));
    for (const { messages, answer, prompt } of cases) {
      assertEquals(chatText(tokenizer, messages, { template, answer }), added + prompt);
    }
  });
}

Deno.test("what Vicuna learns is what FastChat's training has a loss of: each answer with the token that ends it", () => {
  const tokenizer = tokenizerBeginning("<s>");
  const { end } = vectors.stops.vicuna;
  let tried = 0;
  for (const { messages, answer, prompt } of vectors.cases.filter((it) => !it.answer)) {
    assert(!answer);
    // It cuts at what ends an answer, and of each piece leaves out all up to the words before the answer, but for the space before it.
    const pieces = prompt.split(end!).slice(0, -1);
    const expected = pieces.map((piece) => piece.slice(piece.indexOf(" ASSISTANT:") + 11) + end);
    const { text, scored } = scoredChat(tokenizer, messages, { template: "vicuna" });
    assertEquals(scored.map(([first, last]) => text.slice(first, last)), expected);
    tried++;
  }
  assert(tried >= 6);
});

Deno.test("an answer ends at what FastChat stops at", () => {
  for (const [template, { stop, end }] of Object.entries(vectors.stops)) {
    const { bos } = BEGINS[template as keyof typeof BEGINS];
    const ends = chatEnds(tokenizerBeginning(bos), { template });
    const id = SPECIAL.indexOf(stop ?? end!.trim().split("<s>")[0]);
    assert(ends.tokens.includes(id), `${template}: ${ends.tokens}, not ${id}`);
    assertEquals(ends.texts, [], template);
  }
});
