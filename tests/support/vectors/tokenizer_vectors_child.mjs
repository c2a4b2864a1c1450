// Answers of the Rust library (npm package "tokenizers"); a Node child of tokenizer_vectors.ts, since Deno does not load
// its addon. Arguments: folder of the package, input file, output file.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";

const [folder, input, output] = process.argv.slice(2);
const { Tokenizer } = createRequire(`${folder}/`)("tokenizers");
const answers = [];
for (const { json, inputs, decodes } of JSON.parse(readFileSync(input, "utf8"))) {
  try {
    const tokenizer = Tokenizer.fromString(JSON.stringify(json));
    const found = [];
    for (const one of inputs) {
      found.push(
        decodes ? await tokenizer.decode(one, true) : [...(await tokenizer.encode(one)).getIds()],
      );
    }
    answers.push(found);
  } catch (error) {
    answers.push(String(error));
  }
}
writeFileSync(output, JSON.stringify(answers));
