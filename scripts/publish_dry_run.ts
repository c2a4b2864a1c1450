/**
 * `deno publish --dry-run` of a copy of the tree in which the stand-ins of `links/` lie outside of the package: inside
 * of it, publishing refuses modules that are excluded and yet imported.
 *
 * @module
 */
import { dirname, join } from "@std/path";

const root = join(import.meta.dirname!, "..");
const copy = await Deno.makeTempDir({ prefix: "qzo-publish-" });
try {
  const listed = await new Deno.Command("git", {
    args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd: root,
  }).output();
  if (!listed.success) {
    throw new Error(`Cannot list the files: ${new TextDecoder().decode(listed.stderr)}`);
  }
  const paths = new TextDecoder().decode(listed.stdout).split("\0").filter((path) => path !== "");
  for (const path of paths) {
    const target = path.startsWith("links/") ? join(copy, path) : join(copy, "package", path);
    await Deno.mkdir(dirname(target), { recursive: true });
    try {
      await Deno.copyFile(join(root, path), target);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // deleted, not yet committed
    }
  }

  const configPath = join(copy, "package", "deno.json");
  const config = JSON.parse(await Deno.readTextFile(configPath));
  config.links = config.links.map((path: string) => join("..", path));
  await Deno.writeTextFile(configPath, JSON.stringify(config));

  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: join(copy, "package"),
  }).spawn().status;
  Deno.exitCode = code;
} finally {
  await Deno.remove(copy, { recursive: true });
}
