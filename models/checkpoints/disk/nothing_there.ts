/**
 * Guesses what a path means at which nothing exists: a URL, a name on the Hugging Face hub, a typing error.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { nearestNames } from "../../../quant/nearest_names.ts";
import { list } from "./look.ts";

type Guess = (path: string) => string | undefined;

/** What the path may be, and what to do. The first guess that applies is used. */
const GUESSES: readonly Guess[] = [
  (path) => path.trim() === "" ? "no path is given" : undefined,
  (path) => {
    if (!/^~[\\/]/.test(path)) return undefined;
    const home = homeFolder();
    return `there is no folder called "~" here: a shell puts the home folder in its place, but not within quotes, behind "=" or in a YAML file. Write ${
      home === undefined ? "the whole path" : `"${join(home, path.slice(2))}"`
    }`;
  },
  (path) => {
    if (!/^[a-z][a-z\d+.-]+:\/\//i.test(path)) return undefined;
    const repository =
      /^(?:https?:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/|hf:\/\/)([\w.-]+\/[\w.-]+)/i.exec(
        path,
      )
        ?.[1];
    return `that is an address, and nothing is downloaded here. ${
      repository === undefined
        ? "Download the file or folder and give its path"
        : downloading(repository)
    }`;
  },
  (path) => {
    const named = /^([\w][\w.-]*\/[\w][\w.-]*?)(?:\.git)?(?::([\w.-]+))?$/.exec(path);
    if (!named || /\.(?:gguf|safetensors|ya?ml|json|ledger|bin|txt)$/i.test(path)) {
      return undefined;
    }
    if (isThere(dirname(path))) return undefined;
    const kept = inHubCache(named[1]);
    return `there is no such file or folder. If it is a model of the Hugging Face hub: nothing is downloaded here. ${
      kept === undefined
        ? downloading(named[1], named[2])
        : `It lies in the hub's cache already: give ${kept}`
    }`;
  },
  (path) => {
    const near = neighbours(path);
    return near.length === 0
      ? undefined
      : `there is no such file or folder. Is ${list(near.map((it) => `"${it}"`))} meant?`;
  },
  (path) =>
    isThere(dirname(path))
      ? undefined
      : `there is no such file or folder; its folder "${dirname(path)}" is not there either`,
  (path) =>
    /^[\w][\w.-]*$/.test(path) && !/\.\w{2,12}$/.test(path)
      ? `there is no such file or folder. If it is a model of the Hugging Face hub: nothing is downloaded here. Get it by "hf download ${path} --local-dir ${path}" and give the folder`
      : undefined,
];

/** What to say about a path at which nothing exists, as a continuation of `Cannot load "...": `. */
export function nothingThere(path: string): string {
  for (const guess of GUESSES) {
    const words = guess(path);
    if (words !== undefined) return words;
  }
  return "there is no such file or folder. Give the path of a GGUF file or of a folder with config.json and safetensors files";
}

function downloading(repository: string, variant?: string): string {
  const folder = repository.split("/")[1];
  const only = variant === undefined ? "" : ` --include '*${variant}*'`;
  return `Get it by "hf download ${repository}${only} --local-dir ${folder}", then give ${folder}`;
}

/** Whether something accessible exists at a path. */
export function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function homeFolder(): string | undefined {
  try {
    return Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  } catch {
    return undefined; // No permission to read the environment.
  }
}

/** The path of a model in the cache of the Hugging Face hub, in quotes, if it is there. */
function inHubCache(repository: string): string | undefined {
  try {
    const home = Deno.env.get("HF_HUB_CACHE") ??
      join(
        Deno.env.get("HF_HOME") ?? join(Deno.env.get("HOME") ?? "", ".cache/huggingface"),
        "hub",
      );
    const entry = join(home, `models--${repository.replace("/", "--")}`);
    const revision = Deno.readTextFileSync(join(entry, "refs/main")).slice(0, 100).trim();
    const snapshot = join(entry, "snapshots", revision);
    return isThere(join(snapshot, "config.json")) ? `"${snapshot}"` : undefined;
  } catch {
    return undefined; // There is no cache, or no permission to read it.
  }
}

/** Paths in the same folder with names similar to the missing one. */
function neighbours(path: string): string[] {
  try {
    const folder = dirname(path);
    const names: string[] = [];
    for (const { name } of Deno.readDirSync(folder)) {
      if (names.push(name) >= 1000) break;
    }
    const stem = (name: string) => name.replace(/\.(?:gguf|safetensors)$/i, "").toLowerCase();
    const same = names.filter((name) => stem(name) === stem(basename(path)));
    return (same.length > 0 ? same : nearestNames(basename(path), names, 1)).slice(0, 3)
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}
