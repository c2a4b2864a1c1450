/**
 * Parts of documents that are made from tables of the code, between `<!-- begin NAME -->` and `<!-- end NAME -->`. Writes them when run
 * (`deno task documents`).
 *
 * @module
 */
import { join } from "@std/path";
import { numberWord } from "../optim/options.ts";
import { type DeclaredOption, namedOptimisers, optimiserNames } from "../optim/mod.ts";

const root = join(import.meta.dirname!, "..");

type Named = (typeof namedOptimisers)[keyof typeof namedOptimisers];

/** This library's own first, then published ones in the order of their names. */
const ordered: readonly Named[] = optimiserNames.map((name) => namedOptimisers[name] as Named)
  .toSorted((a, b) => Number(isOwn(b)) - Number(isOwn(a)));

function isOwn({ name }: Named): boolean {
  return name.startsWith("qzo");
}

/** `arXiv 2402.11592` as a link. */
function linked(source = ""): string {
  return source.replace(/arXiv (\S+)/g, "[$1](https://arxiv.org/abs/$1)");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** The values that an option can have. */
function values(option: DeclaredOption): string {
  if ("of" in option) return option.of.map((word) => `\`${word}\``).join(", ");
  if ("flag" in option) return "`true`, `false`";
  const { min, max, above, below, whole, infinite } = option;
  const from = min === undefined ? "" : `${above ? "above" : "from"} ${numberWord(min)}`;
  const to = max === undefined ? "" : ` ${below ? "to below" : "to"} ${numberWord(max)}`;
  return `${whole ? "integer " : ""}${from}${to}${infinite ? ", or infinite" : ""}`;
}

function fallback({ default: value, shown }: DeclaredOption): string {
  if (value === undefined) return shown ?? "";
  return `\`${typeof value === "number" ? numberWord(value) : value}\``;
}

const description = ({ name, summary, source }: Named): readonly string[] => [
  `\`${name}\`${name === "qzoNormalised" ? " (default)" : ""}`,
  summary,
  linked(source),
];

function optionRows(options: Readonly<Record<string, DeclaredOption>>): string {
  return table(
    ["option", "meaning", "values", "default"],
    Object.entries(options).map(([key, option]) => [
      `\`${key}\``,
      option.doc,
      values(option),
      fallback(option),
    ]),
  );
}

/** What an optimiser's shared options are where they are not what most have. */
function sharedDefaults({ shared }: Named): string {
  return Object.entries(shared).map(([key, option]) => `\`${key}\` ${fallback(option)}`).join(", ");
}

/** What stands between the marks, by their names. */
export const BLOCKS: Readonly<Record<string, () => string>> = {
  "optimisers in short": () =>
    table(["name", "what it does", "source"], ordered.filter(isOwn).map(description)) +
    `\n\nPublished methods, by name: ${
      ordered.filter((it) => !isOwn(it)).map(({ name }) => `\`${name}\``).join(", ")
    }.`,
  "optimisers": () => table(["name", "what it does", "source"], ordered.map(description)),
  "options of each optimiser": () =>
    ordered.map((it) =>
      [
        `### ${it.name}`,
        `Shared options: ${sharedDefaults(it)}.${
          it.schedule
            ? " If the length of the run is known, the learning rate falls to 0 by the end."
            : ""
        }${
          it.fullRateSteps
            ? ` In a run of N steps, more than ${it.fullRateSteps}, the default learning rate is multiplied by the square root of ${it.fullRateSteps} / N.`
            : ""
        }`,
        ...Object.keys(it.options).length === 0 ? [] : [optionRows(it.options)],
      ].join("\n\n")
    ).join("\n\n"),
};

/** The documents that have such parts. */
export const DOCUMENTS: readonly string[] = ["README.md", "docs/optimisers.md"];

/** A document with its parts made anew. Throws a RangeError for a mark that nothing stands for. */
export function withBlocks(text: string): string {
  return text.replace(
    /<!-- begin ([\w ]+) -->\n[\s\S]*?<!-- end \1 -->/g,
    (_, name: string) => {
      if (!Object.hasOwn(BLOCKS, name)) throw new RangeError(`Cannot make "${name}": no such part`);
      return `<!-- begin ${name} -->\n\n${BLOCKS[name]()}\n\n<!-- end ${name} -->`;
    },
  );
}

if (import.meta.main) {
  for (const document of DOCUMENTS) {
    const path = join(root, document);
    const text = await Deno.readTextFile(path);
    const made = withBlocks(text);
    if (made === text) continue;
    await Deno.writeTextFile(path, made);
    console.log(`${document}: written`);
  }
}
