import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import * as optim from "../../optim/mod.ts";
import * as quant from "../../quant/mod.ts";
import * as tasks from "../../tasks/mod.ts";
import { pack, type Packed, TSC } from "../../scripts/pack.ts";
import { deno, run } from "../../scripts/package_copy.ts";
import { findNode, findNpm } from "../support/node.ts";
import { root } from "./module_graph.ts";
import { computed } from "./packed_computed.mjs";

const { name, exports } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
const paths: string[] = Object.keys(exports).map((it) => name + it.slice(1));
const rooms = ["quant", "optim", "kernels", "models", "tasks", "train", "cli"];

/** The package installed by npm in a folder of its own, or why there is none. */
interface Installed {
  readonly folder: string;
  readonly packed: Packed;
}

const OFFLINE =
  /E(?:NOTFOUND|AI_AGAIN|TIMEDOUT|CONNREFUSED|NETUNREACH|CONNRESET)|error sending request|dns error|Unable to connect/i;

async function install(folder: string): Promise<Installed | string> {
  const npm = await findNpm();
  if (npm.reason !== undefined) return npm.reason;
  try {
    const file = join(folder, "packed.tgz");
    const packed = await pack(file);
    await run(npm.path, [
      "install",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      "--prefer-offline",
      "--fetch-retries=1",
      "--prefix=.",
      file,
    ], folder);
    return { folder, packed };
  } catch (error) {
    if (error instanceof Error && OFFLINE.test(error.message)) {
      return "npm's registry is not in reach";
    }
    throw error;
  }
}

Deno.test("packed: the npm form is whole, typed, and computes in Node what Deno computes", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "qzo-packed-" });
  try {
    const installed = await install(folder);
    if (typeof installed === "string") {
      console.log(`skipped, because ${installed}`);
      return;
    }
    await t.step(
      "every module has its types, and no shader is left as text",
      () => whole(installed.packed),
    );
    await t.step("types are complete", () => typed(installed.folder));
    await t.step(
      "every export loads in Node and computes the same bits",
      () => computes(installed.folder),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function whole({ printed, files }: Packed): void {
  assert(!/not be included|could not|warn/i.test(printed), printed);
  const modules = files.filter((it) => it.endsWith(".js"));
  assert(modules.length > 250);
  for (const it of modules) assert(files.includes(it.replace(/\.js$/, ".d.ts")), it);
  const others = files.filter((it) => !/\.(?:js|d\.ts)$/.test(it));
  assertEquals(others.toSorted(), ["ARCHITECTURE.md", "LICENSE", "README.md", "package.json"]);
}

async function typed(folder: string): Promise<void> {
  const uses = paths.map((path, i) => `import * as it${i} from "${path}";\nconsole.log(it${i});\n`);
  await Deno.writeTextFile(
    join(folder, "types.mts"),
    `${uses.join("")}
import { float16ToNumber, type Layout } from "${name}/quant";
import { openGpu, type Gpu } from "${name}";
export const half: number = float16ToNumber(0x3c00);
export const layout: Layout = { kind: "dense", type: "f32" };
export const gpu: Promise<Gpu> = openGpu();
// @ts-expect-error Not a number.
export const wrong: string = float16ToNumber(0x3c00);
// @ts-expect-error Not a kind.
export const other: Layout = { kind: "sparse" };
`,
  );
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--lib", "esnext,dom"];
  await deno(
    ["run", "-A", "--no-config", "--no-lock", TSC, ...options, "--target", "esnext", "types.mts"],
    folder,
  );
}

async function computes(folder: string): Promise<void> {
  const node = await findNode();
  if (node.reason !== undefined) {
    console.log(`skipped, because ${node.reason}`);
    return;
  }
  for (const file of ["packed_child.mjs", "packed_computed.mjs"]) {
    await Deno.copyFile(join(root, "tests/repository", file), join(folder, file));
  }
  const said = JSON.parse(await run(node.path, ["packed_child.mjs", ...paths], folder));
  for (const room of rooms) {
    const own = Object.keys(await import(join(root, exports[`./${room}`]))).toSorted();
    assertEquals(said.loaded[`${name}/${room}`], own, room);
  }
  assertEquals(said.computed, JSON.parse(JSON.stringify(await computed({ quant, optim, tasks }))));
  assertEquals(said.noise, await Deno.readTextFile(join(root, "kernels/offsets/noise.wgsl")));
}
