/**
 * Publishes to JSR from a copy of the tree without the stand-ins of `links/`.
 *
 * - `--dry-run` makes every check and uploads nothing. Where JSR does not answer, the stand-ins lie outside of the copy's package.
 * - `--release=v1.2.3` refuses when that is not the version in `deno.json`.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { join } from "@std/path";
import { copyPackage, jsrAnswers, root } from "./package_copy.ts";

const args = parseArgs(Deno.args, { boolean: ["dry-run"], string: ["release"] });
const { version } = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
if (args.release !== undefined && args.release !== `v${version}`) {
  console.error(
    `Cannot publish version ${version} as the release "${args.release}": tag it v${version}, or change "version" in deno.json`,
  );
  Deno.exit(1);
}
const standIns = !args["dry-run"] || await jsrAnswers() ? "none" : "beside";
await using copy = await copyPackage(standIns);
const { code } = await new Deno.Command(Deno.execPath(), {
  args: ["publish", "--allow-dirty", ...args["dry-run"] ? ["--dry-run"] : []],
  cwd: copy.folder,
}).spawn().status;
if (standIns === "beside") {
  console.log("JSR does not answer: checked with the stand-ins of links/ in the place of @std");
}
Deno.exitCode = code;
