/**
 * How this program was started, so that the commands it suggests work as printed.
 *
 * @module
 */
import { dirname, join, relative } from "@std/path";

/** The Deno permissions that a command needs: files, and environment variables for its libraries; no network, subprocesses or native libraries. */
export const RIGHTS = "--allow-read --allow-write --allow-env";

/** Environment variables that `run.sh` and the Deno task set: the command as typed, and the path of the `deno.json` that defines the task. */
export const STARTED = { command: "QZO_COMMAND", task: "QZO_TASK" } as const;

/** Text quoted as one word of a shell command. */
export function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** What to type before a command's name: a call of `run.sh`, a Deno task, the installed command, or `deno run`. */
export function invocation(): string {
  const typed = Deno.env.get(STARTED.command);
  if (typed) return typed;
  const task = Deno.env.get(STARTED.task);
  if (task) {
    const path = relative(Deno.cwd(), task);
    // Inside the package's folder, Deno finds the task by itself.
    const within = relative(dirname(task), Deno.cwd());
    return within.startsWith("..") ? `deno task --config ${quoted(path)} qzo` : "deno task qzo";
  }
  const { mainModule } = Deno;
  if (installed(mainModule)) return "qzo";
  if (!mainModule.startsWith("file:")) return `deno run ${RIGHTS} ${quoted(mainModule)}`;
  const path = relative(Deno.cwd(), decodeURIComponent(new URL(mainModule).pathname));
  return `deno run ${RIGHTS} ${quoted(path)}`;
}

// In bytes. The shim that `deno install` writes is much shorter.
const LONGEST_SHIM = 10_000;

/** Whether the first `qzo` in PATH runs this module, as after `deno install --global`. */
function installed(module: string): boolean {
  const windows = Deno.build.os === "windows";
  for (const folder of (Deno.env.get("PATH") ?? "").split(windows ? ";" : ":")) {
    const path = join(folder, windows ? "qzo.cmd" : "qzo");
    try {
      const { isFile, size } = Deno.statSync(path);
      if (isFile) return size < LONGEST_SHIM && Deno.readTextFileSync(path).includes(module);
    } catch {
      // Missing or unreadable.
    }
  }
  return false;
}
