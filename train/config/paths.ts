/**
 * Paths of configurations: they count from the file that names them.
 *
 * @module
 */
import { isAbsolute, join, resolve } from "@std/path";
import { namedChatTemplate } from "../../models/tokenizers/named_chat_templates.ts";

type Section = Readonly<Record<string, unknown>>;

/** Where the paths of a configuration file count from. */
export interface PathOptions {
  /** The file's folder. Default: paths stay as they are written, and count from the current folder. */
  readonly folder?: string | undefined;
}

/** What names something elsewhere, such as `hf:name`; one letter is a drive. */
const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

/** A path as seen from where `folder` is seen from; absolute ones stay. */
export function pathFrom(folder: string, path: string): string {
  return path === "" || isAbsolute(path) || SCHEME.test(path) ? path : join(folder, path);
}

/**
 * The keys of a file with its paths as seen from where `folder` is seen from: of the model, the output, an adapter, and the folder of the data, which is
 * the file's own where none is named. What is of another kind than it should be is left as it is, to be refused.
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

/** Whether a chat template is one that has a name. */
function isNamed(template: unknown): boolean {
  return typeof template === "string" && namedChatTemplate(template) !== undefined;
}

/** What a configuration has of paths. */
interface Paths {
  readonly model: string;
  readonly output: string;
  readonly adapter?: string;
  readonly data: { readonly folder: string };
  readonly task?: { readonly chatTemplate?: string };
}

/** The configuration with absolute paths, which mean the same from everywhere. */
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
