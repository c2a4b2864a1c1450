/**
 * `chat` and `generate` as they are typed: in another folder, through pipes, at a keyboard with Ctrl-C.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { chatTokens, generate, loadModel, openModelSource } from "../../../models/mod.ts";
import { openSharedGpu } from "../../kernels/one_device.ts";
import { ggufBytes, llamaF32Tensors, llamaMetadata } from "../../support/gguf_writer.ts";
import { permuteHeads, randomLlama, TINY_LLAMA } from "../../support/random_llama.ts";
import { withTemp } from "../../models/quantised_folder.ts";

const main = fromFileUrl(new URL("../../../cli/main.ts", import.meta.url));
const demo = fromFileUrl(new URL("../../../demo/model.gguf", import.meta.url));
/** A model that says nothing of sense and does not end. */
async function writeEndless(folder: string): Promise<void> {
  const weights = permuteHeads(TINY_LLAMA, randomLlama(TINY_LLAMA, { seed: 5, tied: true }));
  const bytes = ggufBytes(llamaMetadata(TINY_LLAMA, 4096), llamaF32Tensors(TINY_LLAMA, weights));
  await Deno.writeFile(join(folder, "endless.gguf"), bytes);
}

const template =
  "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

function qzo(cwd: string, args: readonly string[], stdin: "piped" | "null" = "piped") {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Text of a stream as it comes, and a wait for some of it. */
function listening(stream: ReadableStream<Uint8Array>) {
  const heard = { text: "", over: false };
  const done = (async () => {
    for await (const piece of stream.pipeThrough(new TextDecoderStream())) heard.text += piece;
    heard.over = true;
  })();
  const until = async (what: RegExp, from = 0) => {
    for (let i = 0; i < 1200; i++) {
      if (what.test(heard.text.slice(from))) return;
      assert(!heard.over, `it ended before ${what}: ${heard.text}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`no ${what} in ${heard.text}`);
  };
  return { heard, done, until };
}

Deno.test("chat answers a line each from a pipe, with the whole conversation before it", async () => {
  await withTemp(async (folder) => {
    await Deno.writeTextFile(join(folder, "plain.jinja"), template);
    const flags = ["--chat-template", "plain.jinja", "--max-tokens", "6", "--system", "Be kind."];
    const child = qzo(folder, ["chat", demo, ...flags]);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("A fine film\r\n\nAnd this one"));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const noted = new TextDecoder().decode(stderr);
    assertEquals(code, 0, noted);

    using gpu = await openSharedGpu();
    using source = await openModelSource(demo);
    using model = await loadModel(gpu, source);
    const messages = [{ role: "system", content: "Be kind." }];
    let wanted = "";
    for (const [turn, content] of ["A fine film", "And this one"].entries()) {
      messages.push({ role: "user", content });
      const prompt = chatTokens(model.tokenizer!, messages, { template });
      let said = "";
      const options = { maxTokens: 6, seed: turn };
      for await (const { text } of generate(model, prompt, options)) said += text;
      messages.push({ role: "assistant", content: said });
      wanted += `${said}\n`;
    }
    assertEquals(new TextDecoder().decode(stdout), wanted);
    assertEquals(
      noted.match(/^6 tokens, [\d.]+ tokens\/s, the first after [\d.]+ s$/gm)?.length,
      2,
    );
  });
});

Deno.test({
  name: "chat: Ctrl-C ends an answer, which goes on with the next message; twice ends the program",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await withTemp(async (folder) => {
      await Deno.writeTextFile(join(folder, "plain.jinja"), template);
      await writeEndless(folder);
      const flags = ["--chat-template", "plain.jinja", "--max-tokens", "4000"];
      const begin = () => {
        const child = qzo(folder, ["chat", "endless.gguf", ...flags]);
        const [out, err] = [listening(child.stdout), listening(child.stderr)];
        const writer = child.stdin.getWriter();
        const say = (text: string) => writer.write(new TextEncoder().encode(`${text}\n`));
        return { child, out, err, writer, say };
      };
      {
        const { child, out, err, writer, say } = begin();
        await say("Tell me");
        await out.until(/\S/);
        child.kill("SIGINT");
        await err.until(/ended by Ctrl-C/);
        const before = out.heard.text.length;
        await say("And more");
        await out.until(/\S/, before);
        // Not the same press.
        await new Promise((resolve) => setTimeout(resolve, 400));
        child.kill("SIGINT");
        await err.until(/ended by Ctrl-C[\s\S]*ended by Ctrl-C/);
        await writer.close();
        assertEquals((await child.status).code, 0, err.heard.text);
        await Promise.all([out.done, err.done]);
      }
      {
        const { child, out, err, writer, say } = begin();
        await say("Tell me");
        await out.until(/\S/);
        child.kill("SIGINT");
        await err.until(/ended by Ctrl-C/);
        await new Promise((resolve) => setTimeout(resolve, 400));
        child.kill("SIGINT");
        assertEquals((await child.status).code, 130, err.heard.text);
        await writer.close().catch(() => {});
        await Promise.all([out.done, err.done]);
      }
    });
  },
});

const script = await new Deno.Command("sh", { args: ["-c", "command -v script"] }).output()
  .then(({ success }) => success, () => false);

Deno.test({
  name: `chat at a keyboard: prompts, answers, Ctrl-C and Ctrl-D as keys${
    script ? "" : " (skipped, because script is missing)"
  }`,
  ignore: !script || Deno.build.os !== "linux",
  fn: async () => {
    await withTemp(async (folder) => {
      await Deno.writeTextFile(join(folder, "plain.jinja"), template);
      await writeEndless(folder);
      const line =
        `exec ${Deno.execPath()} run -A --no-check ${main} chat endless.gguf --chat-template plain.jinja --max-tokens 4000`;
      const child = new Deno.Command("script", {
        args: ["-qec", line, "/dev/null"],
        cwd: folder,
        env: { NO_COLOR: "1" },
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const { heard, done, until } = listening(child.stdout);
      const writer = child.stdin.getWriter();
      const type = (keys: string) => writer.write(new TextEncoder().encode(keys));
      await until(/Ctrl-D the conversation[\s\S]*> $/);
      await type("Tell me\n");
      await until(/Tell me\s+\S{8}/);
      await new Promise((resolve) => setTimeout(resolve, 500));
      await type("\x03");
      await until(/ended by Ctrl-C\s+> $/);
      await type("\x04");
      const { code } = await child.status;
      await writer.close().catch(() => {});
      await done;
      assertEquals(code, 0, heard.text);
    });
  },
});

Deno.test("a model without a chat template says what to do; generate shows speed, ends at a stop", async () => {
  await withTemp(async (folder) => {
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await qzo(folder, args, "null").output();
      const text = new TextDecoder();
      return { code, out: text.decode(stdout), noted: text.decode(stderr) };
    };
    const refused = await run("chat", demo);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.noted, "--chat-template");
    const whole = await run("generate", demo, "--prompt", "a fine film", "--max-tokens", "20");
    assertMatch(whole.noted, /^20 tokens, [\d.]+ tokens\/s, the first after [\d.]+ s$/m);
    const said = whole.out.trimEnd().slice("a fine film".length);
    // A stop that lies within the text: what comes before it, and nothing behind.
    const stop = said.slice(9, 14);
    const ended = await run("generate", demo, "--prompt", "a fine film", "--stop", stop);
    assertEquals(ended.out, `a fine film${said.slice(0, said.indexOf(stop))}\n`);
    const listed = await run(
      "generate",
      ...[demo, "--prompt", "a fine film", "--stop", JSON.stringify(["\u2603", stop])],
    );
    assertEquals(listed.out, ended.out);
    const bad = await run("generate", demo, "--prompt", "a", "--stop", '["x", 1]');
    assertStringIncludes(bad.noted, "expected a string, or a list of strings");
    const penalised = await run(
      ...["generate", demo, "--prompt", "a fine film", "--max-tokens", "20"],
      ...["--repetition-penalty", "1.5"],
    );
    assert(penalised.out !== whole.out);
  });
});
