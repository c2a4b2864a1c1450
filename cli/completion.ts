/**
 * Shell completion: scripts that contain every command, flag and value, so that completing starts no program.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { flagsOf } from "./help.ts";

/** Shells with a completion script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** Name of a shell. */
export type Shell = (typeof SHELLS)[number];

/** The completion script for a shell. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  if (shell === "fish") return fish(commands);
  const script = bash(commands);
  return shell === "bash" ? script : `#compdef qzo
# qzo completion zsh: source it, after compinit.
autoload -U +X bashcompinit && bashcompinit
${script}`;
}

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) => {
    const flags = flagsOf(command);
    const values = flags.flatMap(({ name, values = [] }) =>
      values.length === 0 ? [] : [`      ${command.name}/--${name}) words="${values.join(" ")}" ;;`]
    );
    return {
      values: values.join("\n"),
      flags: `      ${command.name}) words="${flags.map(({ name }) => `--${name}`).join(" ")}" ;;`,
    };
  });
  return `# qzo completion bash: source it, or put it where bash-completion looks.
_qzo() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD - 1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${[...commands.map(({ name }) => name), "help", "--help", "--version"].join(" ")}"
  else
    case "\${COMP_WORDS[1]}/$before" in
${cases.map(({ values }) => values).filter((it) => it !== "").join("\n")}
      */--help) words="all" ;;
    esac
    if [ -z "$words" ] && [ "\${word#-}" != "$word" ]; then
      case "\${COMP_WORDS[1]}" in
${cases.map(({ flags }) => flags).join("\n")}
      esac
    fi
  fi
  # What has no words of its own is completed as a path.
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o bashdefault -o default -F _qzo qzo
`;
}

function fish(commands: readonly Command[]): string {
  const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\\\'")}'`;
  const lines = ["# qzo completion fish | source"];
  for (const command of commands) {
    const { name, summary } = command;
    lines.push(
      `complete -c qzo -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
    );
    for (const { name: flag, takes, doc, values } of flagsOf(command)) {
      const value = takes === undefined
        ? ""
        : values
        ? ` -x -a ${quoted(values.join(" "))}`
        : " -r";
      const about = doc.split(/[;:(]/)[0].trim();
      lines.push(
        `complete -c qzo -n '__fish_seen_subcommand_from ${name}' -l ${flag}${value} -d ${
          quoted(about)
        }`,
      );
    }
  }
  return `${lines.join("\n")}\n`;
}
