import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { accuracy, argmax, classF1, macroF1, majorityShare } from "../../tasks/metrics/accuracy.ts";
import { exactMatch, normaliseAnswer, tokenF1 } from "../../tasks/metrics/answers.ts";
import { dropScores } from "../../tasks/metrics/drop.ts";
import { bitsPerCharacter, perplexity } from "../../tasks/metrics/likelihood.ts";
import { taskMetric } from "../../tasks/metrics/task_metrics.ts";

Deno.test("the best score, the first of equals; a broken model is no guess", () => {
  assertEquals(argmax([-2, -1, -1]), 1);
  assertEquals(argmax(new Float32Array([-Infinity, -5])), 1);
  assertThrows(() => argmax([0, NaN]), RangeError, "score 1 is NaN");
  assertThrows(() => argmax([]), RangeError);
});

Deno.test("Wilson's interval at its edges and at published values", () => {
  const all = accuracy(new Array(10).fill(0), new Array(10).fill(0));
  assertAlmostEquals(all.low, 0.7225, 1e-4);
  assertEquals(all.high, 1);
  const none = accuracy([1], [0]);
  assertEquals([none.accuracy, none.low], [0, 0]);
  assertAlmostEquals(none.high, 0.7935, 1e-4);
  // Newcombe (1998), table I: 81 of 263.
  const some = accuracy(
    Array.from({ length: 263 }, (_, i) => i < 81 ? 0 : 1),
    new Array(263).fill(0),
  );
  assertAlmostEquals(some.low, 0.2553, 1e-4);
  assertAlmostEquals(some.high, 0.3662, 1e-4);
  assertThrows(() => accuracy([1], [1, 2]), TypeError, "1 predictions for 2 labels");
  assertThrows(() => accuracy([], []), RangeError);
});

Deno.test("macro F1 counts each class alike", () => {
  assertEquals(macroF1([0, 1, 2], [0, 1, 2]), 1);
  // Class 0: 2/3; class 1: 4/5.
  assertAlmostEquals(macroF1([0, 1, 1, 1], [0, 0, 1, 1]), (2 / 3 + 4 / 5) / 2);
  // Predicting a class that is not there costs.
  assertAlmostEquals(macroF1([0, 5], [0, 0]), (2 / 3) / 2);
});

Deno.test("the majority's share", () => {
  assertEquals(majorityShare([1, 1, 0, 2]), 0.5);
  assertThrows(() => majorityShare([]), RangeError);
});

Deno.test("answers are compared as SQuAD does", () => {
  assertEquals(normaliseAnswer("The  U.S.A., an  Area"), "usa area");
  assertEquals(tokenF1("the cat", ["dog", "a cat"]), 1);
  // Nothing shared is 0, as in the script of version 1.1 and in MeZO, also where both have no words.
  assertEquals(tokenF1("", ["the"]), 0);
  assertEquals(tokenF1("The", ["A"]), 0);
  assertEquals(exactMatch("The", ["A"]), 1);
  assertEquals(tokenF1("no", ["no answer"]), 0);
  assertEquals(tokenF1("No answer!", ["no answer"]), 1);
  assertEquals(tokenF1("", ["cat"]), 0);
  assertAlmostEquals(tokenF1("cat cat cat", ["cat cat dog"]), 2 / 3);
  assertThrows(() => tokenF1("x", []), RangeError);
});

Deno.test("articles are words of their own, beside letters of any script", () => {
  // As Python's `re.sub(r"\\b(a|an|the)\\b", " ", text.lower())` and `split` have them.
  const ofPython: [string, string][] = [
    ["Espa\u00f1a", "espa\u00f1a"],
    ["Th\u00e9a", "th\u00e9a"],
    ["Corr\u00eaa", "corr\u00eaa"],
    ["R\u00e9an", "r\u00e9an"],
    ["\u00c0 la an", "\u00e0 la"],
    ["na\u00efve the", "na\u00efve"],
    ["\u00d1an a", "\u00f1an"],
    ["the\u2019s an\u2019b", "\u2019s \u2019b"],
    ["the\ufb01 12the the2", "the\ufb01 12the the2"],
    ["\u65e5a a\u65e5", "\u65e5a a\u65e5"],
    ["A\u00b2a \u0663an", "a\u00b2a \u0663an"],
    ["a\u2003the\x85b", "b"],
    ["\ufeffa", "\ufeff"],
  ];
  for (const [text, expected] of ofPython) assertEquals(normaliseAnswer(text), expected, text);
  // Accents of their own belong to their letters here.
  assertEquals(normaliseAnswer("The\u0301a re\u0301an"), "the\u0301a re\u0301an");
  assertEquals(tokenF1("Corr\u00ea", ["Corr\u00eaa"]), 0);
});

Deno.test("losses in other units", () => {
  assertAlmostEquals(perplexity(Math.log(50)), 50, 1e-9);
  assertAlmostEquals(bitsPerCharacter(Math.LN2 * 30, 10), 3);
  assert(perplexity(0) === 1);
  assertThrows(() => bitsPerCharacter(1, 0), RangeError);
});

Deno.test("F1 of one class, and questions that are wholly right", () => {
  assertEquals(classF1([1, 1, 0], [1, 0, 1]), 0.5);
  assertEquals(classF1([0, 0], [0, 0]), 0);
  assertEquals(classF1([0, 0], [0, 0], 0), 1);
  assertThrows(() => classF1([0], []), TypeError);
  const about = (question: string, label: number, prediction: number) => ({
    ...{ label, prediction, text: "" },
    reference: { question },
  });
  const outcomes = [about("a", 1, 1), about("a", 0, 0), about("b", 1, 1), about("b", 1, 0)];
  assertEquals(taskMetric("questionMatch", outcomes), 0.5);
  assertEquals(taskMetric("accuracy", outcomes), 0.75);
  // F1a is over all answers, not the mean of the questions' F1.
  assertAlmostEquals(taskMetric("f1a", outcomes), 4 / 5);
});

Deno.test("several candidates may be right, and a choice is compared by what it stands for", () => {
  const chosen = {
    ...{ label: 0, right: [0, 2], prediction: 2, text: "United Nations" },
    reference: { answers: ["UN", "United Nations"] },
  };
  assertEquals(taskMetric("accuracy", [chosen]), 1);
  assertEquals(taskMetric("exactMatch", [chosen]), 1);
  const other = { ...chosen, prediction: 1, text: "Nations League" };
  assertEquals(taskMetric("accuracy", [other]), 0);
  assertEquals(taskMetric("f1", [chosen, other]), 0.75);
  assertThrows(() => taskMetric("f1", [{ label: 0, prediction: 0, text: "x" }]), RangeError);
  assertThrows(() => taskMetric("accuracy", []), RangeError);
});

Deno.test("DROP's metric as its own script has it", () => {
  // Made by `drop/utils.py` of lm-evaluation-harness, every assignment tried.
  const ofScript: [string | string[], string[][], number, number][] = [
    ["10 yards", [["12 yards"]], 0, 0],
    ["10.0", [["10"]], 1, 1],
    ["the Bears", [["Bears", "Lions"]], 0.5, 0],
    [["Lions", "the Bears"], [["Bears", "Lions"]], 1, 1],
    ["12-yard pass", [["12 yard"]], 0.8, 0],
    ["Espa\u00f1a", [["Espa\u00f1"]], 0, 0],
    ["a", [["the"]], 1, 1],
    ["3 March 1992", [["March 1992"]], 0.8, 0],
    ["1,000", [["1000"]], 1, 1],
    ["$5.50", [["5.50"]], 0, 0],
    ["1e3", [["1000"]], 1, 1],
    [["x", "y", "z"], [["x"]], 0.33, 0],
    [["a b c", "d e"], [["d e f", "a b"], ["b c"]], 0.73, 0],
    ["U.S.-led forces", [["US led forces"]], 1, 1],
    // A half is rounded to the even cent.
    ["one", [["one", "two", "three", "four", "five", "six", "seven", "eight"]], 0.12, 0],
    ["inf", [["Infinity"]], 1, 1],
    ["5 5", [["5"]], 1, 0],
    ["", [["x"]], 0, 0],
    ["The", [["a", ""]], 0.5, 0],
  ];
  for (const [prediction, answers, f1, exact] of ofScript) {
    const found = dropScores(prediction, answers);
    assertEquals([found.f1, found.exactMatch], [f1, exact], JSON.stringify([prediction, answers]));
  }
  assertThrows(() => dropScores("x", []), RangeError);
});
