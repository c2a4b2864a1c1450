/**
 * The answers of the Rust library `tokenizers` for the small tokenizers of `tokenizer_cases.ts`, as hashes:
 * `tests/fixtures/tokenizer_vectors.json`. To make them again, with the npm package of that name in a folder:
 *
 * ```sh
 * npm install --prefix /tmp/tokenizers tokenizers@0.23.2
 * deno run -A --no-check tests/support/vectors/tokenizer_vectors.ts /tmp/tokenizers/node_modules
 * ```
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { createHash } from "node:crypto";
import { seededIds, seededTexts } from "./seeded_texts.ts";
import { sizeOf, type TokenizerCase, tokenizerCases } from "./tokenizer_cases.ts";

/** What one case's tokenizer gives. */
export interface TokenizerVectors {
  /** Answers to the first inputs. */
  readonly first: readonly unknown[];
  /** The beginning of SHA-256 of the answers to every {@linkcode perHash} inputs. */
  readonly hashes: readonly string[];
}

/** Inputs of a case. */
export const inputCount = 2000;
/** Inputs that one hash is of. */
export const perHash = 50;
const seed = 7;
const explicit = 2;

/** Where the vectors are. */
export const vectorsFile: string = fromFileUrl(
  new URL("../../fixtures/tokenizer_vectors.json", import.meta.url),
);

/** The texts, or the lists of ids, of a case. */
export function inputsOf(it: TokenizerCase): readonly (string | number[])[] {
  return it.decodes ? seededIds(inputCount, sizeOf(it), seed) : seededTexts(inputCount, seed);
}

/** The hashes of all answers, in order. */
export function hashesOf(answers: readonly unknown[]): string[] {
  const hashes: string[] = [];
  for (let at = 0; at < answers.length; at += perHash) {
    const text = JSON.stringify(answers.slice(at, at + perHash));
    hashes.push(createHash("sha256").update(text).digest("hex").slice(0, 12));
  }
  return hashes;
}

/** The library's answers for each case, computed by a Node child. */
export async function answersOf(
  cases: readonly TokenizerCase[],
  inputs: readonly (readonly unknown[])[],
  modules: string,
): Promise<unknown[][]> {
  const child = fromFileUrl(new URL("./tokenizer_vectors_child.mjs", import.meta.url));
  const folder = await Deno.makeTempDir();
  try {
    const [input, output] = ["in.json", "out.json"].map((name) => join(folder, name));
    const asked = cases.map(({ json, decodes }, i) => ({ json, decodes, inputs: inputs[i] }));
    await Deno.writeTextFile(input, JSON.stringify(asked));
    const { code, stderr } = await new Deno.Command("node", {
      args: [child, modules, input, output],
    }).output();
    if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
    const answers: (unknown[] | string)[] = JSON.parse(await Deno.readTextFile(output));
    return answers.map((found, i) => {
      if (typeof found === "string") throw new Error(`${cases[i].name}: ${found}`);
      return found;
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const cases = tokenizerCases();
  const answers = await answersOf(cases, cases.map(inputsOf), Deno.args[0]);
  const vectors = Object.fromEntries(
    cases.map(({ name }, i) => [name, {
      first: answers[i].slice(0, explicit),
      hashes: hashesOf(answers[i]),
    }]),
  );
  await Deno.writeTextFile(vectorsFile, JSON.stringify(vectors, null, 1) + "\n");
}
