import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { type BenchmarkEvent, parseBenchmark, runBenchmark } from "../../../train/mod.ts";
import { benchmarkResult, finalLoss } from "../../../train/comparison/benchmark.ts";
import { benchmarkRows } from "../../../train/comparison/benchmark_table.ts";
import { forwardsTo } from "../../../train/comparison/forwards_to.ts";
import { capture } from "../capture.ts";
import { runCli } from "../run_cli.ts";
import { writeTinyTask } from "../tiny_model.ts";

async function inFolder(use: (folder: string, yaml: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const { model } = await writeTinyTask(folder);
    await use(
      folder,
      `output: ${join(folder, "out")}
forwards: 16
evaluations: 2
seeds: 2
cases:
  tiny int4:
    model: ${model}
    quantize: {format: int4_g32}
    task: {name: tiny, template: "{text}{label}", labels: {"0": x, "1": y}}
    data: {folder: ${folder}, train: train.jsonl, validation: dev.jsonl}
    batch_size: 4
optimisers:
  two sided: {name: qzoNormalised, learning_rate: [1e-9, 0.05]}
  eight: {name: qzoPlus, queries: 7, gain_power: 0.5}
`,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a comparison: each learning rate once, the best with other seeds, all at equal forwards", async () => {
  await inFolder(async (folder, yaml) => {
    const benchmark = parseBenchmark(yaml, "a.yaml");
    // Stopped in its third run, then gone on with.
    const controller = new AbortController();
    const results = new Map<string, boolean>();
    const take = (event: BenchmarkEvent) => {
      if (event.type === "result") results.set(event.result.job.config.output, event.known);
    };
    for await (const event of runBenchmark(benchmark, { signal: controller.signal })) {
      take(event);
      if (results.size === 2 && event.type === "step") controller.abort();
    }
    assert(results.size < 7, "it did not stop");
    const before = results.size;
    for await (const event of runBenchmark(benchmark)) take(event);
    assertEquals([...results.values()].filter((known) => known).length, before);

    const trials = [];
    for (const learningRate of [1e-9, 0.05]) {
      const job = benchmark.job({
        case: "tiny int4",
        optimiser: "two sided",
        learningRate,
        seed: 0,
      });
      assertEquals(job.config.steps, 8);
      trials.push((await benchmarkResult(job))!);
    }
    const better = finalLoss(trials[1]) < finalLoss(trials[0]) ? 0.05 : 1e-9;
    const rows = await benchmarkRows(benchmark);
    assertEquals(
      rows.map((
        { optimiser, learningRate, finalists, runs, diverged },
      ) => [optimiser, learningRate, finalists, runs.map(({ job }) => job.seed), diverged]),
      [
        ["two sided", better, true, [1, 2], 0],
        ["eight", undefined, true, [1, 2], 0],
      ],
    );
    // Of the 16 forwards gains took two for each of seven tensors and one more; a step there is at least.
    assertEquals(rows[1].curve.map(({ forwards }) => forwards), [0, 15 + 8]);
    assertEquals(rows[0].curve.map(({ forwards }) => forwards), [0, 8, 16]);
    // One base for all: the quantised model was written once, and every curve begins where it is.
    assertEquals(rows[1].curve[0], rows[0].curve[0]);
    const [first] = rows;
    const ends = first.runs.map(finalLoss);
    assertEquals(first.curve.at(-1)!.loss, (ends[0] + ends[1]) / 2);

    const file = join(folder, "a.yaml");
    await Deno.writeTextFile(file, yaml);
    const terminal = capture();
    assertEquals(await runCli(["bench-optimisers", "--config", file], { terminal }), 0);
    assertStringIncludes(terminal.printed, `| tiny int4 | two sided | ${better} | 16 | 2 |`);
    const svg = await Deno.readTextFile(join(folder, "out", "tiny-int4.svg"));
    assertStringIncludes(svg, "two sided");
    assertEquals(
      await Deno.readTextFile(join(folder, "out", "table.md")),
      terminal.printed,
    );
  });
});

Deno.test("forwards to a loss: between evaluations the curve is straight", () => {
  const curve = [[0, 4], [10, 3], [20, 3.5], [30, 1], [40, 2]]
    .map(([forwards, loss]) => ({ forwards, loss }));
  const to = (target: number) => forwardsTo(curve, target);
  assertEquals([to(5), to(4), to(3.25), to(3), to(2), to(1), to(0.9)], [
    0,
    0,
    8,
    10,
    26,
    30,
    undefined,
  ]);
});

Deno.test("an entry may say what it trains, for itself alone", () => {
  const benchmark = parseBenchmark(
    `cases: {a: {model: a.gguf, trainables: {span: row}}}
optimisers: {q: {name: qzo}, norms: {name: qzo, trainables: {kinds: [scales, norms]}}}`,
    "c.yaml",
  );
  const trainables = (optimiser: string) =>
    benchmark.job({ case: "a", optimiser, learningRate: undefined, seed: 0 }).config.trainables;
  assertEquals([trainables("q").span, trainables("q").kinds], ["row", ["scales"]]);
  assertEquals([trainables("norms").span, trainables("norms").kinds], [undefined, [
    "scales",
    "norms",
  ]]);
});

Deno.test("a comparison that cannot run is refused before anything runs", () => {
  const cases = "cases: {a: {model: a.gguf, task: sst2}}\n";
  const parsed = (text: string) => () => parseBenchmark(text, "b.yaml");
  assertThrows(
    parsed(`${cases}optimisers: {q: {name: qzo, lerning_rate: 1}}`),
    RangeError,
    "learning_rate",
  );
  assertThrows(parsed(`${cases}optimisers: {q: {name: nothing}}`), RangeError, "qzo");
  assertThrows(
    parsed(`${cases}optimisers: {q: {name: qzo, learning_rate: [1e-4, fast]}}`),
    TypeError,
  );
  assertThrows(
    parsed("cases: {a: {task: sst2}}\noptimisers: {q: {name: qzo}}"),
    TypeError,
    "model",
  );
  assertThrows(parsed(`${cases}optimisers: {"../q": {name: qzo}}`), RangeError, "names of letters");
  for (const name of [".", "..", "..."]) {
    assertThrows(parsed(`${cases}optimisers: {"${name}": {name: qzo}}`), RangeError, "names of");
  }
  assertThrows(parsed(cases), TypeError, 'Missing key "optimisers"');
  assertThrows(parsed(`${cases}seed: 1\noptimisers: {q: {name: qzo}}`), RangeError, "seeds");
});
