import { assert, assertEquals, assertThrows } from "@std/assert";
import { tokenizerFromJson } from "../../../models/tokenizers/tokenizer.ts";
import {
  componentRow,
  tokenizerComponents,
} from "../../../models/tokenizers/components/tokenizer_components.ts";
import { processorTime } from "../../support/processor_time.ts";
import { tokenizerCases } from "../../support/vectors/tokenizer_cases.ts";
import {
  hashesOf,
  inputsOf,
  type TokenizerVectors,
  vectorsFile,
} from "../../support/vectors/tokenizer_vectors.ts";

const vectors: Record<string, TokenizerVectors> = JSON.parse(Deno.readTextFileSync(vectorsFile));
const cases = tokenizerCases();

for (const it of cases) {
  Deno.test(`2,000 answers of the Rust library: ${it.name}`, () => {
    const tokenizer = tokenizerFromJson(it.json);
    const answers = inputsOf(it).map((input) =>
      typeof input === "string" ? tokenizer.encode(input) : tokenizer.decode(input)
    );
    const { first, hashes } = vectors[it.name];
    assertEquals(answers.slice(0, first.length), first);
    assertEquals(hashesOf(answers), hashes);
  });
}

Deno.test("every component is compared with the Rust library, or refused by name", () => {
  const places = {
    "normalizer": "normalizer",
    "pre-tokenizer": "pre_tokenizer",
    "model": "model",
    "post-processor": "post_processor",
    "decoder": "decoder",
  } as const;
  for (const { kind, type, by } of tokenizerComponents) {
    if (by === "refused") {
      const json = {
        model: { type: "BPE", vocab: { a: 0 }, merges: [] },
        [places[kind]]: { type },
      };
      assertThrows(() => tokenizerFromJson(json), RangeError, type);
    } else {
      const compared = cases.some(({ name }) =>
        name === `${kind} ${type}` || name.startsWith(`${kind} ${type} `)
      );
      assert(compared, `${kind} ${type} is compared with nothing`);
    }
  }
});

Deno.test("a key that a component does not have is refused by name", () => {
  const model = { type: "BPE", vocab: { a: 0 }, merges: [] };
  const bad: Record<string, unknown>[] = [
    { pre_tokenizer: { type: "Metaspace", replacement: "_", prepend: "always" } },
    { normalizer: { type: "NFC", form: "NFKC" } },
    { decoder: { type: "Fuse", separator: " " } },
    { post_processor: { type: "BertProcessing", cls: ["a", 0], sep: ["a", 0], add: false } },
    { model: { ...model, max_length: 3 } },
    { added_tokens: [{ id: 1, content: "b", whole: true }] },
  ];
  for (const parts of bad) {
    assertThrows(() => tokenizerFromJson({ model, ...parts }), RangeError, "unknown key");
  }
});

Deno.test("values that no component has are refused by name", () => {
  const model = { type: "BPE", vocab: { a: 0 }, merges: [] };
  const bad: [Record<string, unknown>, string][] = [
    [{ pre_tokenizer: { type: "Punctuation", behavior: "isolated" } }, "isolated"],
    [{ pre_tokenizer: { type: "Metaspace", replacement: "_", prepend_scheme: "last" } }, "last"],
    [{ model: { ...model, dropout: 0.1 } }, "dropout"],
    [{ added_tokens: [{ id: 1, content: "a" }] }, "vocabulary lists it as 0"],
    [{
      post_processor: {
        type: "TemplateProcessing",
        single: [{ Sequence: { id: "B", type_id: 0 } }],
        pair: [],
        special_tokens: {},
      },
    }, "second text"],
  ];
  for (const [parts, words] of bad) {
    assertThrows(() => tokenizerFromJson({ model, ...parts }), RangeError, words);
  }
});

Deno.test("400 kB without a space are tokenised in seconds, by every model", () => {
  const text = "filmingfineabab".repeat(27_000);
  for (const name of ["BPE over everything", "Unigram over everything", "WordLevel"]) {
    const it = cases.find((one) => one.name === `model ${name}`)!;
    const tokenizer = tokenizerFromJson(it.json);
    const start = processorTime();
    const ids = tokenizer.encode(text);
    assert(processorTime() - start < 10_000, `${name}: ${processorTime() - start} ms`);
    if (name !== "WordLevel") {
      const texts = Object.entries(vocabularyOf(it.json)).sort(([, a], [, b]) => a - b);
      assertEquals(ids.map((id) => texts[id][0]).join(""), text);
    }
  }
});

function vocabularyOf(json: Record<string, unknown>): Record<string, number> {
  const { vocab } = json.model as { vocab: Record<string, number> | [string, number][] };
  return Array.isArray(vocab)
    ? Object.fromEntries(vocab.map(([text], id): [string, number] => [text, id]))
    : vocab;
}

Deno.test("docs/tokenizers.md has the table of components", () => {
  const text = Deno.readTextFileSync(new URL("../../../docs/tokenizers.md", import.meta.url));
  for (const component of tokenizerComponents) {
    const row = componentRow(component);
    assert(text.includes(row), `docs/tokenizers.md lacks the line ${row}`);
  }
});
