import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describeConfig, parseTrainConfig, trainConfigKeys } from "../../../train/config/mod.ts";
import { processorTime } from "../../support/processor_time.ts";

const full = `
model: models/reviews.gguf
task:
  format: tsv
  template: "{sentence} It was{label}"
  labels: {"0": " terrible", "1": " great"}
data: {train: train.tsv, validation: dev.tsv, train_limit: 1000}
optimiser:
  name: qzo
  epsilon: 1e-3
  learning_rate: 1.5e-4
  schedule: {kind: cosine, warmup: 10}
  clip: .inf
  distribution: rademacher
  form: relative
trainables:
  include: ["blk.*.ffn_*", attn]
  layers: 0-3
  kinds: [scales, norms]
  span: 128
batch_size: 8
steps: 40
seed: 7
evaluate_every: 20
output: runs/a
device: {adapter: llvmpipe}
quantize: {format: int4_g32}
`;

Deno.test("config: every kind of value arrives under its camelCase name", () => {
  const config = parseTrainConfig(full, "a.yaml");
  assertEquals(config.task.labels, { "0": " terrible", "1": " great" });
  assertEquals(config.data.trainLimit, 1000);
  const given = Object.entries(config.optimiser).filter(([, value]) => value !== undefined);
  assertEquals(Object.fromEntries(given), {
    name: "qzo",
    epsilon: 1e-3,
    learningRate: 1.5e-4,
    schedule: { kind: "cosine", warmup: 10, end: 0 },
    clip: Infinity,
    distribution: "rademacher",
    form: "relative",
  });
  assertEquals(config.trainables.layers, [0, 3]);
  assertEquals(config.trainables.include, ["blk.*.ffn_*", "attn"]);
  assertEquals(config.trainables.span, 128);
  assertEquals(config.maxLength, 256);
});

Deno.test("config: mistakes are named with key, value and what is expected", () => {
  const refused: [string, typeof TypeError | typeof RangeError | typeof SyntaxError, string][] = [
    ["stepz: 3", RangeError, 'Unknown key "stepz" in c.yaml: did you mean "steps"?'],
    ["lerning_rate: 1", RangeError, 'did you mean "optimiser.learning_rate"?'],
    [
      "export: true",
      RangeError,
      "in a script, leave it out and write the tuned model with exportO",
    ],
    ["optimizer: {}", RangeError, 'did you mean "optimiser"?'],
    [
      "optimiser: {schedule: {warm_up: 1}}",
      RangeError,
      '"optimiser.schedule.warm_up" in c.yaml: did you mean "warmup"?',
    ],
    ["learningRate: 1", RangeError, "Unknown key"],
    [
      'steps: "10"',
      TypeError,
      'Cannot use steps: "10" in c.yaml: expected a whole number from 0',
    ],
    ["steps: 1.5", RangeError, "steps: 1.5"],
    ["steps: -1", RangeError, "steps: -1"],
    ["batch_size: .nan", RangeError, "batch_size: NaN"],
    ["optimiser: {epsilon: 0}", RangeError, "optimiser.epsilon: 0"],
    [
      "optimiser: {name: adam}",
      RangeError,
      "expected one of addax, blockwiseZo, foAdam, foAdamW, foSgd, forwardGrad, fzoo, hybridZoFo, kerzoo, lozo, meazo, mezo",
    ],
    ["optimiser: [1]", TypeError, "optimiser: a list of 1"],
    ["optimiser: {queries: {a: 1}}", TypeError, "optimiser.queries: a section"],
    ["trainables: {kinds: [scales, loras]}", RangeError, 'trainables.kinds.1: "loras"'],
    ["trainables: {include: [[a]]}", TypeError, "trainables.include.0: a list of 1"],
    ["trainables: {layers: 7-3}", RangeError, '"7-3"'],
    ["trainables: {layers: best}", RangeError, "dominant or sensitive"],
    ["trainables: {layers: {a: 1}}", TypeError, "trainables.layers"],
    ["trainables: {span: 0}", RangeError, "trainables.span: 0"],
    ["trainables: {span: column}", RangeError, "expected block, row or a number of columns"],
    ["trainables: {include: []}", RangeError, "a list of 0"],
    ["task: {format: xml}", RangeError, "expected one of jsonl"],
    ["task: {labels: [a]}", RangeError, "expected 2 to 10000 labels"],
    ["task: {labels: [a, 1]}", TypeError, "task.labels"],
    ["output: ''", RangeError, "output"],
    ["__proto__: {steps: 1}", RangeError, 'Unknown key "__proto__"'],
    ["<<: {steps: 1}", RangeError, 'Unknown key "<<"'],
    ["a: [1", SyntaxError, "Cannot read c.yaml"],
    ["model: b", SyntaxError, "Cannot read c.yaml"],
  ];
  for (const [yaml, type, message] of refused) {
    assertThrows(() => parseTrainConfig(`model: a\n${yaml}`, "c.yaml"), type, message);
  }
  assertThrows(() => parseTrainConfig("steps: 1", "c.yaml"), TypeError, 'Missing key "model"');
  assertThrows(() => parseTrainConfig("", "c.yaml"), TypeError, "Cannot use c.yaml");
  assertThrows(() => parseTrainConfig("- 1", "c.yaml"), TypeError, "Cannot use c.yaml");
});

Deno.test("config: hostile YAML ends in typed errors, soon", () => {
  const letters = "abcdefghij";
  let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (let i = 1; i < letters.length; i++) {
    const item = `*${letters[i - 1]}`;
    bomb += `${letters[i]}: &${letters[i]} [${Array(9).fill(item).join(", ")}]\n`;
  }
  const merge = `x: &x {${Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join(", ")}}\n<<: [${
    Array(100_000).fill("*x").join(", ")
  }]\n`;
  const hostile = [
    bomb,
    `${bomb}task: {labels: *j}`,
    merge,
    "[".repeat(400_000),
    `model: ${"{a: ".repeat(100_000)}`,
    "- ".repeat(400_000),
    "? ".repeat(300_000),
    "!!js/function 'x'",
    "model: &m {a: *m}\n",
    "model: a\ntask: &t {labels: *t}\n",
    "x".repeat(2_000_000),
    `${"k".repeat(900_000)}: 1`,
  ];
  for (const text of hostile) {
    const started = processorTime();
    const error = assertThrows(() => parseTrainConfig(text, "h.yaml"), Error);
    assert(isTyped(error), `${error}`);
    assert(error.message.length < 1000);
    assert(processorTime() - started < 2000, `took long: ${text.slice(0, 40)}`);
  }
});

Deno.test("config: 400 mutated files each give a configuration or a typed error", () => {
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
  const pieces = [
    "&a ",
    "*a",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "!!int ",
    "'",
    '"',
    "null",
    "\t",
  ];
  let refused = 0;
  for (let round = 0; round < 400; round++) {
    let text = full;
    for (let change = 0; change <= random(4); change++) {
      const at = random(text.length);
      const cut = random(3) === 0 ? random(40) : random(2);
      const put = random(2) === 0
        ? pieces[random(pieces.length)]
        : String.fromCharCode(random(8) === 0 ? random(0x10000) : 32 + random(95));
      text = text.slice(0, at) + put + text.slice(at + cut);
    }
    try {
      assertEquals(typeof parseTrainConfig(text, "m.yaml").model, "string");
    } catch (error) {
      assert(isTyped(error), `round ${round}: ${error}\n${text}`);
      assertStringIncludes(error.message, "m.yaml");
      refused++;
    }
  }
  assert(refused > 100, `only ${refused} refused: the mutations are too mild to show anything`);
});

Deno.test("config: the table tells of every key", () => {
  const table = describeConfig();
  assert(trainConfigKeys().length > 30);
  for (const { path, doc } of trainConfigKeys()) {
    assertStringIncludes(table, path);
    assert(doc.length > 5, path);
  }
  assertStringIncludes(table, "optimiser.schedule.warmup");
});

function isTyped(error: unknown): error is Error {
  return error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError;
}
