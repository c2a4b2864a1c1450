// Tokenises lines with llama.cpp; a child of tokenizer_llama_cpp_test.ts, because the native addon would live on in the
// test's own process. Arguments: node_modules folder, GGUF file, output file. Lines come as JSON on stdin.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import process from "node:process";

const [folder, modelPath, outputPath] = process.argv.slice(2);
const lines = JSON.parse(readFileSync(0, "utf8"));
const entry = createRequire(`${folder}/`).resolve("node-llama-cpp");
const { getLlama } = await import(pathToFileURL(entry).href);
const llama = await getLlama({
  gpu: false,
  build: "never",
  logLevel: "error",
  progressLogs: false,
});
const model = await llama.loadModel({ modelPath, gpuLayers: 0, useMmap: false, vocabOnly: true });
writeFileSync(outputPath, JSON.stringify(lines.map((line) => [...model.tokenize(line)])));
process.exit(0);
