/**
 * llama.cpp (through `node-llama-cpp`) as an independent judge of files and logits.
 *
 * One CPU thread, F32 KV cache, no flash attention: with F32 weights its logits agree with an f64 forward to about 1e-6. With
 * quantised weights it quantises activations to 8 bits, so they agree to a few percent only.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { findPeer } from "./peers.ts";

const child = fromFileUrl(new URL("./llama_cpp_child.mjs", import.meta.url));

/** Why llama.cpp cannot be used here; undefined when it can. */
export async function llamaCppMissing(): Promise<string | undefined> {
  return (await findPeer("node-llama-cpp")).reason;
}

/**
 * Logits of llama.cpp at every position of each token list, one array `[vocabulary]` a position.
 *
 * The model is loaded once, in a child process.
 *
 * @throws {Error} when the peer is not installed, or llama.cpp refuses the file (its message is in the error).
 */
export async function llamaCppLogitsOf(
  ggufPath: string,
  tokenLists: readonly (readonly number[])[],
): Promise<Float32Array[][]> {
  const peer = await findPeer("node-llama-cpp");
  if (peer.folder === undefined) throw new Error(`Cannot run llama.cpp: ${peer.reason}`);
  const output = await Deno.makeTempFile({ suffix: ".f32" });
  try {
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-config",
        "--node-modules-dir=manual",
        child,
        peer.folder,
        ggufPath,
        output,
      ],
      env: { GGML_NO_BACKTRACE: "1" }, // or it attaches gdb to itself when it aborts
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = process.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(tokenLists)));
    await writer.close();
    const { code, stdout, stderr } = await process.output();
    if (code !== 0) {
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      throw new Error(`Cannot evaluate "${ggufPath}" with llama.cpp (exit ${code}): ${said}`);
    }
    const all = new Float32Array((await Deno.readFile(output)).buffer);
    const positions = tokenLists.reduce((sum, list) => sum + list.length, 0);
    const vocabulary = all.length / positions;
    let at = 0;
    return tokenLists.map((list) =>
      list.map(() => all.subarray(at * vocabulary, ++at * vocabulary))
    );
  } finally {
    await Deno.remove(output);
  }
}

/** Logits of llama.cpp at every position of one token list; see {@linkcode llamaCppLogitsOf}. */
export async function llamaCppLogits(
  ggufPath: string,
  tokens: readonly number[],
): Promise<Float32Array[]> {
  return (await llamaCppLogitsOf(ggufPath, [tokens]))[0];
}
