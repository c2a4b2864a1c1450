/**
 * The texts of `--help`, which shows the main flags, and of `--help all`, which lists every flag.
 *
 * @module
 */
import { aliasesOfCommand, flagOf, GLOBAL_OPTIONS, keysOfCommand } from "./arguments.ts";
import type { Command } from "./command.ts";
import { table } from "../show/terminal.ts";
import { invocation } from "./invocation.ts";

/** The overview of all commands. */
export function overview(commands: readonly Command[]): string {
  return [
    "qzo: fine-tunes quantised language models with forward passes only.",
    "",
    "Usage: qzo <command> [config.yaml | run folder] [--key value ...]",
    ...calledBy(),
    "",
    ...table(commands.map(({ name, summary }) => [`  ${name}`, summary])),
    "",
    "`qzo <command> --help` explains a command; `--help all` lists every flag. `qzo --version` prints the version.",
    "One configuration file can hold the keys for all commands; flags override it.",
  ].join("\n");
}

/** A flag, as shown by `--help` and offered by shell completion. */
export interface FlagHelp {
  /** Name without dashes. */
  readonly name: string;
  /** Kind of its value: text or number. Undefined if it takes none. */
  readonly takes?: string;
  /** Description, with the default in brackets if there is one. */
  readonly doc: string;
  /** All possible or known values, if there are few. */
  readonly values?: readonly string[];
  /** Name of the flag that this one is short for. */
  readonly shortFor?: string;
  /** Section of its configuration key; `""` for top-level keys. Undefined if the flag is not a key, or short for one. */
  readonly section?: string;
}

/** Maximum number of values that `--help` lists. */
const MOST_VALUES = 48;

/** All flags of a command: its own, then configuration keys, then short names. */
export function flagsOf(command: Command): FlagHelp[] {
  const own = Object.entries({ ...command.options, ...GLOBAL_OPTIONS });
  const keys = keysOfCommand(command).filter(({ path }) =>
    !Object.hasOwn(command.options, flagOf(path))
  );
  return [
    ...own.map(([name, { kind, doc, values }]) => ({
      name,
      doc,
      ...(kind === "flag" ? {} : { takes: kind }),
      ...(values ? { values } : {}),
    })),
    ...keys.map(({ path, doc, expects, shownDefault, values }) => ({
      name: flagOf(path),
      takes: expects.startsWith("a whole number") || expects.startsWith("a number")
        ? "number"
        : "text",
      doc: `${doc}${shownDefault === undefined ? "" : ` [${shownDefault}]`}`,
      section: path.includes(".") ? path.split(".")[0] : "",
      ...(values ? { values } : {}),
    })),
    ...aliasesOfCommand(command).map(([alias, path]) => {
      const key = keys.find((it) => it.path === path);
      return {
        name: alias,
        takes: "text",
        doc: key?.doc ?? "",
        shortFor: flagOf(path),
        ...(key?.values ? { values: key.values } : {}),
      };
    }),
  ];
}

function row({ name, takes, doc, values }: FlagHelp): string[] {
  const listed = values && values.length <= MOST_VALUES && !values.every((it) => doc.includes(it))
    ? `; one of ${values.join(", ")}`
    : "";
  return [`  --${name}${takes === undefined ? "" : ` <${takes}>`}`, `${doc}${listed}`];
}

/** The positional arguments in the usage line. */
function argumentsOf({ positional, keys, options, takesData }: Command): string {
  const values = Object.hasOwn(options, positional) ? options[positional].values : undefined;
  const named = values?.join(" | ") ?? (positional === "config" ? "config.yaml" : positional);
  const data = takesData ? " data" : "";
  return keys.length === 0 ? named : `config.yaml | run folder | ${named}${data}`;
}

/** A line that says what to type for `qzo`, if it is not an installed command. */
function calledBy(): string[] {
  const typed = invocation();
  return typed === "qzo" ? [] : [`       where qzo is ${typed}`];
}

/** The help text of a command, with its main flags or, if `all` is set, every flag. */
export function commandHelp(command: Command, all = false): string {
  const flags = flagsOf(command);
  const first = command.first.flatMap((name) => flags.find((flag) => flag.name === name) ?? []);
  const rest = flags.filter((flag) => !first.includes(flag));
  const own = rest.filter(({ section, shortFor }) =>
    section === undefined && shortFor === undefined
  );
  const sections = [...new Set(rest.flatMap(({ section }) => section ?? []))];
  const aliases = rest.filter(({ shortFor }) => shortFor !== undefined);
  const titled = (title: string, rows: readonly (readonly string[])[]) =>
    rows.length === 0 ? [] : ["", title, ...table(rows)];
  return [
    `qzo ${command.name}: ${command.summary}`,
    "",
    `Usage: qzo ${command.name} [${argumentsOf(command)}] [--key value ...]`,
    ...calledBy(),
    "",
    "Examples:",
    ...command.examples.map((example) => `  qzo ${example}`),
    ...titled("Main options:", first.map(row)),
    ...(all
      ? [
        ...titled("Other options:", own.map(row)),
        ...sections.flatMap((section) =>
          titled(
            section === ""
              ? "Configuration keys, also available as flags:"
              : `Configuration keys in section ${section}:`,
            rest.filter((flag) => flag.section === section).map(row),
          )
        ),
        ...titled(
          "Short for:",
          aliases.map(({ name, shortFor }) => [`  --${name}`, `--${shortFor}`]),
        ),
      ]
      : rest.length > 0
      ? ["", `${rest.length} more: qzo ${command.name} --help all`]
      : []),
  ].join("\n");
}
