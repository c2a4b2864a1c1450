/**
 * The chat templates that llama.cpp's repository keeps of published models, against Jinja2 with the settings of transformers. They come with the peer
 * `node-llama-cpp`, whose package holds that repository as a git bundle; nothing of them is kept here.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { chatText, scoredChat, tokenizerFromJson } from "../../../models/mod.ts";
import { findPeer } from "../../support/peers.ts";

const vectors = fromFileUrl(new URL("../../support/vectors/chat_vectors.py", import.meta.url));
const bos = "<s>";
const eos = "</s>";
const tokenizer = tokenizerFromJson({
  model: { type: "BPE", vocab: { [bos]: 0, [eos]: 1 }, merges: [] },
  added_tokens: [bos, eos].map((content, id) => ({
    id,
    content,
    special: true,
    normalized: false,
  })),
  decoder: { type: "Fuse" },
}, { bos_token: bos, eos_token: eos });

interface Published {
  readonly name: string;
  readonly template: string;
  readonly cases: readonly {
    readonly messages: readonly { readonly role: string; readonly content: string }[];
    readonly answer: boolean;
    readonly text: string | null;
  }[];
}

async function output(
  command: string,
  ...args: string[]
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
    return success ? stdout : undefined;
  } catch {
    return undefined;
  }
}

const { folder, reason } = await findPeer("node-llama-cpp");
const bundle = folder && join(folder, "node-llama-cpp", "llama", "gitRelease.bundle");
const missing = reason ??
  (await output("python3", "-c", "import jinja2") === undefined
    ? "python3-jinja2 is not installed"
    : await output("git", "bundle", "list-heads", bundle ?? "") === undefined
    ? "the peer has no bundle of llama.cpp, or git is not installed"
    : undefined);

Deno.test({
  name: `published templates lay out as Jinja2 has them${
    missing === undefined ? "" : ` (skipped, because ${missing})`
  }`,
  ignore: missing !== undefined,
  fn: async () => {
    const here = await Deno.makeTempDir();
    try {
      const clone = join(here, "clone");
      assert(await output("git", "clone", "-q", "--no-checkout", bundle!, clone));
      assert(await output("git", "-C", clone, "checkout", "-q", "HEAD", "--", "models/templates"));
      const made = await output("python3", vectors, join(clone, "models", "templates"));
      const published: Published[] = JSON.parse(new TextDecoder().decode(made));
      let same = 0;
      const scored = { answers: 0, last: 0 };
      const unreadable: string[] = [];
      for (const { name, template, cases } of published) {
        for (const { messages, answer, text } of cases) {
          let own: string | null = null;
          try {
            own = chatText(tokenizer, messages, { template, answer });
          } catch (error) {
            assert(error instanceof TypeError || error instanceof SyntaxError, `${name}: ${error}`);
            if (text !== null) unreadable.push(name);
            continue;
          }
          assertEquals(own, text, name);
          same++;
        }
        // Whatever is scored is what is said; what cannot be told is refused.
        const messages = cases[4].messages;
        for (const loss of ["answers", "last"] as const) {
          try {
            const { text, scored: parts } = scoredChat(tokenizer, messages, { template, loss });
            const said = messages.filter(({ role }) => role === "assistant").slice(
              loss === "last" ? -1 : 0,
            );
            assertEquals(parts.length, said.length, name);
            said.forEach(({ content }, i) =>
              assert(text.slice(...parts[i]).includes(content), name)
            );
            scored[loss]++;
          } catch (error) {
            assert(error instanceof RangeError || error instanceof TypeError, `${name}: ${error}`);
          }
        }
      }
      const count = published.length;
      assert(count >= 40 && same >= 6 * count, `${same} of ${8 * count} renderings`);
      // Templates for tools alone, and what the engine lacks.
      assert(new Set(unreadable).size <= count / 8, [...new Set(unreadable)].join());
      assert(scored.answers >= count / 2 && scored.last >= scored.answers, JSON.stringify(scored));
    } finally {
      await Deno.remove(here, { recursive: true });
    }
  },
});
