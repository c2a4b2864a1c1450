/**
 * How this program was started, so that what it tells people to type works.
 *
 * @module
 */
import { relative } from "@std/path";

/** All that a command needs of Deno: files, and variables that its libraries ask for; no network, no programs, no foreign code. */
export const RIGHTS = "--allow-read --allow-write --allow-env";

/** What to type before a command's name. */
export function invocation(): string {
  if (Deno.env.has("INIT_CWD")) return "deno task qzo"; // set by deno task
  const { mainModule } = Deno;
  if (!mainModule.startsWith("file:")) return `deno run ${RIGHTS} ${mainModule}`;
  const path = relative(Deno.cwd(), decodeURIComponent(new URL(mainModule).pathname));
  return `deno run ${RIGHTS} ${path}`;
}
