// Masked tokens: label words in the place of a mask, and which tokens of a text are masked.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { tokenizerFromJson } from "../../models/mod.ts";
import { maskedWindow } from "../../tasks/masked_tokens.ts";
import {
  builtInTask,
  languageModellingExamples,
  maskedAnew,
  renderExample,
  taskFromConfig,
  type TaskTemplate,
  tokeniseExample,
} from "../../tasks/mod.ts";

const special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"];
const letters = [..." .abcdefghijklmnopqrstuvwxyz"];

/** Letters, with `<s>` and `</s>` around a text; the mask takes a space before it in. */
const tokenizer = tokenizerFromJson({
  model: {
    type: "BPE",
    vocab: Object.fromEntries([...special, ...letters].map((text, id) => [text, id])),
    merges: [],
  },
  added_tokens: special.map((content, id) => ({
    id,
    content,
    special: true,
    lstrip: content === "<mask>",
  })),
  post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 0] },
  decoder: { type: "Fuse" },
}, { mask_token: "<mask>", tokenizer_class: "RobertaTokenizer" });

const ids = (text: string) => tokenizer.encode(text, { addSpecial: false });
const template: TaskTemplate = {
  name: "mood",
  prompt: "{text} it{mask}.",
  labels: { bad: "b", good: "g" },
};
const row = { text: "ab", label: "good" };

Deno.test("a tokenizer says which token is the mask: as a file names it, else by its usual names", () => {
  assertEquals(tokenizer.mask, 4);
  const json = (mask: string) => ({
    model: { type: "WordPiece", vocab: { a: 0, [mask]: 1, "[UNK]": 2 }, unk_token: "[UNK]" },
  });
  assertEquals(tokenizerFromJson(json("[MASK]")).mask, 1);
  assertEquals(tokenizerFromJson(json("<mask>")).mask, 1);
  assertEquals(tokenizerFromJson(json("a mask")).mask, undefined);
  assertEquals(tokenizerFromJson(json("a mask"), { mask_token: "a mask" }).mask, 1);
  assertEquals(tokenizerFromJson(json("[MASK]"), { mask_token: "nowhere" }).mask, undefined);
});

Deno.test("a template with a mask: text before and behind, one mask, and a model that predicts it", () => {
  const rendered = renderExample(template, row);
  assertEquals(rendered, { prompt: "ab it", after: ".", candidates: ["b", "g"], label: 1 });
  const example = tokeniseExample(tokenizer, rendered, { sees: "all" });
  assertEquals(example, {
    prompt: [0, ...ids("ab it"), 4, ...ids("."), 2],
    candidates: [ids("b"), ids("g")],
    label: 1,
    masked: [6],
  });
  // The mask of the tokenizer takes a space in, as in transformers.
  const spaced = renderExample({ ...template, prompt: "{text} it {mask}." }, row);
  assertEquals(tokeniseExample(tokenizer, spaced, { sees: "all" }), example);
  // As the tokenizer spells it, and behind the prompt where there is none.
  const named = renderExample({ ...template, prompt: "{text} it<mask>." }, row);
  assertEquals(tokeniseExample(tokenizer, named, { sees: "all" }), example);
  const plain = renderExample({ ...template, prompt: "{text} it" }, row);
  const behind = tokeniseExample(tokenizer, plain, { sees: "all" });
  assertEquals(behind.prompt, [0, ...ids("ab it"), 4, 2]);
  assertEquals(behind.masked, [6]);
  assertEquals(tokeniseExample(tokenizer, plain).masked, undefined);

  assertThrows(() => tokeniseExample(tokenizer, rendered), RangeError, "not masked ones");
  const twice = { ...template, prompt: "{mask} {mask}" };
  assertThrows(() => renderExample(twice, row), RangeError, "its template has 2 masks");
  const more = renderExample(template, { ...row, text: "a <mask>" });
  assertThrows(() => tokeniseExample(tokenizer, more, { sees: "all" }), RangeError, "has 2 masks");
  const long = { ...rendered, candidates: ["b", "go"] };
  assertThrows(
    () => tokeniseExample(tokenizer, long, { sees: "all" }),
    RangeError,
    '"go" has 2 tokens ("g", "o"), but a mask stands for one',
  );
  const maskless = { ...tokenizer, mask: undefined } as unknown as typeof tokenizer;
  assertThrows(
    () => tokeniseExample(maskless, rendered, { sees: "all" }),
    TypeError,
    "has no mask_token",
  );
});

Deno.test("a text that is too long loses its beginning up to the mask, then its end", () => {
  const of = (prompt: string, maximumLength: number) => {
    const rendered = renderExample({ ...template, prompt }, row);
    const { prompt: made, masked } = tokeniseExample(tokenizer, rendered, {
      sees: "all",
      maximumLength,
    });
    assertEquals([made[0], made.at(-1), made[masked![0]]], [0, 2, 4]);
    assert(made.length <= maximumLength);
    return tokenizer.decode(made.slice(1, -1), { skipSpecial: false });
  };
  assertEquals(of("abcdef{mask}xyz", 12), "abcdef<mask>xyz");
  assertEquals(of("abcdef{mask}xyz", 8), "ef<mask>xyz");
  assertEquals(of("abcdef{mask}xyz", 5), "<mask>xy");
  assertEquals(of("{mask}abcdef", 5), "<mask>ab");
  assertEquals(of("abcdef{mask}xyz", 3), "<mask>");
  const rendered = renderExample(template, row);
  assertThrows(
    () => tokeniseExample(tokenizer, rendered, { sees: "all", maximumLength: 2 }),
    RangeError,
    "2 tokens leave no room",
  );
});

Deno.test("a task of one's own with a mask, and answers that are no masks", () => {
  const task = taskFromConfig({
    name: "mood",
    format: "jsonl",
    file: "m.jsonl",
    template: "{text} it{mask}.",
    labels: { bad: "b", good: "g" },
  });
  assertEquals(renderExample(task.template, row).after, ".");
  // A template of a built-in task goes on as it was.
  const sst2 = renderExample(builtInTask("sst2").template, { text: "x", label: "1" });
  assertEquals("after" in sst2, false);
});

Deno.test("15 % of a window are predicted: 80 % masked, 10 % any token, 10 % as they are, by seed and number", () => {
  const window = [0, ...Array.from({ length: 200 }, (_, i) => 5 + i % 28), 2];
  const counts = { masked: 0, same: 0, other: 0 };
  const places = new Set<number>();
  for (let round = 0; round < 200; round++) {
    const { prompt, candidates: [right], masked = [], label } = maskedWindow(tokenizer, window, {
      round,
    })!;
    assertEquals([masked.length, right.length, label, prompt.length], [30, 30, 0, 202]);
    assertEquals(right, masked.map((place) => window[place]));
    assertEquals([prompt[0], prompt[201]], [0, 2]);
    prompt.forEach((id, place) => {
      if (!masked.includes(place)) return assertEquals(id, window[place]);
      places.add(place);
      counts[id === 4 ? "masked" : id === window[place] ? "same" : "other"]++;
    });
  }
  assertEquals(places.size, 200);
  const shares = Object.values(counts).map((count) => count / 6000);
  // A random token is the mask or the same one in two of 33 draws.
  [0.8 + 0.1 / 33, 0.1 + 0.1 / 33, 0.1 * 31 / 33].forEach((share, i) => {
    const error = Math.sqrt(share * (1 - share) / 6000);
    assert(Math.abs(shares[i] - share) < 4 * error, `${Object.keys(counts)[i]}: ${shares[i]}`);
  });
  const one = maskedWindow(tokenizer, window, { seed: 3, round: 5 });
  assertEquals(maskedWindow(tokenizer, window, { seed: 3, round: 5 }), one);
  for (const other of [{ seed: 4, round: 5 }, { seed: 3, round: 6 }]) {
    assert(maskedWindow(tokenizer, window, other)!.masked!.join() !== one!.masked!.join());
  }
  assertEquals(maskedWindow(tokenizer, [0, 9, 2], { round: 0 })!.masked, [1]);
  assertEquals(maskedWindow(tokenizer, [0, 2], { round: 0 }), undefined);
});

Deno.test("language modelling of masked tokens: windows begin and end as texts do", () => {
  const examples = (windows: "stream" | "document", length: number) =>
    languageModellingExamples(tokenizer, ["abcdefg", "xyz"], { length, windows, sees: "all" });
  const originals = (windows: "stream" | "document", length: number) =>
    examples(windows, length).map(({ prompt, candidates: [right], masked = [] }) =>
      tokenizer.decode(
        prompt.map((id, place) => masked.includes(place) ? right[masked.indexOf(place)] : id),
        { skipSpecial: false },
      )
    );
  assertEquals(originals("document", 20), ["<s>abcdefg</s>", "<s>xyz</s>"]);
  assertEquals(originals("document", 6), ["<s>abcd</s>", "<s>xyz</s>"]);
  assertEquals(originals("stream", 8), ["<s>abcdef</s>", "<s>g</s>xyz</s>"]);
  for (const { candidates, masked } of examples("stream", 8)) {
    assertEquals([candidates.length, candidates[0].length], [1, masked!.length]);
    assert(masked!.length >= 1);
  }
  const seeds = [1, 2].map((seed) =>
    languageModellingExamples(tokenizer, ["abcdefghijklmnopqrst"], {
      length: 22,
      sees: "all",
      seed,
    })
  );
  assert(JSON.stringify(seeds[0]) !== JSON.stringify(seeds[1]));
});

Deno.test("masks anew: as many in each epoch, of the same text, until every token was predicted", () => {
  const text = "a quick brown fox jumps over the lazy dog again and again";
  const [first] = languageModellingExamples(tokenizer, [text], { length: 60, sees: "all" });
  const whole = [0, ...ids(text), 2];
  const seen = new Set<number>();
  for (let epoch = 0; epoch < 60; epoch++) {
    const example = maskedAnew(tokenizer, first, { round: 0, epoch });
    if (epoch === 0) assertEquals(example, first);
    assertEquals(example, maskedAnew(tokenizer, example, { round: 0, epoch }));
    assertEquals(example.masked!.length, first.masked!.length);
    const back = [...example.prompt];
    example.masked!.forEach((place, i) => back[place] = example.candidates[0][i]);
    assertEquals(back, whole);
    for (const place of example.masked!) seen.add(place);
  }
  assertEquals(seen.size, ids(text).length);
  const next = maskedAnew(tokenizer, first, { round: 0, epoch: 1 });
  assert(next.masked!.some((place) => !first.masked!.includes(place)));
  const asked = tokeniseExample(tokenizer, renderExample(template, row), { sees: "all" });
  assertThrows(() => maskedAnew(tokenizer, asked, { round: 0, epoch: 1 }), TypeError, "window");
});
