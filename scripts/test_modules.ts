/**
 * Modules that run many test files, or many examples of documentation, as one: they share a module graph, which `deno test` loads anew for
 * every file and every example at about a quarter of a second each.
 *
 * Tests are reported under the files that they are in. An example runs as `deno test --doc` runs it, under the same name, but
 * sees only what it imports.
 *
 * @module
 */
import { dirname, join, toFileUrl } from "@std/path";

/** An example of a module's documentation. */
export interface Example {
  /** As Deno names it, `optim/named/lozo.ts#38-48.ts`. */
  readonly name: string;
  /** A module. */
  readonly text: string;
}

const COMMENT = /\/\*\*[\s\S]*?\*\//g;
const FENCED = /^ *\* *```(\w+)([^\n]*)\n([\s\S]*?)^ *\* *```[^\n]*$/gm;
const ENDINGS: Record<string, string> = { ts: "ts", typescript: "ts", js: "js", javascript: "js" };

/** Fenced code in the comments of a module, but what is marked `ignore` or `no-eval`. */
export function examplesIn(path: string, source: string): Example[] {
  const lineAt = (index: number): number => source.slice(0, index).split("\n").length;
  return [...source.matchAll(COMMENT)].flatMap(({ 0: comment, index: start }) =>
    [...comment.matchAll(FENCED)]
      .filter(([, language, marks]) => language in ENDINGS && marks.trim() === "")
      .map(({ 0: fenced, 1: language, 3: code, index }) => {
        const first = lineAt(start + index);
        return {
          name: `${path}#${first}-${first + fenced.split("\n").length}.${ENDINGS[language]}`,
          text: code.replace(/^ *\* ?/gm, ""),
        };
      })
  );
}

/** The examples of all modules below a folder. */
export function examplesBelow(root: string, folder: string): Example[] {
  const found: Example[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(join(root, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...examplesBelow(root, path));
    else if (name.endsWith(".ts")) {
      found.push(...examplesIn(path, Deno.readTextFileSync(join(root, path))));
    }
  }
  return found.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Writes a module into `folder` that has the tests of several files; its path. */
export async function writeTests(
  folder: string,
  root: string,
  paths: readonly string[],
): Promise<string> {
  const module = join(folder, "files_test.ts");
  const imports = paths.map((path) => `import "${toFileUrl(join(root, path))}";\n`);
  await Deno.writeTextFile(module, imports.join(""));
  return module;
}

const RELATIVE = /(?<=\b(?:from|import) ")\.{1,2}\/[^"]+(?=")/g;

/** Writes examples into `folder`, and a module that has a test of each; its path. */
export async function writeExamples(
  folder: string,
  root: string,
  examples: readonly Example[],
): Promise<string> {
  const module = join(folder, "examples_test.ts");
  const tests = await Promise.all(examples.map(async ({ name, text }, i) => {
    const from = dirname(join(root, name));
    const resolved = text.replace(RELATIVE, (path) => toFileUrl(join(from, path)).href);
    await Deno.writeTextFile(join(folder, `${i}.ts`), resolved);
    return `Deno.test(${JSON.stringify(name)}, () => import("./${i}.ts"));\n`;
  }));
  await Deno.writeTextFile(module, tests.join(""));
  return module;
}
