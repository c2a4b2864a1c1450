/**
 * A clone of the repository beside other folders, for tests that go the way of a user who is not in it.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { repositoryFiles, root } from "../../scripts/package_copy.ts";

/** A folder with a clone in it; removed when it is disposed of. */
export interface Clone extends AsyncDisposable {
  /** What the clone, `qzo`, lies in. */
  readonly folder: string;
  /** The clone. */
  readonly path: string;
}

/** Copies the files of the repository as they are now; what was set up for it is shared. */
export async function cloneRepository(): Promise<Clone> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "qzo-clone-" }));
  const path = join(folder, "qzo");
  for (const file of await repositoryFiles()) {
    const target = join(path, file);
    await Deno.mkdir(dirname(target), { recursive: true });
    try {
      await Deno.copyFile(join(root, file), target);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // deleted, not yet committed
    }
  }
  await Deno.mkdir(join(root, ".tools"), { recursive: true });
  await Deno.symlink(await Deno.realPath(join(root, ".tools")), join(path, ".tools"));
  return { folder, path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** What a program printed and how it ended. */
export interface Ended {
  /** Exit code. */
  readonly code: number;
  /** Standard output. */
  readonly out: string;
  /** Standard error. */
  readonly err: string;
}

/** Runs lines of a shell in a folder, as a user types them; nothing of how this test was started is passed on. */
export async function shell(
  lines: string,
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const inherited = Deno.env.toObject();
  for (const name of ["INIT_CWD", "QZO_COMMAND", "QZO_TASK"]) delete inherited[name];
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-ec", lines],
    cwd,
    env: { ...inherited, NO_COLOR: "1", ...env },
    clearEnv: true,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}
