/**
 * `--adapter`, which may be given several times: paths, each with an optional weight.
 *
 * @module
 */
import type { AdapterShare } from "../train/mod.ts";
import type { Call, OptionSpec } from "./command.ts";
import { UsageError } from "./usage_error.ts";

/** The `--adapter` flag. */
export const adapterOption: Readonly<Record<"adapter", OptionSpec>> = {
  adapter: {
    kind: "text",
    path: true,
    many: true,
    doc:
      "adapter to use with the model: a folder (PEFT, mlx-lm), a .gguf file (llama.cpp), or a file of tuned scales (.safetensors) written by export; PATH=0.5 uses half of it, and several --adapter flags are added up",
  },
};

/**
 * The adapters that a command line names.
 *
 * @throws {UsageError} when a weight is not a number.
 */
export function adaptersOf({ options }: Pick<Call, "options">): AdapterShare[] {
  return options.all("adapter").map(shareOf);
}

/** The path and the weight of `a=0.5`. If a file or folder with the whole text as its name exists, the whole text is the path. */
function shareOf(text: string): AdapterShare {
  const split = /^(.+)=([^=/\\]*)$/.exec(text);
  if (!split || exists(text)) return { path: text };
  const [, path, said] = split;
  const weight = Number(said);
  if (said.trim() !== "" && Number.isFinite(weight)) return { path, weight };
  if (!exists(path)) return { path: text };
  throw new UsageError(
    `Cannot use --adapter ${JSON.stringify(text)}: expected a number after =, for example ${
      JSON.stringify(`${path}=0.5`)
    }`,
  );
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Adapters as text: `0.5 x a + b`. */
export function sharesText(shares: readonly AdapterShare[]): string {
  return shares.map(({ path, weight = 1 }) => weight === 1 ? path : `${weight} x ${path}`)
    .join(" + ");
}
