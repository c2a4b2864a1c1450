/**
 * Lets the scripts of a folder import the package from this clone, until it comes from JSR: `sh run.sh link ../my-project`.
 *
 * The folder's `deno.json` gets the import that it would have with the published package, and a link that says where the package
 * is; all else in it stays. Without the link it is a configuration for the published one.
 *
 * @module
 */
import { join, relative } from "@std/path";
import { linkedTree } from "./linked_tree.ts";

const clone = join(import.meta.dirname!, "..");
const { name, version } = JSON.parse(Deno.readTextFileSync(join(clone, "deno.json")));

/** The configuration with the import and the link; `link` is the clone's path from the configuration's folder. */
export function linked(
  config: Readonly<Record<string, unknown>>,
  link: string,
): Record<string, unknown> {
  const imports = { ...section(config.imports, "imports"), [name]: `jsr:${name}@^${version}` };
  const before = config.links ?? [];
  if (!Array.isArray(before)) throw new TypeError(`Cannot add to "links": it is no list`);
  return { ...config, imports, links: [...new Set([...before, link])] };
}

function section(value: unknown = {}, key: string): object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new TypeError(`Cannot add to "${key}": it is no section`);
}

/** A path from one folder to another as configurations write it. */
function pathFrom(folder: string, to: string): string {
  const path = relative(folder, to).replaceAll("\\", "/");
  return path.startsWith(".") || /^\w:/.test(path) ? path : `./${path}`;
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Links a folder; says what was done. @throws When it has a configuration that cannot be written to */
export async function linkFolder(path: string): Promise<string> {
  const isNew = await Deno.stat(path).then(() => false, () => true);
  await Deno.mkdir(path, { recursive: true });
  const folder = await Deno.realPath(path);
  const real = await Deno.realPath(clone);
  if (folder === real) throw new Error(`Cannot link "${path}": it is the clone itself`);
  await linkedTree();
  const link = pathFrom(folder, join(real, ".linked"));
  const commented = join(path, "deno.jsonc");
  if (await textOf(commented) !== undefined) {
    const { imports, links } = linked({}, link);
    throw new Error(
      `Cannot write to "${commented}", which may have comments. Add to it: "imports": ${
        JSON.stringify(imports)
      }, "links": ${JSON.stringify(links)}`,
    );
  }
  const file = join(path, "deno.json");
  const before = await textOf(file);
  let config: unknown;
  try {
    config = before === undefined ? {} : JSON.parse(before);
  } catch (cause) {
    const { imports, links } = linked({}, link);
    throw new SyntaxError(
      `Cannot add to "${file}": it is not plain JSON, or has comments. Add to it: "imports": ${
        JSON.stringify(imports)
      }, "links": ${JSON.stringify(links)}`,
      { cause },
    );
  }
  await Deno.writeTextFile(
    file,
    `${JSON.stringify(linked({ ...section(config, file) }, link), null, 2)}\n`,
  );
  return `${
    isNew ? `Created the folder ${path}\n` : ""
  }${file}: scripts in ${path} can now import ${name} and ${name}/models, /train, ... from ${link}`;
}

if (import.meta.main) {
  const [path, ...more] = Deno.args;
  try {
    if (path === undefined || more.length > 0 || path.startsWith("-")) {
      throw new Error("Usage: sh run.sh link <folder of your scripts>");
    }
    console.log(await linkFolder(path));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
