import { assert, assertEquals } from "@std/assert";
import { dirname, join } from "@std/path";
import { root } from "./module_graph.ts";

const listed = await new Deno.Command("git", { args: ["ls-files", "-z"], cwd: root }).output();
const tracked = new TextDecoder().decode(listed.stdout).split("\0").filter((path) => path !== "");
const documents = tracked.filter((path) => path.endsWith(".md"));
const noGit = listed.success ? "" : " (skipped, because git lists no files here)";

async function readTracked(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(join(root, path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return ""; // deleted, not yet committed
    throw error;
  }
}

Deno.test({
  name: `documents: named commands, tasks and files exist${noGit}`,
  ignore: !listed.success,
  async fn() {
    const config = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
    const script = await Deno.readTextFile(join(root, "run.sh"));
    const missing: string[] = [];
    for (const document of documents) {
      const text = await readTracked(document);
      for (const [, task] of text.matchAll(/\bdeno task ([a-z][\w-]*)/g)) {
        if (!(task in config.tasks)) missing.push(`${document}: deno task ${task}`);
      }
      for (const [, command] of text.matchAll(/\bsh run\.sh ([a-z]+)/g)) {
        if (!new RegExp(`^${command}\\b.*\\)`, "m").test(script)) {
          missing.push(`${document}: sh run.sh ${command}`);
        }
      }
      for (const [, link] of text.matchAll(/\]\(([^)#\s:]+)(?:#[^)]*)?\)/g)) {
        const path = join(root, dirname(document), link);
        if (!await Deno.stat(path).then(() => true, () => false)) {
          missing.push(`${document}: ${link}`);
        }
      }
    }
    assertEquals(missing, []);
  },
});

/** The headings of a document as links name them, as GitHub makes them: of equal ones the first. */
function anchorsOf(markdown: string): Set<string> {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```/gm, "");
  const headings = [...prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading]) =>
    heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{Pc}\p{M} -]/gu, "").replaceAll(" ", "-")
  );
  return new Set(headings);
}

Deno.test({
  name: `documents: links to a heading find it${noGit}`,
  ignore: !listed.success,
  async fn() {
    const missing: string[] = [];
    for (const document of documents) {
      const text = await readTracked(document);
      for (const [, link, anchor] of text.matchAll(/\]\(([^)#\s:]*\.md|)#([^)\s]+)\)/g)) {
        const path = link === "" ? document : join(dirname(document), link);
        if (!anchorsOf(await readTracked(path)).has(anchor)) {
          missing.push(`${document}: ${link}#${anchor}`);
        }
      }
    }
    assertEquals(missing, []);
  },
});

/** Paths from the root as texts name them; what is in another repository (`docs/x.md in ggml-org/ggml`) is not meant. */
const NAMED =
  /(?<![\w./@-])(?:quant|optim|kernels|models|tasks|train|show|cli|tests|scripts|bench|docs|examples)\/[\w/]+\.(?:wgsl\.ts|wgsl|ts|mjs|py|md|sh)(?![\w.]*\w)(?! in [\w-]+\/)/g;

/** Named and yet not there. */
const NOT_THERE: ReadonlySet<string> = new Set([
  // To be made by whoever follows the page.
  "docs/adding/directions.md: optim/directions/comb.ts",
  "docs/adding/operation.md: tests/reference/name.ts",
]);

Deno.test({
  name: `documents: they and the code's comments name files that are there${noGit}`,
  ignore: !listed.success,
  async fn() {
    const texts = tracked.filter((path) =>
      path.endsWith(".md") ? path !== "CHANGELOG.md" : /^(?!tests\/).*\.(?:ts|wgsl|sh)$/.test(path)
    );
    const missing: string[] = [];
    let named = 0;
    for (const text of texts) {
      for (const [path] of (await readTracked(text)).matchAll(NAMED)) {
        named++;
        const there = await Deno.stat(join(root, path)).then(() => true, () => false);
        if (!there && !NOT_THERE.has(`${text}: ${path}`)) missing.push(`${text}: ${path}`);
      }
    }
    assert(named > 200, `${named} names`);
    assertEquals(missing, []);
  },
});

Deno.test({
  name: `documents: no file names a folder of one machine${noGit}`,
  ignore: !listed.success,
  async fn() {
    const found: string[] = [];
    for (
      const path of tracked.filter((it) =>
        /\.(?:ts|mjs|md|json|sh|py|wgsl|ya?ml|txt|log)$/.test(it)
      )
    ) {
      const place = /(?<![\w.])\/(?:work|opt|root|home)\/\w+/.exec(await readTracked(path));
      if (place) found.push(`${path}: ${place[0]}`);
    }
    assertEquals(found, []);
  },
});
