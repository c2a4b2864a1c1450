/**
 * Makes the modules that hold the shaders' texts: `x.wgsl.ts` beside every `x.wgsl`. The `.wgsl` files stay the source; JSR, Node and
 * browsers import modules only, no text (denoland/deno#35546).
 *
 * `deno task shaders` writes what is not current and removes modules whose shader is gone; with `--check` it names them and exits
 * with 1 where there are any.
 *
 * @module
 */
import { basename, join } from "@std/path";

const FOLDER = "kernels";
/** The formatter's. */
const LINE_WIDTH = 100;

/** What has to be written or removed. */
export interface StaleShader {
  /** A path from the root. */
  readonly path: string;
  /** What the module has to be; undefined where it has no shader. */
  readonly text: string | undefined;
}

/**
 * The module of a shader.
 *
 * @param name The shader's file name
 * @param wgsl Its text; line ends become `\n`, as some checkouts change them
 */
export function shaderModule(name: string, wgsl: string): string {
  const text = JSON.stringify(wgsl.replaceAll("\r\n", "\n"));
  const start = "const text: string =";
  // On one line, so that nobody reads or edits the copy; broken where the formatter would.
  const between = start.length + text.length + 2 > LINE_WIDTH ? "\n  " : " ";
  return `/**
 * The text of ${name}. Made by \`deno task shaders\`: edit the .wgsl file.
 *
 * @module
 */

${start}${between}${text};
export default text;
`;
}

/** The modules that are not what their shaders make them. */
export async function staleShaders(root: string): Promise<StaleShader[]> {
  const paths = await shadersBelow(root, FOLDER);
  const stale: StaleShader[] = [];
  for (const path of paths) {
    if (path.endsWith(".ts")) {
      if (!paths.includes(path.replace(/\.ts$/, ""))) stale.push({ path, text: undefined });
      continue;
    }
    const module = `${path}.ts`;
    const text = shaderModule(basename(path), await Deno.readTextFile(join(root, path)));
    if (!paths.includes(module) || await readLines(join(root, module)) !== text) {
      stale.push({ path: module, text });
    }
  }
  return stale;
}

/** Shaders and the modules made of them, as paths from the root with `/`. */
async function shadersBelow(root: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await shadersBelow(root, path));
    else if (/\.wgsl(?:\.ts)?$/.test(name)) found.push(path);
  }
  return found.sort();
}

async function readLines(path: string): Promise<string> {
  return (await Deno.readTextFile(path)).replaceAll("\r\n", "\n");
}

if (import.meta.main) {
  const root = join(import.meta.dirname!, "..");
  const stale = await staleShaders(root);
  if (Deno.args.includes("--check")) {
    for (const { path } of stale) console.error(`${path} is not what its shader makes it`);
    if (stale.length > 0) {
      console.error("Run: deno task shaders");
      Deno.exit(1);
    }
  } else {
    for (const { path, text } of stale) {
      if (text === undefined) await Deno.remove(join(root, path));
      else await Deno.writeTextFile(join(root, path), text);
      console.log(`${text === undefined ? "removed" : "wrote"} ${basename(path)}`);
    }
    if (stale.length === 0) console.log("The shaders' modules are current");
  }
}
