import { assertEquals, assertStringIncludes } from "@std/assert";
import { root } from "../../scripts/rooms.ts";

async function run(command: string, args: readonly string[]) {
  const { code, stdout, stderr } = await new Deno.Command(command, { args: [...args], cwd: root })
    .output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test({
  name: "run.sh: --help of every command prints a usage and starts nothing",
  ignore: Deno.build.os === "windows",
  async fn() {
    for (const command of ["test", "install", "link"]) {
      for (const help of ["--help", "-h"]) {
        const { code, stdout } = await run("sh", ["run.sh", command, help]);
        assertEquals(code, 0, `${command} ${help}`);
        assertEquals(stdout.startsWith("Usage: sh run.sh <command>"), true, stdout.slice(0, 200));
      }
    }
    const unknown = await run("sh", ["run.sh", "tset"]);
    assertEquals(unknown.code, 2);
    assertStringIncludes(unknown.stderr, 'Unknown command "tset"');
  },
});

Deno.test("the suite and the checks refuse what they do not know before they begin", async () => {
  const script = (name: string, ...args: string[]) =>
    run(Deno.execPath(), ["run", "--no-check", "-A", `scripts/${name}.ts`, ...args]);
  const [help, suite, checks] = await Promise.all([
    script("test", "--help"),
    script("test", "--fats"),
    script("ok", "--help me"),
  ]);
  assertEquals(help.code, 0);
  assertStringIncludes(help.stdout, "Usage: deno task test [options]");
  assertEquals(suite.code, 2);
  assertStringIncludes(suite.stderr, "Unknown option --fats");
  assertEquals(checks.code, 2);
  assertStringIncludes(checks.stderr, "Unknown argument --help me");
});
