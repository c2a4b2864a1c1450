/**
 * How this program was started, so that what it tells people to type works.
 *
 * @module
 */
import { dirname, join, relative } from "@std/path";

/** All that a command needs of Deno: files, and variables that its libraries ask for; no network, no programs, no foreign code. */
export const RIGHTS = "--allow-read --allow-write --allow-env";

/** What the ways of starting it leave in the environment: what was typed, or the configuration whose task it is. */
export const STARTED = { command: "QZO_COMMAND", task: "QZO_TASK" } as const;

/** A text as one word of a command line. */
export function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** What to type before a command's name: by `run.sh`, as a task, as an installed command, or by `deno run`. */
export function invocation(): string {
  const typed = Deno.env.get(STARTED.command);
  if (typed) return typed;
  const task = Deno.env.get(STARTED.task);
  if (task) {
    const path = relative(Deno.cwd(), task);
    // From within the package Deno finds the task.
    const within = relative(dirname(task), Deno.cwd());
    return within.startsWith("..") ? `deno task --config ${quoted(path)} qzo` : "deno task qzo";
  }
  const { mainModule } = Deno;
  if (installed(mainModule)) return "qzo";
  if (!mainModule.startsWith("file:")) return `deno run ${RIGHTS} ${quoted(mainModule)}`;
  const path = relative(Deno.cwd(), decodeURIComponent(new URL(mainModule).pathname));
  return `deno run ${RIGHTS} ${quoted(path)}`;
}

// What `deno install` writes is a line.
const LONGEST_SHIM = 10_000;

/** Whether the command that `qzo` is in PATH runs this module, as after `deno install --global`. */
function installed(module: string): boolean {
  const windows = Deno.build.os === "windows";
  for (const folder of (Deno.env.get("PATH") ?? "").split(windows ? ";" : ":")) {
    const path = join(folder, windows ? "qzo.cmd" : "qzo");
    try {
      const { isFile, size } = Deno.statSync(path);
      if (isFile) return size < LONGEST_SHIM && Deno.readTextFileSync(path).includes(module);
    } catch {
      // Not there, or not to be looked at.
    }
  }
  return false;
}
