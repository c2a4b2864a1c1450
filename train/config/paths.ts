/**
 * Paths in configurations, which are relative to the file that contains them.
 *
 * @module
 */
import { isAbsolute, join, resolve } from "@std/path";
import { namedChatTemplate } from "../../models/tokenizers/named_chat_templates.ts";

type Section = Readonly<Record<string, unknown>>;

/** The base of a configuration file's relative paths. */
export interface PathOptions {
  /** Folder of the file. Default: paths are kept as written, relative to the current folder. */
  readonly folder?: string | undefined;
}

/** The prefix of a name that is not a path, such as `hf:name`. A single letter is a drive. */
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

/** A path relative to `folder`, expressed relative to the base of `folder`. Absolute paths are unchanged. */
export function pathFrom(folder: string, path: string): string {
  return path === "" || isAbsolute(path) || SCHEME.test(path) ? path : join(folder, path);
}

/**
 * The keys of a file with their paths rebased by {@linkcode pathFrom}: those of the model, the output, an adapter and the data folder, which
 * defaults to the folder of the file. Values of the wrong type are unchanged and rejected later.
 */
export function withPathsFrom(keys: Section, folder: string): Section {
  const path = (value: unknown) => typeof value === "string" ? pathFrom(folder, value) : value;
  const out: Record<string, unknown> = { ...keys };
  for (const key of ["model", "output", "adapter"]) if (key in out) out[key] = path(out[key]);
  const { task } = keys;
  if (typeof task === "object" && task !== null && Object.hasOwn(task, "chat_template")) {
    const template = (task as Section).chat_template;
    if (!isNamed(template)) out.task = { ...task, chat_template: path(template) };
  }
  const { data = {} } = keys;
  if (typeof data === "object" && data !== null && !Array.isArray(data)) {
    out.data = { ...data, folder: path((data as Section).folder ?? ".") };
  }
  return out;
}

/** Whether a chat template is given by name. */
function isNamed(template: unknown): boolean {
  return typeof template === "string" && namedChatTemplate(template) !== undefined;
}

/** The paths in a configuration. */
interface Paths {
  readonly model: string;
  readonly output: string;
  readonly adapter?: string;
  readonly data: { readonly folder: string };
  readonly task?: { readonly chatTemplate?: string };
}

/** The configuration with absolute paths, which do not depend on the current folder. */
export function withAbsolutePaths<Config extends Paths>(config: Config): Config {
  const absolute = (path: string) => SCHEME.test(path) && !isAbsolute(path) ? path : resolve(path);
  const template = config.task?.chatTemplate;
  return {
    ...config,
    ...template === undefined || isNamed(template)
      ? {}
      : { task: { ...config.task, chatTemplate: absolute(template) } },
    model: absolute(config.model),
    output: absolute(config.output),
    ...config.adapter === undefined ? {} : { adapter: absolute(config.adapter) },
    data: { ...config.data, folder: absolute(config.data.folder) },
  };
}
