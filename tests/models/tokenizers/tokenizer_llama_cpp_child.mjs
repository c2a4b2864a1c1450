// Tokenises lines with llama.cpp; a child of tokenizer_llama_cpp_test.ts, because the native addon would live on in the
// test's own process. Arguments: node_modules folder, output file. Paths of GGUF files and lines come as JSON on stdin.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import process from "node:process";

const [folder, outputPath] = process.argv.slice(2);
const { files, lines, special } = JSON.parse(readFileSync(0, "utf8"));
const entry = createRequire(`${folder}/`).resolve("node-llama-cpp");
const { getLlama } = await import(pathToFileURL(entry).href);
const llama = await getLlama({
  gpu: false,
  build: "never",
  logLevel: "error",
  progressLogs: false,
});
const answers = [];
for (const modelPath of files) {
  try {
    const model = await llama.loadModel({
      modelPath,
      gpuLayers: 0,
      useMmap: false,
      vocabOnly: true,
    });
    answers.push({
      tokens: lines.map((line) => [...model.tokenize(line, special === true)]),
      addBos: model.tokens.shouldPrependBosToken,
      addEos: model.tokens.shouldAppendEosToken,
      bos: model.tokens.bos,
      eos: model.tokens.eos,
    });
    await model.dispose();
  } catch (error) {
    answers.push({ error: String(error) });
  }
}
writeFileSync(outputPath, JSON.stringify(answers));
process.exit(0);
