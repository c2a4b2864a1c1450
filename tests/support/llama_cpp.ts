/**
 * llama.cpp (through `node-llama-cpp`) as an independent judge of files and logits.
 *
 * One CPU thread, F32 KV cache, no flash attention: with F32 weights its logits agree with an f64 forward to about 1e-6. With
 * quantised weights it quantises activations to 8 bits, so they agree to a few percent only.
 *
 * One process of it serves all tests of a test file or bundle: it takes a second and a half of a core to start.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { findPeer } from "./peers.ts";

const child = fromFileUrl(new URL("./llama_cpp_child.mjs", import.meta.url));

/** A process that evaluates one request after the other. */
interface Server {
  readonly ask: (request: unknown) => Promise<{ readonly error?: string }>;
}

let server: Server | undefined;

function start(folder: string): Server {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-config", "--node-modules-dir=manual", child, folder],
    env: { GGML_NO_BACKTRACE: "1" }, // or it attaches gdb to itself when it aborts
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  process.unref(); // it ends when its input does
  const requests = process.stdin.getWriter();
  const answers = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const answer = async (request: unknown): Promise<{ readonly error?: string }> => {
    process.ref(); // else nothing waits for the answer
    try {
      await requests.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
      let said = "";
      while (!said.endsWith("\n")) {
        const { value, done } = await answers.read();
        if (done) {
          server = undefined; // the next request starts another
          return { error: "it died; what it said stands above" };
        }
        said += value;
      }
      return JSON.parse(said);
    } finally {
      process.unref();
    }
  };
  let before: Promise<unknown> = Promise.resolve();
  return {
    ask: (request) => {
      const answered = before.then(() => answer(request));
      before = answered.catch(() => {});
      return answered;
    },
  };
}

/**
 * Why llama.cpp cannot be used here; undefined when it can. To be asked outside of tests: the process that it starts stays until the
 * tests are over.
 */
export async function llamaCppMissing(): Promise<string | undefined> {
  const { folder, reason } = await findPeer("node-llama-cpp");
  if (folder !== undefined) server ??= start(folder);
  return reason;
}

/**
 * Logits of llama.cpp at every position of each token list, one array `[vocabulary]` a position.
 *
 * @param lora A GGUF file with an adapter to lay beside the model
 * @throws {Error} when the peer is not installed, or llama.cpp refuses the file (its message is in the error).
 */
export async function llamaCppLogitsOf(
  ggufPath: string,
  tokenLists: readonly (readonly number[])[],
  { lora }: { readonly lora?: string } = {},
): Promise<Float32Array[][]> {
  const reason = await llamaCppMissing();
  if (reason !== undefined) throw new Error(`Cannot run llama.cpp: ${reason}`);
  const outputPath = await Deno.makeTempFile({ suffix: ".f32" });
  try {
    const { error } = await server!.ask({
      modelPath: ggufPath,
      lists: tokenLists,
      outputPath,
      lora,
    });
    if (error) throw new Error(`Cannot evaluate "${ggufPath}" with llama.cpp: ${error}`);
    const all = new Float32Array((await Deno.readFile(outputPath)).buffer);
    const positions = tokenLists.reduce((sum, list) => sum + list.length, 0);
    const vocabulary = all.length / positions;
    let at = 0;
    return tokenLists.map((list) =>
      list.map(() => all.subarray(at * vocabulary, ++at * vocabulary))
    );
  } finally {
    await Deno.remove(outputPath);
  }
}

/** Logits of llama.cpp at every position of one token list; see {@linkcode llamaCppLogitsOf}. */
export async function llamaCppLogits(
  ggufPath: string,
  tokens: readonly number[],
): Promise<Float32Array[]> {
  return (await llamaCppLogitsOf(ggufPath, [tokens]))[0];
}

/** Options of a sampler as `node-llama-cpp` takes them. */
export interface LlamaCppSampling {
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repeatPenalty?: {
    readonly punishTokens: readonly number[];
    readonly maxPunishTokens: number;
    readonly penalty: number;
    readonly frequencyPenalty: number;
    readonly presencePenalty: number;
  };
}

/** What each of llama.cpp's samplers leaves behind a token list: pairs of a token and its probability. */
export async function llamaCppLeft(
  ggufPath: string,
  tokens: readonly number[],
  samplings: readonly LlamaCppSampling[],
): Promise<[token: number, probability: number][][]> {
  const reason = await llamaCppMissing();
  if (reason !== undefined) throw new Error(`Cannot run llama.cpp: ${reason}`);
  const answer: { readonly error?: string; readonly left?: [number, number][][] } = await server!
    .ask({ modelPath: ggufPath, lists: [tokens], samplings });
  if (answer.left) return answer.left;
  throw new Error(`Cannot sample from "${ggufPath}" with llama.cpp: ${answer.error}`);
}
