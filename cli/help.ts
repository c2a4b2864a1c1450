/**
 * The texts of `--help`.
 *
 * @module
 */
import { aliasesOfCommand, flagOf, GLOBAL_OPTIONS, keysOfCommand } from "./arguments.ts";
import type { Command } from "./command.ts";
import { table } from "./terminal.ts";

/** The overview of all commands. */
export function overview(commands: readonly Command[]): string {
  return [
    "qzo: fine-tunes quantised language models with forward passes only.",
    "",
    "Usage: qzo <command> [config.yaml | run folder] [--key value ...]",
    "",
    ...table(commands.map(({ name, summary }) => [`  ${name}`, summary])),
    "",
    "`qzo <command> --help` explains one. A configuration file may hold the keys of all commands; flags override it.",
  ].join("\n");
}

/** What one command does, with its flags. */
export function commandHelp(command: Command): string {
  const keys = keysOfCommand(command);
  const own = Object.entries({ ...command.options, ...GLOBAL_OPTIONS });
  const aliases = aliasesOfCommand(command);
  return [
    `qzo ${command.name}: ${command.summary}`,
    "",
    `Usage: qzo ${command.name} [config.yaml | run folder | ${command.positional}] [--key value ...]`,
    "",
    "Examples:",
    ...command.examples.map((example) => `  qzo ${example}`),
    "",
    "Options:",
    ...table(own.map(([name, { kind, doc }]) => [
      `  --${name}${kind === "flag" ? "" : ` <${kind}>`}`,
      doc,
    ])),
    ...(keys.length === 0 ? [] : [
      "",
      "Keys of the configuration, as flags too:",
      ...table(keys.map(({ path, doc, shownDefault }) => [
        `  --${flagOf(path)}`,
        `${doc}${shownDefault === undefined ? "" : ` [${shownDefault}]`}`,
      ])),
    ]),
    ...(aliases.length === 0 ? [] : [
      "",
      "Short for:",
      ...table(aliases.map(([alias, path]) => [`  --${alias}`, `--${flagOf(path)}`])),
    ]),
  ].join("\n");
}
