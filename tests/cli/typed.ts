/**
 * Commands as they are typed in a folder.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { capture } from "./capture.ts";
import { runCli } from "./run_cli.ts";

/** What a command answered. */
export interface Answer {
  readonly code: number;
  /** Standard output. */
  readonly out: string;
  /** Standard error. */
  readonly noted: string;
}

/** Types a command in a folder, in this process: a process of its own takes a second of a core to start. */
export async function typed(cwd: string, ...args: string[]): Promise<Answer> {
  const before = Deno.cwd();
  Deno.chdir(cwd);
  try {
    const terminal = capture();
    const code = await runCli(args, { terminal });
    return { code, out: terminal.printed, noted: terminal.noted };
  } finally {
    Deno.chdir(before);
  }
}

/** The same as a process. */
export async function typedAsProcess(cwd: string, ...args: string[]): Promise<Answer> {
  const main = fromFileUrl(new URL("../../cli/main.ts", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, ...args],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), noted: text.decode(stderr) };
}
