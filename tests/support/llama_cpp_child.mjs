// Evaluates token lists with llama.cpp on the CPU; a child of llama_cpp.ts, because the native addon would live on in
// the test's own process. Argument: node_modules folder. Each line of stdin is a JSON of a GGUF file, token lists and an output file, to
// which the logits go as f32, list after list, `[tokens][vocabulary]`; each is answered by a line, `{}` or `{ error }`. With `samplings`, options of
// node-llama-cpp, it is answered by `{ left }`: what each leaves behind the only list, pairs of a token and its probability.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import process from "node:process";

const [folder] = process.argv.slice(2);
const entry = createRequire(`${folder}/`).resolve("node-llama-cpp");
const { getLlama } = await import(pathToFileURL(entry).href);
const llama = await getLlama({
  gpu: false,
  build: "never",
  logLevel: "error",
  progressLogs: false,
});

async function evaluate({ modelPath, lists, outputPath, samplings, lora }) {
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, useMmap: false });
  try {
    const context = await model.createContext({
      // The cache is padded by llama.cpp; a token of room keeps the context from shifting.
      contextSize: Math.max(64, ...lists.map((list) => list.length + 1)),
      sequences: 1,
      threads: { ideal: 1, min: 1 },
      batchSize: Math.max(64, ...lists.map((list) => list.length)),
      flashAttention: false,
      experimentalKvCacheKeyType: "F32",
      experimentalKvCacheValueType: "F32",
      ...lora ? { lora: { adapters: [{ filePath: lora, scale: 1 }] } } : {},
    });
    const sequence = context.getSequence();
    if (samplings) {
      const left = [];
      const [list] = lists;
      for (const options of samplings) {
        await sequence.clearHistory();
        const generateNext = { token: true, probabilities: true, options };
        const outputs = await sequence.controlledEvaluate(
          list.map((token, i) => i < list.length - 1 ? token : [token, { generateNext }]),
        );
        left.push([...outputs.at(-1).next.probabilities]);
      }
      await context.dispose();
      return { left };
    }
    const parts = [];
    for (const list of lists) {
      await sequence.clearHistory();
      const outputs = await sequence.controlledEvaluate(
        list.map((token) => [token, { generateNext: { logits: true } }]),
      );
      for (const { next } of outputs) {
        const logits = new Float32Array(next.logits.size);
        for (const [token, logit] of next.logits) logits[token] = logit;
        parts.push(Buffer.from(logits.buffer));
      }
    }
    writeFileSync(outputPath, Buffer.concat(parts));
    if (!lora) await context.dispose();
  } finally {
    // Freed with an adapter on it, a model corrupts the heap.
    if (!lora) await model.dispose();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer = {};
  try {
    answer = await evaluate(JSON.parse(line)) ?? {};
  } catch (error) {
    answer = { error: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
