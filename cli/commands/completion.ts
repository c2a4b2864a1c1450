/**
 * `qzo completion`: prints a script that completes commands, flags and values in a shell.
 *
 * @module
 */
import type { Command } from "../command.ts";
import { completionScript, SHELLS } from "../completion.ts";
import { UsageError } from "../usage_error.ts";

/** `qzo completion`, given the commands that it completes. */
export function completionCommand(commands: () => readonly Command[]): Command {
  return {
    name: "completion",
    summary: "print a script that completes commands, flags and values in bash, zsh or fish",
    positional: "shell",
    first: ["shell"],
    examples: [
      'completion bash > "$HOME/.local/share/bash-completion/completions/qzo"',
      "completion zsh > ~/.qzo-completion.zsh",
      "completion fish > ~/.config/fish/completions/qzo.fish",
    ],
    options: { shell: { kind: "text", doc: "which shell", values: SHELLS } },
    keys: [],
    run: ({ options, terminal }) => {
      const shell = SHELLS.find((it) => it === options.text("shell"));
      if (!shell) throw new UsageError("Missing shell: completion bash, zsh or fish");
      terminal.write(completionScript(shell, commands()));
      return Promise.resolve();
    },
  };
}
