import { batchLoss, targetLogProbability } from "../../../kernels/mod.ts";
import {
  candidateScore,
  classificationLoss,
  languageModellingLoss,
} from "../../reference/losses.ts";
import { targetLogProbabilities } from "../../reference/softmax_nll.ts";
import { openSharedGpu } from "../one_device.ts";
import { randomNumbers } from "../../support/random_llama.ts";
import { assertClose, below, Bench, normals } from "../bench.ts";
import { contextOf } from "../context.ts";

const gpu = await openSharedGpu();
Deno.test.afterAll(() => gpu[Symbol.dispose]());
const random = randomNumbers(7);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

Deno.test("log-probabilities of targets, in pieces and over either reduction", async () => {
  for (const adapterClass of ["software", "hardware"] as const) {
    for (const vocabulary of [1, 5, 257, 1000]) {
      using bench = new Bench(gpu);
      const [branches, lossRows] = [3, 5];
      const logits = normals(branches * lossRows * vocabulary, random, 8);
      const targets = range(lossRows).map(() => below(vocabulary, random));
      const context = contextOf(
        bench,
        { rows: 1, lossRows },
        branches,
        { targets },
        { adapterClass },
      );
      const out = bench.graph.value("out", branches * lossRows);
      for (const [first, count] of [[0, 3], [3, 2]]) {
        const piece = Float32Array.from(
          range(branches).flatMap((b) => {
            const at = (b * lossRows + first) * vocabulary;
            return [...logits.subarray(at, at + count * vocabulary)];
          }),
        );
        const value = bench.value("logits", piece);
        targetLogProbability(context, value, vocabulary, out, { first, count, lossRows });
      }
      const [actual] = await bench.run(out);
      const wanted = range(branches).flatMap(() => targets);
      const expected = targetLogProbabilities(logits, vocabulary, wanted);
      assertClose(actual, expected, `${adapterClass} ${vocabulary}`);
    }
  }
});

Deno.test("log-probabilities far below zero keep their value", async () => {
  using bench = new Bench(gpu);
  const logits = new Float32Array([0, -500, 1e4, 0, -1e4, -1e4]);
  const context = contextOf(bench, { rows: 1, lossRows: 2 }, 1, { targets: [1, 0] });
  const out = bench.graph.value("out", 2);
  const list = { first: 0, count: 2, lossRows: 2 };
  targetLogProbability(context, bench.value("logits", logits), 3, out, list);
  const [actual] = await bench.run(out);
  assertClose(actual, targetLogProbabilities(logits, 3, [1, 0]), "far below");
});

Deno.test("losses and scores of a batch, both objectives", async () => {
  const lengths = [[1, 3], [2, 1, 4], [2], ...range(40).map((i) => [1 + i % 3, 2])];
  const labels = lengths.map((candidates, e) => e % candidates.length);
  const counts = lengths.flat();
  const starts = counts.reduce((s, n) => [...s, s.at(-1)! + n], [0]);
  const used = starts.at(-1)!;
  const shape = { rows: 1, lossRows: used + 5, candidates: counts.length + 3, examples: 48 };
  const branches = 3;
  const logP = normals(branches * shape.lossRows, random, 2).map((v) => -Math.abs(v));
  for (const classify of [false, true]) {
    using bench = new Bench(gpu);
    const examples = lengths.reduce((s, c) => [...s, s.at(-1)! + c.length], [0]);
    const context = contextOf(bench, shape, branches, {
      candidateStart: starts,
      exampleStart: examples,
      labels,
      counts: [used, counts.length, lengths.length, classify ? 1 : 0],
    });
    const losses = bench.storage("losses", new Float32Array(branches));
    const scores = bench.storage("scores", new Float32Array(branches * shape.candidates));
    batchLoss(context, bench.value("log p", logP), shape, { losses, scores });
    await bench.run();
    const actual = await gpu.readFloats(losses.buffer, branches);
    const actualScores = await gpu.readFloats(scores.buffer, branches * shape.candidates);
    range(branches).forEach((b) => {
      const at = b * shape.lossRows;
      const own = logP.subarray(at, at + used);
      const candidates = counts.map((n, c) => own.subarray(starts[c], starts[c] + n));
      const scored = lengths.map((_, e) => ({
        candidates: candidates.slice(examples[e], examples[e + 1]),
        label: labels[e],
      }));
      const expected = classify ? classificationLoss(scored) : languageModellingLoss(own);
      assertClose([actual[b]], [expected], `loss ${classify} of branch ${b}`);
      const found = actualScores.subarray(
        b * shape.candidates,
        b * shape.candidates + counts.length,
      );
      assertClose(found, candidates.map(candidateScore), `scores of branch ${b}`);
    });
  }
});
