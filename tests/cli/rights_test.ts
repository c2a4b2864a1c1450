/**
 * Every command as a process that may read and write files and ask for variables, and nothing else: no network, no programs, no
 * foreign code. A permission that is missing would be asked for, which `--no-prompt` makes an error.
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { RIGHTS } from "../../cli/invocation.ts";
import { COMMANDS } from "../../cli/main.ts";
import { writeTinyTask } from "./tiny_model.ts";

const main = fromFileUrl(new URL("../../cli/main.ts", import.meta.url));

Deno.test("every command works with the rights that its hints name", async () => {
  const folder = await Deno.makeTempDir();
  const at = (name: string) => join(folder, name);
  const { config, model } = await writeTinyTask(folder);
  await Deno.writeTextFile(at("text.txt"), "ab cd ab ab cd 0123456789 ".repeat(40));
  const calls: Record<string, string[]> = {
    quantize: [
      model,
      "--method",
      "gptq",
      "--format",
      "Q4_0",
      "--calibration",
      at("text.txt"),
      "--calibration-length",
      "16",
      "--output",
      at("small.gguf"),
    ],
    inspect: [model],
    finetune: [config, "--steps", "2", "--export"],
    evaluate: [at("run")],
    replay: [at("run")],
    export: [at("run"), "--output", at("tuned.gguf")],
    generate: ["--model", model, "--prompt", "ab", "--max-tokens", "2"],
    doctor: [],
    completion: ["bash"],
    chat: ["--model", model, "--chat-template", "chatml"],
    "bench-optimisers": ["--help"],
  };
  try {
    const missing = COMMANDS.map(({ name }) => name).filter((name) => !(name in calls));
    assertEquals(missing, [], "commands that this test does not try");
    for (const [name, args] of Object.entries(calls)) {
      if (!COMMANDS.some((it) => it.name === name)) continue;
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--no-prompt", ...RIGHTS.split(" "), "--no-check", main, name, ...args],
        stdout: "piped",
        stderr: "piped",
        env: { NO_COLOR: "1" },
      }).output();
      assertEquals(code, 0, `${name}: ${new TextDecoder().decode(stderr)}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the scripts and tasks that users run ask for no more", async () => {
  const root = new URL("../../", import.meta.url);
  const script = await Deno.readTextFile(new URL("run.sh", root));
  assertStringIncludes(script, `rights="${RIGHTS}"`);
  // As a command of its own too; tests and tools may do more.
  assertEquals(script.match(/"\$DENO" (?:run|install)[^\n]*/g), [
    '"$DENO" run $rights --config "$root/deno.json" "$@"',
    '"$DENO" run --allow-read --allow-write scripts/linked_tree.ts)',
    '"$DENO" install --quiet --global --force --name qzo $rights --config "$linked/deno.json" "$@" "$linked/cli/main.ts"',
    '"$DENO" run -A scripts/ok.ts "$@"',
  ]);
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  for (const name of ["qzo", "demo"]) assertStringIncludes(tasks[name], `run ${RIGHTS} `);
});
