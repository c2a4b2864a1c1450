/**
 * How this program was started, so that what it tells people to type works.
 *
 * @module
 */
import { relative } from "@std/path";

/** What to type before a command's name. */
export function invocation(): string {
  if (Deno.env.has("INIT_CWD")) return "deno task qzo"; // set by deno task
  const { mainModule } = Deno;
  if (!mainModule.startsWith("file:")) return `deno run -A ${mainModule}`;
  const path = relative(Deno.cwd(), decodeURIComponent(new URL(mainModule).pathname));
  return `deno run -A ${path}`;
}
