/**
 * Packs the library for npm: `deno task pack [--output=qzo.tgz]`.
 *
 * `deno pack` makes JavaScript and declarations of the module graph. The stand-ins of `links/` are packed in the place of `@std`, so that
 * npm installs the file without a registry for `@jsr`. Declarations are made only of what the exports' types reach: while packing, every
 * module is an export, and the package's own exports are put back afterwards. TypeScript's compiler then writes `using` in older words,
 * which Node 22 and some browsers need.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { copyPackage, deno, type PackageConfig, root, run } from "./package_copy.ts";

/** TypeScript's compiler; the same judges the declarations in tests/repository. */
export const TSC = "npm:typescript@6.0.3/tsc";

const INTERNAL = "./internal/";
const ROOMS = /^(?:quant|optim|kernels|models|tasks|train|show|cli|links)\//;

/** What was packed. */
export interface Packed {
  /** What `deno pack` printed. */
  readonly printed: string;
  /** Files of the package, from its root with `/`. */
  readonly files: readonly string[];
}

/**
 * Packs into a file.
 *
 * @throws {Error} When `deno pack`, `tsc` or `tar` fails, with what it printed
 */
export async function pack(output: string): Promise<Packed> {
  await using copy = await copyPackage("within");
  const names = await modulesOf(copy.folder);
  const path = join(copy.folder, "deno.json");
  const config: PackageConfig = JSON.parse(await Deno.readTextFile(path));
  const own = new Set(Object.values(config.exports));
  for (const name of names) {
    if (!own.has(`./${name}`)) config.exports[INTERNAL + name] = `./${name}`;
  }
  await Deno.writeTextFile(path, JSON.stringify(config));

  const packed = join(copy.folder, "packed.tgz");
  const printed = await deno(
    ["pack", "--allow-dirty", "--no-source-maps", "-o", packed],
    copy.folder,
  );
  const opened = join(copy.folder, "opened");
  await Deno.mkdir(opened);
  await run("tar", ["-xzf", packed, "-C", opened]);
  const folder = join(opened, "package");
  await lower(folder);
  await finish(folder);
  await run("tar", ["-czf", output, "-C", opened, "package"]);
  return { printed, files: await filesOf(folder) };
}

/** Compiles the package's JavaScript in place to what Node 22 knows. */
async function lower(folder: string): Promise<void> {
  const modules = (await filesOf(folder)).filter((name) => name.endsWith(".js"));
  const settings = join(folder, "tsconfig.json");
  await Deno.writeTextFile(
    settings,
    JSON.stringify({
      compilerOptions: {
        target: "es2022",
        module: "esnext",
        moduleResolution: "bundler",
        allowJs: true,
        noCheck: true,
        noResolve: true,
        types: [],
        outDir: "lowered",
        rootDir: ".",
      },
      files: modules,
    }),
  );
  await deno(["run", "-A", "--no-config", "--no-lock", TSC, "-p", settings], folder);
  for (const name of modules) await Deno.rename(join(folder, "lowered", name), join(folder, name));
  await Deno.remove(join(folder, "lowered"), { recursive: true });
  await Deno.remove(settings);
}

/** Puts the package's own exports back and takes out what npm has no use for. */
async function finish(folder: string): Promise<void> {
  const path = join(folder, "package.json");
  const manifest = JSON.parse(await Deno.readTextFile(path));
  for (const name of Object.keys(manifest.exports)) {
    if (name.startsWith(INTERNAL)) delete manifest.exports[name];
  }
  manifest.engines = { node: ">=22" };
  await Deno.writeTextFile(path, JSON.stringify(manifest, null, 2) + "\n");
}

async function modulesOf(folder: string): Promise<string[]> {
  return (await filesOf(folder)).filter((name) => ROOMS.test(name) && name.endsWith(".ts"));
}

async function filesOf(folder: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(folder, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) found.push(...await filesOf(folder, path));
    else found.push(path);
  }
  return found.sort();
}

if (import.meta.main) {
  const { output } = parseArgs(Deno.args, { string: ["output"], default: { output: "qzo.tgz" } });
  const { printed } = await pack(output.startsWith("/") ? output : join(Deno.cwd(), output));
  console.log(printed);
  console.log(`Packed ${output} from ${root}`);
}
